"""Starting, stopping and dying: what was acknowledged is read, what is unsafe is not served."""

from __future__ import annotations

import errno
import io
import socket
import ssl

import pytest
import urllib3
from certificates import Authority
from commands import invoke
from made import Clock, picture
from plants import Plant
from stations import RECIPE, Line, Station, b64, end, launch, png

from flows.commands import site
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.serve.desk import Desk
from flows.serve.guard import Rates
from flows.serve.health import Health
from flows.serve.problems import RefusedError

REFUSED = """
station: st
recogniser: {use: scripted}
cluster: {scheduler: threads}
sinks: {mqtt: null, parquet: null}
"""


@pytest.fixture
def started(tmp_path):
    """Start a station in this test's root; all are ended after it."""
    plants = []

    def start(serve: str = "", **environment: str) -> Plant:
        plants.append(launch(tmp_path / "plant", serve, **environment))
        return plants[-1]

    yield start
    for plant in plants:
        end(plant)


def test_post_when_acknowledged_and_the_process_is_killed_then_each_is_read_once(started):
    plant = started()
    station = Station(plant)
    accepted = []
    # The first ones take a second each, so the kill comes before the rest is read.
    for level in (55, 55, 55, 55, *range(100, 120)):
        answer = station.post(image=b64(png(level)), camera="press-3", expected=f"G{level:03d}")
        assert answer.status == 202
        accepted.append(answer.json()["image"])
    plant.kill()
    assert plant.reported() < 24
    again = started()
    again.wait_for("watching")
    again.wait_until(lambda: again.reported() == 24, "all read")
    rows = again.query(
        "SELECT json_extract(record, '$.image'), json_extract(record, '$.match') FROM rows"
    )
    assert sorted(rows) == sorted((name, 1) for name in accepted)
    assert again.filed("inbox") == []
    assert again.stop() == 0


def test_start_when_an_upload_was_cut_short_then_its_rest_is_removed_and_nothing_else(started):
    plant = started()
    plant.wait_for("serving")
    plant.kill()
    inbox = plant.inbox("press-3")
    rest = inbox / ".upload-00ff00ff-a.0123456789ab.png.part"
    rest.write_bytes(b"half")
    (inbox / "a.0123456789ab.png.expected").write_text("G1")
    kept = inbox / "b.png.expected"
    kept.write_text("G2")
    again = started()
    again.wait_until(lambda: sorted(inbox.iterdir()) == [kept], "the rest removed")
    again.wait_for("watching")
    assert again.stop() == 0


def test_wait_when_it_takes_too_long_then_202_and_the_picture_is_still_read(started):
    station = Station(started("wait_seconds: 0.05"))
    # The scripted recogniser takes a second for this one.
    answer = station.post(image=b64(png(55)), wait=True)
    assert answer.status == 202 and "not read within 0.05 s" in answer.json()["detail"]
    follow = answer.json()["follow"]
    station.plant.wait_until(lambda: station.get(follow).json()["readings"], "read after all")


def test_stop_when_somebody_waits_then_an_answer_and_the_stream_ends(started):
    plant = started()
    station = Station(plant)
    stream = station.pool.request("GET", "/v1/events", preload_content=False, retries=False)
    assert stream.read1(100).startswith(b"retry:")
    assert plant.stop() == 0
    assert b"event: reading" not in stream.read()
    with pytest.raises(OSError):
        station.raw()


def test_once_when_it_is_enabled_then_nothing_is_served(tmp_path):
    plant = Plant(tmp_path / "plant")
    plant.configure(REFUSED + "serve: {enabled: true, port: 0}\n", recipe=RECIPE)
    picture(plant.inbox("cam") / "a.png", 101)
    plant.start("--once")
    assert plant.finish() == 0
    assert not plant.logged("serving") and plant.reported() == 1


def test_trigger_when_it_alone_is_enabled_then_it_answers_and_no_http_is_served(tmp_path):
    plant = Plant(tmp_path / "plant")
    text = REFUSED + "serve: {trigger: {enabled: true, port: 0}}\n"
    plant.configure(text, recipe=RECIPE)
    picture(plant.inbox("cam") / "a.png", 101)
    plant.start()
    try:
        port = plant.wait_for("trigger listens")["port"]
        plant.wait_until(lambda: plant.reported() == 1, "read")
        with Line(socket.create_connection(("127.0.0.1", port), timeout=30)) as line:
            assert line.say("LAST cam").startswith("OK G101 ")
        assert not plant.logged("serving")
        assert plant.stop() == 0
    finally:
        end(plant)


def test_start_when_the_port_is_taken_then_one_line_with_its_remedy(tmp_path):
    plant = Plant(tmp_path / "plant")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        plant.configure(REFUSED + f"serve: {{enabled: true, port: {port}}}\n", recipe=RECIPE)
        done = invoke("watch", "--root", str(plant.root))
        assert done.returncode == 78
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr.splitlines()[-1]
        text = f"serve: {{trigger: {{enabled: true, port: {port}}}}}\n"
        plant.configure(REFUSED + text, recipe=RECIPE)
        done = invoke("watch", "--root", str(plant.root))
        assert done.returncode == 78 and "choose another port" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        ("{enabled: true, host: 0.0.0.0}", "set MARKWATCH__SERVE__TOKEN"),
        ("{enabled: true, token: a-secret-in-a-file}", "set it in the environment"),
        ("{trigger: {enabled: true, host: 0.0.0.0}}", "list who may speak in `allow`"),
        ("{trigger: {allow: [nonsense]}}", "write 192.168.0.17"),
        ("{key_file: a.pem}", "key_file needs cert_file"),
        ("{enabled: true, token_file: short}", "shorter than 16"),
        ("{enabled: true, token_file: missing}", "cannot be read"),
        ("{enabled: true, cert_file: short}", "not encrypted"),
        ("{enabled: true, shift_starts: [06:00, 14:00]}", "write the times in quotes"),
        ("{enabled: true, source: other}", "no folder source is called 'other'"),
    ],
)
def test_start_when_it_would_be_unsafe_then_refused_in_one_line(tmp_path, serve, words):
    plant = Plant(tmp_path / "plant")
    (plant.root / "short").write_text("secret")
    (plant.root / "short").chmod(0o600)
    plant.configure(REFUSED + f"serve: {serve}\n", recipe=RECIPE)
    done = invoke("watch", "--root", str(plant.root))
    assert done.returncode == 78, done.stderr
    line = done.stderr.strip().splitlines()[-1]
    checked = invoke("check", "--root", str(plant.root))
    assert checked.returncode == 1 and words in " ".join(checked.stdout.split())
    assert words in line and "Traceback" not in done.stderr
    assert "a-secret-in-a-file" not in done.stderr and "secret" not in line.split("serve")[0]


def test_https_when_a_certificate_is_named_then_verified_by_its_authority(tmp_path, started):
    authority = Authority(tmp_path)
    authority.sign("server")
    plant = started(f"cert_file: {tmp_path}/server.pem\n  key_file: {tmp_path}/server.key")
    assert plant.wait_for("serving")["url"].startswith("https://127.0.0.1:")
    port = int(plant.wait_for("serving")["url"].rsplit(":", 1)[1].strip("/"))
    context = ssl.create_default_context(cafile=authority.file)
    with urllib3.HTTPSConnectionPool("127.0.0.1", port, ssl_context=context) as pool:
        assert pool.request("GET", "/healthz", retries=False).status == 200
    stranger = ssl.create_default_context()
    with (
        urllib3.HTTPSConnectionPool("127.0.0.1", port, ssl_context=stranger) as pool,
        pytest.raises(urllib3.exceptions.SSLError),
    ):
        pool.request("GET", "/healthz", retries=False)
    assert plant.stop() == 0


def test_ready_when_models_load_then_503_says_so_and_health_is_good():
    clock = Clock()
    health = Health(clock.tick, patience_seconds=60)
    assert health.not_ready == "the models are being loaded" and health.sick is None
    health.turn({}, complete=False)
    assert "looked through" in health.not_ready
    clock.seconds = 5
    health.turn({"folder": 3.0}, complete=True)
    assert health.not_ready is None and health.scan_ages() == {"folder": 2.0}
    clock.seconds = 66
    assert health.sick == health.not_ready == "the loop has not turned for 61 s"
    health.drain()
    assert health.not_ready == "the station stops" and health.sick is None


def test_rates_when_one_address_asks_too_often_then_it_waits_and_others_do_not():
    clock = Clock()
    rates = Rates(2.0, clock.tick)
    assert [rates.wait("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rates.wait("b") == 0
    clock.seconds = 0.5
    assert (rates.wait("a"), rates.wait("a") > 0) == (0, True)
    clock.seconds = 100
    assert [rates.wait("a") > 0 for _ in range(5)] == [False] * 4 + [True]


def test_request_when_asked_too_often_then_429_with_the_time_to_wait(started):
    station = Station(started("requests_per_second: 5"))
    answers = [station.get("/v1/status") for _ in range(40)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and refused[0].json()["error"] == "too-many-requests"
    assert int(refused[0].headers["retry-after"]) >= 1


def test_disk_when_full_or_away_then_507_or_503_with_remedy_and_nothing_is_left(tmp_path):
    site.init(tmp_path / "root")
    layout = Layout(tmp_path / "root")
    desk = Desk(layout, settings.load(layout.root))
    ticket = desk.ticket("default", "a.png", png(1)[:12])

    class Full(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RefusedError) as caught:
        desk.submit(ticket, Full(), "G1")
    assert caught.value.status == 507 and "free some" in caught.value.remedy
    folder = layout.root / "data" / "inbox" / "default"
    assert list(folder.iterdir()) == []
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.rmdir()
    folder.symlink_to(outside)
    with pytest.raises(RefusedError) as caught:
        desk.submit(ticket, io.BytesIO(png(1)), "G1")
    assert caught.value.status == 503 and list(outside.iterdir()) == []
