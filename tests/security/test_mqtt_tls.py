"""MQTT over TLS against mosquitto: who is trusted, who is not, and what is said about it."""

from __future__ import annotations

import stat

import pytest
from brokers import make_row
from structlog.testing import capture_logs

from flows.sinks.mqtt import MqttSink
from flows.sinks.mqtt_options import MqttOptions
from stages.errors import ConfigError, DeliveryError
from stages.ports import Batch, Site

# paho leaves the socket of a failed handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CLIENT = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}


def sink(port, pki, tls):
    quick = {"reconnect_max_seconds": 0.1, "connect_timeout_seconds": 5.0}
    options = MqttOptions(host="127.0.0.1", port=port, tls=tls, **quick)
    return MqttSink(options, Site("plant-1", str(pki)), "mqtt")


@pytest.fixture
def broker(mosquitto, pki):
    """`broker(server)`: the port of a mosquitto that wants client certificates."""

    def start(server: str = "server") -> int:
        return mosquitto(
            "allow_anonymous true",
            f"cafile {pki}/ca.pem",
            f"certfile {pki}/{server}.pem",
            f"keyfile {pki}/{server}.key",
            "require_certificate true",
        ).port

    return start


def test_connect_when_both_show_good_certificates_then_rows_are_delivered(broker, pki):
    port = broker()
    with sink(port, pki, CLIENT) as open_sink:
        row = make_row(1)
        assert open_sink.deliver(Batch((row,), 0, 1, late=False, cursor=None)).delivered == {1}
        assert open_sink.probe().startswith(f"mqtts://127.0.0.1:{port}, MQTT 5")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("old-server", r"certificate has expired\): renew it at the broker"),
        ("elsewhere", "set host to the name that it is made out to"),
    ],
)
def test_connect_when_the_brokers_certificate_is_bad_then_it_is_refused_with_the_remedy(
    broker, pki, server, words
):
    with pytest.raises(DeliveryError, match=words) as refused:
        sink(broker(server), pki, CLIENT).probe()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca_file": "other.pem"}, r"set tls\.ca_file to the authority that signed it"),
        ({"ca_file": None}, r"set tls\.ca_file to the authority that signed it"),
        ({"cert_file": None, "key_file": None}, r"it wants a certificate; set tls\.cert_file"),
        ({"cert_file": "old-client.pem", "key_file": "old-client.key"}, "has expired; renew it"),
        (
            {"cert_file": "stranger.pem", "key_file": "stranger.key"},
            "does not know the authority that signed",
        ),
    ],
)
def test_connect_when_this_sides_files_are_the_wrong_ones_then_the_error_names_the_option(
    broker, pki, changes, words
):
    with pytest.raises(DeliveryError, match=words) as refused:
        sink(broker(), pki, {**CLIENT, **changes}).probe()
    assert "\n" not in str(refused.value)


SEALED = {**CLIENT, "cert_file": "sealed.pem", "key_file": "sealed.key"}


def test_connect_when_the_key_is_encrypted_then_its_password_comes_from_value_or_file(broker, pki):
    port = broker()
    (pki / "word").write_text("open sesame\n")
    for way in ({"key_password": "open sesame"}, {"key_password_file": "word"}):
        assert sink(port, pki, {**SEALED, **way}).probe()


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        (SEALED, r"tls\.key_file is encrypted: set tls\.key_password in the environment"),
        ({**SEALED, "key_password": "wrong"}, r"does not open tls\.key_file"),
        ({**CLIENT, "key_file": "server.key"}, r"server\.key is not the key of tls\.cert_file"),
        ({**CLIENT, "key_file": None}, "are not a certificate and its private key in PEM"),
        ({**CLIENT, "cert_file": None}, r"tls\.key_file needs tls\.cert_file"),
        ({**CLIENT, "ca_file": "client.key"}, r"tls\.ca_file .*client\.key holds no certificate"),
        ({**CLIENT, "key_file": "missing"}, r"tls\.key_file .*missing cannot be read"),
        ({**SEALED, "key_password_file": "none"}, r"tls\.key_password_file .*none cannot be read"),
    ],
)
def test_open_when_a_file_of_this_side_is_wrong_then_it_is_one_line_without_asking(pki, tls, words):
    with pytest.raises(ConfigError, match=words) as refused:
        sink(1, pki, tls).probe()
    assert "\n" not in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_secret_when_its_file_is_open_to_all_then_it_is_told(pki):
    word = pki / "open-word"
    word.write_text("open sesame")
    tls = {**SEALED, "key_password_file": "open-word"}
    for mode, told in ((0o644, True), (0o640, False)):
        word.chmod(mode)
        with capture_logs() as logs, pytest.raises(DeliveryError):
            sink(1, pki, tls).probe()
        assert any("every account" in entry["event"] for entry in logs) is told
        assert "sesame" not in str(logs)
    assert stat.S_IMODE(word.stat().st_mode) == 0o640


def test_options_when_tls_has_no_broker_to_speak_to_then_they_are_refused():
    with pytest.raises(ValueError, match="tls needs host"):
        MqttOptions(tls={})


@pytest.mark.parametrize(
    ("host", "tls", "told"), [("192.0.2.1", None, True), ("127.0.0.1", None, False)]
)
def test_open_when_a_password_would_go_in_the_clear_then_it_is_told(host, tls, told):
    options = MqttOptions(host=host, port=1, username="u", password="s3cret", tls=tls)
    with capture_logs() as logs, MqttSink(options, Site("plant-1", "."), "mqtt"):
        pass
    assert any("plain text" in entry["event"] for entry in logs) is told
    assert "s3cret" not in str(logs)
