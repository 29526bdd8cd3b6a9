"""The MQTT sink against real brokers: amqtt (3.1.1) always, mosquitto (MQTT 5) where installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from brokers import (
    DEADLINE_SECONDS,
    Mute,
    Scissors,
    Subscriber,
    find_mosquitto,
    free_port,
    make_row,
)
from pydantic import ValidationError
from structlog.testing import capture_logs

from flows import vocabulary
from flows.commands.broker import EmbeddedBroker
from flows.sinks.mqtt import MqttOptions, MqttSink
from stages.errors import ConfigError, DeliveryError
from stages.ports import Batch, Site


def make_sink(port: int | None, folder: Path | str = "/nowhere", **options) -> MqttSink:
    where = {"host": "127.0.0.1", "port": port} if port else {}
    quick = {"reconnect_max_seconds": 0.1, "connect_timeout_seconds": 5.0}
    site = Site("plant-1", str(folder))
    return MqttSink(MqttOptions(**{**where, **quick, **options}), site, "mqtt")


def batch(*rows, late=False, cursor=None) -> Batch:
    return Batch(rows, rows[0]["seq"] - 1, rows[-1]["seq"], late=late, cursor=cursor)


def deliver_until_taken(sink: MqttSink, *rows) -> None:
    """Offer rows as the delivery loop does, until each is acknowledged."""
    owed = {row["seq"]: row for row in rows}
    deadline = time.monotonic() + DEADLINE_SECONDS
    while owed:
        try:
            receipt = sink.deliver(batch(*owed.values()))
        except DeliveryError:
            assert time.monotonic() < deadline
            continue
        for seq in receipt.delivered:
            owed.pop(seq)


def states(messages) -> list[str]:
    return [json.loads(m.payload)["state"] for m in messages if m.topic.endswith("/status")]


@pytest.fixture(params=["amqtt", "mosquitto"])
def any_broker(request) -> int:
    """The port of each kind of broker in turn."""
    if request.param == "amqtt":
        return request.getfixturevalue("broker").port
    return request.getfixturevalue("mosquitto")().port


@pytest.fixture
def protocol(any_broker, request) -> int:
    return 5 if "mosquitto" in request.node.callspec.id else 4


def test_deliver_when_rows_are_sent_then_subscribers_get_them_once_in_order(any_broker, protocol):
    rows = [make_row(seq, camera=f"cam-{seq % 2}") for seq in range(1, 251)]
    with (
        Subscriber(any_broker, "markwatch/+/reading", protocol) as scada,
        make_sink(any_broker) as sink,
    ):
        receipt = sink.deliver(batch(*rows))
        heard = scada.wait(lambda all_: len(all_) >= 250)
    assert receipt.delivered == {row["seq"] for row in rows}
    assert len(heard) == 250
    for camera in ("cam-0", "cam-1"):
        got = [m.payload.decode() for m in heard if m.topic == f"markwatch/{camera}/reading"]
        assert got == [vocabulary.to_json(row) for row in rows if row["camera"] == camera]
    assert {m.qos for m in heard} == {1} and not any(m.retain for m in heard)


def test_deliver_when_rows_fail_or_are_late_then_they_have_topics_of_their_own(
    any_broker, protocol
):
    with (
        Subscriber(any_broker, "site/line/#", protocol) as scada,
        make_sink(any_broker, root="site/line/") as sink,
    ):
        sink.deliver(batch(make_row(3), make_row(4, status="failed")))
        sink.deliver(batch(make_row(1), make_row(2, status="failed"), late=True))
        heard = scada.wait(lambda all_: sum("press-3" in m.topic for m in all_) >= 5)
    seqs = {}
    for message in heard:
        if "press-3" in message.topic:
            seqs.setdefault(message.topic, []).append(json.loads(message.payload)["seq"])
    assert seqs == {
        "site/line/press-3/reading": [3],
        "site/line/press-3/failed": [4, 2],
        "site/line/press-3/late": [1],
        "site/line/press-3/last": [4],
    }


def test_last_when_newer_rows_come_then_it_is_retained_and_never_goes_back(any_broker, protocol):
    with make_sink(any_broker) as sink:
        receipt = sink.deliver(batch(make_row(10), make_row(11)))
        sink.deliver(batch(make_row(5), late=True, cursor=receipt.cursor))
    with make_sink(any_broker) as restarted:
        restarted.deliver(batch(make_row(6), late=True, cursor=receipt.cursor))
    with Subscriber(any_broker, "markwatch/press-3/last", protocol) as scada:
        last = scada.wait_for("markwatch/press-3/last")[0]
    assert last.retain and json.loads(last.payload)["seq"] == 11


def test_status_when_the_station_changes_state_then_it_is_retained(any_broker, protocol):
    topic = "markwatch/_station/plant-1/status"
    with Subscriber(any_broker, topic, protocol) as scada:
        with make_sink(any_broker) as sink:
            scada.wait_for(topic, 1)
            sink.announce("draining")
            scada.wait_for(topic, 2)
        heard = scada.wait_for(topic, 3)
    assert states(heard) == ["online", "draining", "stopped"]
    with Subscriber(any_broker, topic, protocol) as later:
        kept = later.wait_for(topic)[0]
    assert kept.retain
    assert json.loads(kept.payload) == {
        "state": "stopped",
        "station": "plant-1",
        "version": version("markwatch"),
    }


def test_status_when_the_process_is_killed_then_the_last_will_says_offline(any_broker, protocol):
    program = f"""
import sys
from flows.sinks.mqtt import MqttOptions, MqttSink
from stages.ports import Site
with MqttSink(MqttOptions(host="127.0.0.1", port={any_broker}), Site("plant-1", "."), "mqtt"):
    sys.stdin.read()
"""
    topic = "markwatch/_station/plant-1/status"
    with Subscriber(any_broker, topic, protocol) as scada:
        station = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        scada.wait_for(topic, 1)
        station.send_signal(signal.SIGKILL)
        station.communicate()
        heard = scada.wait_for(topic, 2)
    assert states(heard) == ["online", "offline"]


def test_names_when_they_hold_wildcards_then_each_stays_one_topic_level(any_broker, protocol):
    with Subscriber(any_broker, "#", protocol) as scada, make_sink(any_broker) as sink:
        sink.deliver(batch(make_row(1, camera="a/b+c#\n"), make_row(2, camera="Presse Süd ✓")))
        heard = scada.wait(lambda all_: sum("/reading" in m.topic for m in all_) >= 2)
    topics = [m.topic for m in heard if m.topic.endswith("/reading")]
    assert topics == ["markwatch/a_b_c__/reading", "markwatch/Presse Süd ✓/reading"]


def test_deliver_when_the_broker_speaks_mqtt_5_then_messages_are_described(mosquitto):
    running = mosquitto()
    with Subscriber(running.port, "markwatch/#") as scada, make_sink(running.port) as sink:
        sink.deliver(batch(make_row(7)))
        message = scada.wait_for("markwatch/press-3/reading")[0]
    assert message.properties.ContentType == "application/json"
    assert message.properties.PayloadFormatIndicator == 1
    assert message.properties.UserProperty == [("id", make_row(7)["id"]), ("seq", "7")]
    assert any("p5, c1" in line and "markwatch-plant-1-mqtt" in line for line in running.log)


def test_connect_when_the_broker_refuses_mqtt_5_then_3_1_1_is_used_and_remembered(broker):
    with capture_logs() as logs, make_sink(broker.port) as sink:
        sink.deliver(batch(make_row(1)))
        sink.deliver(batch(make_row(2)))
    connected = [entry for entry in logs if entry["event"] == "connected"]
    assert [entry["protocol"] for entry in connected] == ["MQTT 3.1.1"]


@pytest.mark.parametrize("hangs", [True, False])
def test_connect_when_mqtt_5_is_not_answered_then_3_1_1_is_tried(hangs):
    class Old(Mute):
        def _treat(self, connection):
            opening = connection.recv(4096)
            if opening[opening.index(b"MQTT") + 4] == 5:
                if hangs:
                    connection.recv(1)
                connection.close()
            else:
                connection.sendall(b"\x20\x02\x00\x00")
                connection.recv(1)

    with (
        capture_logs() as logs,
        Old() as server,
        make_sink(server.port, connect_timeout_seconds=0.2, ack_timeout_seconds=0.2) as sink,
    ):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while "MQTT 3.1.1" not in [entry.get("protocol") for entry in logs]:
            assert time.monotonic() < deadline
            with pytest.raises(DeliveryError):
                sink.deliver(batch(make_row(1)))


def test_deliver_when_the_broker_restarts_then_rows_and_status_come_back(mosquitto):
    running = mosquitto()
    topic = "markwatch/_station/plant-1/status"
    with capture_logs() as logs, make_sink(running.port) as sink:
        sink.deliver(batch(make_row(1)))
        running.stop(kill=True)
        with pytest.raises(DeliveryError, match=rf"mqtt://127.0.0.1:{running.port}"):
            sink.deliver(batch(make_row(2)))
        with pytest.raises(DeliveryError, match="nothing listens there: start the broker"):
            sink.deliver(batch(make_row(2)))
        running.start()
        deliver_until_taken(sink, make_row(2))
        with Subscriber(running.port, "markwatch/#") as scada:
            # A broker without persistence forgot them; the sink did not.
            assert states(scada.wait_for(topic)) == ["online"]
            last = scada.wait_for("markwatch/press-3/last")[0]
            assert json.loads(last.payload)["seq"] == 2
    events = [entry["event"] for entry in logs]
    assert events == ["connected", "connection lost", "not connected", "connected"]


@pytest.mark.parametrize("cut_after", [10, 200, 900])
def test_deliver_when_the_connection_drops_midway_then_only_what_was_acknowledged_is_receipted(
    mosquitto, cut_after
):
    running = mosquitto()
    rows = [make_row(seq) for seq in range(1, 301)]
    with (
        Subscriber(running.port, "markwatch/+/reading") as scada,
        Scissors(running.port, cut_after) as relay,
        make_sink(relay.port) as sink,
    ):
        try:
            first = sink.deliver(batch(*rows)).delivered
        except DeliveryError:
            first = frozenset()
        assert len(first) < 300 or cut_after == 10
        reached = {
            json.loads(m.payload)["seq"] for m in scada.wait(lambda all_: len(all_) >= len(first))
        }
        assert first <= reached
        deliver_until_taken(sink, *(row for row in rows if row["seq"] not in first))
        heard = scada.wait(
            lambda all_: len({json.loads(m.payload)["id"] for m in all_}) == len(rows)
        )
    by_id = {}
    for message in heard:
        by_id.setdefault(json.loads(message.payload)["id"], set()).add(message.payload)
    assert all(len(payloads) == 1 for payloads in by_id.values())


@pytest.mark.parametrize(
    ("answer", "window"), [(b"\x20\x03\x00\x00\x00", 7), (b"\x20\x06\x00\x00\x03\x21\x00\x03", 2)]
)
def test_deliver_when_nothing_is_acknowledged_then_the_window_bounds_what_is_sent(answer, window):
    rows = [make_row(seq) for seq in range(1, 50)]
    options = {"max_inflight": 8, "ack_timeout_seconds": 0.3}
    with Mute(answer) as broker, make_sink(broker.port, **options) as sink:
        with pytest.raises(DeliveryError, match=r"acknowledged nothing for 0\.3 s"):
            sink.deliver(batch(*rows))
        # The status message is one of the window.
        assert broker.received == window


def test_deliver_when_nothing_is_acknowledged_then_the_next_try_is_on_a_new_connection():
    with Mute() as broker, make_sink(broker.port, ack_timeout_seconds=0.3) as sink:
        for _ in range(2):
            with pytest.raises(DeliveryError):
                sink.deliver(batch(make_row(1)))
        assert broker.connections == 2
        assert broker.received == 2


def test_deliver_when_a_topic_is_not_allowed_then_its_rows_are_refused_for_now(mosquitto, tmp_path):
    rules = tmp_path / "rules"
    rules.write_text("topic readwrite markwatch/_station/#\ntopic readwrite markwatch/good/#\n")
    running = mosquitto("allow_anonymous true", f"acl_file {rules}")
    with make_sink(running.port) as sink:
        receipt = sink.deliver(batch(make_row(2), make_row(3, camera="good")))
    assert receipt.delivered == {3}
    assert not receipt.dead
    assert "topic markwatch/press-3/reading: not allowed" in receipt.refused[2]


def test_deliver_when_a_row_is_larger_than_the_broker_takes_then_it_is_dead(mosquitto):
    running = mosquitto("allow_anonymous true", "max_packet_size 4000")
    with make_sink(running.port) as sink:
        receipt = sink.deliver(batch(make_row(1), make_row(2, reason="x" * 5000)))
    assert receipt.delivered == {1}
    assert "raise its maximum packet size" in receipt.dead[2]


def test_connect_when_another_client_has_the_same_id_then_the_log_names_it(mosquitto):
    running = mosquitto()
    with capture_logs() as logs, make_sink(running.port) as first:
        first.deliver(batch(make_row(1)))
        with make_sink(running.port) as second:
            second.deliver(batch(make_row(2)))
            deliver_until_taken(first, make_row(3))
    lost = [entry["error"] for entry in logs if entry["event"] == "connection lost"]
    assert lost and all("another client called markwatch-plant-1-mqtt" in words for words in lost)
    # Each time around the pause is longer.
    assert running.connections("markwatch-plant-1-mqtt") <= 6


def test_connect_when_the_broker_says_why_it_hangs_up_then_the_error_says_it_too():
    taken_over = b"\xe0\x02\x8e\x00"
    with (
        Mute(b"\x20\x03\x00\x00\x00" + taken_over) as broker,
        make_sink(broker.port) as sink,
        pytest.raises(DeliveryError, match="connected with the same client id"),
    ):
        for seq in range(1, 10):
            sink.deliver(batch(make_row(seq)))


def test_connect_when_the_password_is_wrong_then_the_error_names_the_options(mosquitto, tmp_path):
    find_mosquitto()
    (tmp_path / "users").write_text("")
    subprocess.run(["mosquitto_passwd", "-b", tmp_path / "users", "line-1", "secret"], check=True)
    (tmp_path / "password").write_text("secret\n")
    running = mosquitto("allow_anonymous false", f"password_file {tmp_path}/users")
    wrong = make_sink(running.port, tmp_path, username="line-1", password="wrong")
    with pytest.raises(DeliveryError, match="set username, and password or password_file"):
        wrong.probe()
    right = make_sink(running.port, tmp_path, username="line-1", password_file="password")
    assert right.probe() == f"mqtt://127.0.0.1:{running.port}, MQTT 5, topics markwatch/#"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    """A folder with a certificate for 127.0.0.1, its key, and a stranger's certificate."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("server", "stranger"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key",
             "-out", folder / f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_connect_when_tls_is_set_then_only_the_right_broker_is_trusted(mosquitto, authority):
    running = mosquitto(
        "allow_anonymous true",
        f"certfile {authority}/server.pem",
        f"keyfile {authority}/server.key",
    )
    with make_sink(running.port, authority, tls={"ca_file": "server.pem"}) as sink:
        assert sink.deliver(batch(make_row(1))).delivered == {1}
        assert sink.probe().startswith(f"mqtts://127.0.0.1:{running.port}, MQTT 5")
    with pytest.raises(DeliveryError, match=r"certificate is not trusted.*tls\.ca_file"):
        make_sink(running.port, authority, tls={"ca_file": "stranger.pem"}).probe()
    with pytest.raises(DeliveryError, match="hangs up before it answers"):
        make_sink(running.port, connect_timeout_seconds=2).probe()
    with pytest.raises(ConfigError, match=r"missing\.pem"):
        make_sink(running.port, authority, tls={"ca_file": "missing.pem"}).probe()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_connect_when_tls_meets_a_plain_port_then_the_error_says_so(broker):
    with pytest.raises(DeliveryError, match="TLS"):
        make_sink(broker.port, tls={}, connect_timeout_seconds=2).probe()


def test_probe_when_there_is_no_broker_then_the_error_says_what_is_missing():
    port = free_port()
    with pytest.raises(DeliveryError, match=rf"127.0.0.1:{port}: nothing listens there"):
        make_sink(port).probe()
    with pytest.raises(DeliveryError, match="the name cannot be resolved"):
        make_sink(None, host="no-such-host.invalid").probe()


def test_probe_when_the_embedded_broker_runs_already_then_it_is_asked():
    with EmbeddedBroker() as running:
        said = make_sink(None, embedded_port=running.port).probe()
    assert f"127.0.0.1:{running.port}" in said
    assert "embedded broker" in said


def test_probe_when_something_else_answers_then_the_error_says_so():
    with (
        Mute(b"HTTP/1.1 400 Bad Request\r\n\r\n") as web,
        pytest.raises(DeliveryError, match=str(web.port)),
    ):
        make_sink(web.port, connect_timeout_seconds=1).probe()


def test_probe_when_no_broker_is_configured_then_the_embedded_one_is_tried_and_ended():
    before = set(threading.enumerate())
    port = free_port()
    assert make_sink(None, embedded_port=port).probe() == (
        f"mqtt://127.0.0.1:{port}, MQTT 3.1.1, embedded broker for this machine only,"
        " topics markwatch/#"
    )
    assert set(threading.enumerate()) == before


def test_sink_when_no_broker_is_configured_then_it_starts_one_and_says_so():
    port = free_port()
    with (
        capture_logs() as logs,
        make_sink(None, embedded_port=port) as sink,
        Subscriber(port, "markwatch/#", protocol=4) as scada,
    ):
        sink.deliver(batch(make_row(1)))
        scada.wait_for("markwatch/press-3/reading")
    assert logs[0]["address"] == f"mqtt://127.0.0.1:{port}"
    assert "no broker is configured" in logs[0]["event"]


def test_exit_when_no_broker_was_ever_there_then_it_is_quick_and_leaves_no_thread():
    before = set(threading.enumerate())
    with capture_logs() as logs:
        sink = make_sink(free_port())
        with sink:
            with pytest.raises(DeliveryError):
                sink.deliver(batch(make_row(1)))
            sink.announce("draining")
            start = time.monotonic()
        assert time.monotonic() - start < 2.5
    assert set(threading.enumerate()) == before
    assert [entry["event"] for entry in logs] == ["not connected"]


def test_options_when_they_hold_a_password_then_it_is_never_shown():
    options = MqttOptions(host="broker", password="s3cret-word")
    assert "s3cret-word" not in repr(options) + str(options) + options.model_dump_json()
    assert MqttOptions.model_json_schema()["properties"]["password"]["secret"] is True


@pytest.mark.parametrize(
    "options", [{"root": "a/+/b"}, {"root": "$SYS"}, {"root": ""}, {"host": ""}, {"host": "a" * 70}]
)
def test_options_when_no_broker_could_take_them_then_they_are_refused(options):
    with pytest.raises(ValidationError):
        MqttOptions(**options)


def test_module_when_imported_then_paho_and_amqtt_are_not():
    program = "import sys, flows.sinks.mqtt; print({'paho', 'amqtt', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "set()"
