"""A real `watch` looked at from outside: what listens, what is told, who may read its files."""

from __future__ import annotations

import ipaddress
import os
import shutil
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from brokers import Mosquitto, find_mosquitto, free_port
from made import picture
from plants import Plant, run

MARK = "x7Qm-s3cret-word-9Zt"
KEY_MARK = "k4Vn-s3aled-word-2Lp"
FILE_MARK = "f8Hd-f1led-word-6Bw"
RECIPE = "fields: [{detect: {use: everything}}]\n"
COMMANDS = (("status",), ("status", "--json"), ("check",), ("audit",))


@pytest.fixture
def plant(tmp_path):
    made = Plant(tmp_path / "plant")
    yield made
    if made.process is not None:
        made.kill()


@pytest.fixture
def guarded(tmp_path, pki):
    """A mosquitto that wants a certificate and a password."""
    find_mosquitto()
    users = tmp_path / "users"
    users.write_text("")
    for name, word in (("line-1", MARK), ("line-2", FILE_MARK)):
        subprocess.run(["mosquitto_passwd", "-b", users, name, word], check=True)
    lines = (
        "allow_anonymous false",
        f"password_file {users}",
        f"cafile {pki}/ca.pem",
        f"certfile {pki}/server.pem",
        f"keyfile {pki}/server.key",
        "require_certificate true",
    )
    broker = Mosquitto(tmp_path, lines).start()
    yield broker.port
    broker.stop()


def tree(plant: Plant) -> list[psutil.Process]:
    assert plant.process is not None
    parent = psutil.Process(plant.process.pid)
    return [parent, *parent.children(recursive=True)]


def listening(plant: Plant) -> dict[int, str]:
    """Where the processes of a watch listen, by port."""
    found = {}
    for process in tree(plant):
        for each in process.net_connections(kind="all"):
            if each.status == psutil.CONN_LISTEN or (each.laddr and each.type == 2):
                found[each.laddr.port] = each.laddr.ip
    return found


def test_watch_when_everything_listens_then_only_loopback_hears_it(plant):
    port, pages = free_port(), free_port()
    plant.configure(
        f"cluster: {{threads: 1, dashboard_port: {pages}}}\nrecogniser: {{use: scripted}}\n"
        f"sinks: {{mqtt: {{embedded_port: {port}}}}}\n",
        recipe=RECIPE,
    )
    plant.start()
    plant.wait_for("watching")
    heard = listening(plant)
    # The broker, the pages, the scheduler, the nanny and the worker.
    assert {port, pages} <= heard.keys() and len(heard) >= 5
    assert all(ipaddress.ip_address(host).is_loopback for host in heard.values()), heard
    assert plant.stop() == 0


def test_watch_when_no_dashboard_was_asked_for_then_no_page_tells_of_its_work(plant):
    plant.configure(
        "cluster: {threads: 1}\nrecogniser: {use: scripted}\nsinks: {mqtt: null}\n",
        recipe=RECIPE,
    )
    plant.start()
    plant.wait_for("watching")
    plain = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    answers = []
    for port in listening(plant):
        for page in ("/health", "/info/main/workers.html", "/status", "/metrics", "/sitemap.json"):
            try:
                with plain.open(f"http://127.0.0.1:{port}{page}", timeout=5) as answer:
                    answers.append((page, answer.status))
            except urllib.error.HTTPError as error:
                error.close()
                answers.append((page, error.code))
            except OSError:
                # Dask's own protocol, not HTTP.
                continue
    # The map names these two and nothing else.
    assert {page for page, code in answers if code != 404} == {"/health", "/sitemap.json"}
    assert plant.stop() == 0


def test_watch_when_nothing_was_asked_to_listen_then_no_pages_are_served(plant):
    plant.configure(
        "cluster: {scheduler: threads}\nrecogniser: {use: scripted}\nsinks: {mqtt: null}\n",
        recipe=RECIPE,
    )
    plant.start()
    plant.wait_for("watching")
    assert listening(plant) == {}
    assert plant.stop() == 0


def test_watch_when_it_has_secrets_then_they_are_in_nothing_that_it_says_or_writes(
    plant, guarded, pki
):
    shutil.copytree(pki, plant.root / "tls")
    word = plant.root.parent / "mqtt-word"
    word.write_text(FILE_MARK)
    word.chmod(0o644)
    tls = "{ca_file: tls/ca.pem, cert_file: tls/sealed.pem, key_file: tls/sealed.key}"
    broker = f"host: 127.0.0.1, port: {guarded}, tls: {tls}"
    plant.configure(
        "cluster: {threads: 1}\nrecogniser: {use: scripted}\nlog: {level: debug}\n"
        f"sinks:\n  mqtt: {{{broker}, username: line-1}}\n"
        f"  filed: {{use: mqtt, {broker}, username: line-2, password_file: {word}}}\n"
        f"  refused: {{use: mqtt, {broker}, username: line-1}}\n"
        "  parquet: {max_seconds: 0.2}\n",
        recipe=RECIPE,
    )
    sealed = "open sesame"
    secrets = {
        "MARKWATCH__SINKS__MQTT__PASSWORD": MARK,
        "MARKWATCH__SINKS__REFUSED__PASSWORD": f"wrong-{MARK}",
        **{
            f"MARKWATCH__SINKS__{name}__TLS__KEY_PASSWORD": sealed
            for name in ("MQTT", "FILED", "REFUSED")
        },
    }
    for number in range(4):
        picture(plant.inbox("press-3") / f"{number}.png", 99 if number else 33)
    (plant.inbox("press-3") / "text.png").write_text("no picture")
    plant.start(**secrets)
    plant.wait_until(lambda: plant.reported() == 5, "five pictures reported")
    said = [str(plant.log)]
    for process in tree(plant):
        said.append(Path(f"/proc/{process.pid}/cmdline").read_text())
    for command in COMMANDS:
        done = run(*command, "--root", str(plant.root), **secrets)
        said.append(done.stdout + done.stderr)
    assert "refuses the connection" in "".join(said), "the refused sink told why"
    assert "every account of this machine may read a secret" in "".join(said)
    plant.stop()
    said.append(str(plant.log))
    for words in (
        "MQTT__HOST=line:PASS@broker/x",
        "MQTT__PASWORD=PASS",
        "MQTT__TLS__KEY_PASS=PASS",
    ):
        name, _, value = words.partition("=")
        wrong = {f"MARKWATCH__SINKS__MQTT__{name}": value.replace("PASS", MARK)}
        done = run("status", "--root", str(plant.root), **secrets, **wrong)
        assert done.returncode != 0
        said.append(done.stdout + done.stderr)
    told = [text.encode() for text in said]
    written = [path.read_bytes() for path in plant.root.rglob("*") if path.is_file()]
    assert len(written) > 20
    for known in (b"press-3", b"password_file", b"no picture"):
        assert [text for text in (*told, *written) if known in text], "it looks where things are"
    for secret in (MARK, FILE_MARK, sealed):
        assert not [text for text in (*told, *written) if secret.encode() in text], secret


def test_settings_when_a_secret_stands_in_yaml_then_they_are_refused_without_quoting_it(plant):
    plant.configure(
        f"sinks:\n  mqtt:\n    host: broker\n    password: {MARK}\n"
        f"    tls: {{ca_file: ca.pem, key_password: {KEY_MARK}}}\n"
    )
    done = run("status", "--root", str(plant.root))
    lines = done.stderr.splitlines()
    assert done.returncode != 0 and len(lines) == 2
    assert "conf/markwatch.yaml:4 sinks.mqtt.password: is a secret" in lines[0]
    assert "conf/markwatch.yaml:5 sinks.mqtt.tls.key_password: is a secret" in lines[1]
    assert MARK not in done.stderr and KEY_MARK not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_ledger_when_it_is_made_then_nobody_else_may_read_it_or_its_log(plant):
    plant.configure(
        "cluster: {scheduler: threads}\nrecogniser: {use: scripted}\nsinks: {mqtt: null}\n",
        recipe=RECIPE,
    )
    plant.start()
    plant.wait_for("watching")
    picture(plant.inbox("press-3") / "1.png", 99)
    plant.wait_until(lambda: plant.reported() == 1, "a picture reported")
    files = [path for path in plant.layout.state.iterdir() if "sqlite" in path.name]
    assert {path.name for path in files} >= {"ledger.sqlite", "ledger.sqlite-wal"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    plant.stop()
