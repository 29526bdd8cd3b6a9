"""The walk as a black box: files in, the same readings out of every sink, every file filed once."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shutil
import signal
from pathlib import Path

import pytest
from brokers import Mosquitto, Subscriber
from commands import invoke
from made import picture
from plants import Plant, run

from flows import vocabulary
from stages.recognisers.checkpoint import EMBEDDED

CHECKOUT = Path(__file__).resolve().parents[2]
SAMPLES = CHECKOUT / "data" / "samples"
FILES_ONLY = """
cluster: {scheduler: threads, threads: 2}
recogniser: {use: scripted}
sinks:
  parquet: {max_seconds: 0.2}
  mqtt: null
"""
EVERYTHING = "fields: [{detect: {use: everything}}]\n"
SUPERVISED = FILES_ONLY.replace("scheduler: threads, threads: 2", "threads: 2, {extra}")


def readings(messages):
    """The rows of every message that carries a reading, repeats included."""
    words = ("reading", "late", "failed")
    return [
        vocabulary.from_json(message.payload.decode())
        for message in messages
        if message.topic.rsplit("/", 1)[1] in words
    ]


def agree(plant: Plant) -> list[str]:
    """The ledger's ids, which Parquet and CSV must hold once each and in order."""
    ids = plant.ledger_ids()
    assert [row["id"] for row in plant.csv_rows()] == ids
    assert [row["id"] for row in plant.parquet_rows()] == ids
    assert len(set(ids)) == len(ids)
    return ids


def test_walk_when_samples_are_dropped_then_every_sink_tells_the_same(plant, broker_port):
    with (SAMPLES / "expected.csv").open(newline="", encoding="utf-8") as file:
        expected = list(csv.DictReader(file))[::4]
    shutil.copytree(CHECKOUT / "conf" / "recipes", plant.layout.recipes, dirs_exist_ok=True)
    plant.configure(f"sinks: {{mqtt: {{host: 127.0.0.1, port: {broker_port}}}}}")
    with Subscriber(broker_port, protocol=4) as subscriber:
        plant.start()
        plant.wait_for("watching")
        for number, row in enumerate(expected):
            target = plant.inbox(row["camera"]) / row["file"]
            if number % 2:
                shutil.copyfile(SAMPLES / row["file"], target)
            else:
                partial = target.with_name(target.name + ".part")
                shutil.copyfile(SAMPLES / row["file"], partial)
                partial.rename(target)
        whole = (SAMPLES / expected[0]["file"]).read_bytes()
        (plant.inbox("labels") / "damaged.png").write_bytes(whole[: len(whole) // 2])
        count = len(expected) + 1
        plant.wait_until(lambda: len(readings(subscriber.messages)) >= count, "all readings")
        plant.wait_until(lambda: plant.reported() == count, "all filed")
        assert plant.stop() == 0
        heard = readings(subscriber.messages)
        last = subscriber.wait_for("markwatch/_station/station-1/status")[-1]

    ids = agree(plant)
    assert len(ids) == count
    assert sorted(row["id"] for row in heard) == sorted(ids)
    assert json.loads(last.payload)["state"] == "stopped"

    by_file = {row["image"]: row for row in heard}
    read = [by_file[row["file"]] for row in expected]
    given = [(row["code"], wanted["code"]) for row, wanted in zip(read, expected, strict=True)]
    assert all(code in (None, wanted) for code, wanted in given), read
    assert sum(code == wanted for code, wanted in given) >= 0.5 * len(expected), read
    assert {row["model"].partition("@")[0] for row in read} == {EMBEDDED}
    assert all(row["cord"] for row in heard if row["status"] == "read")
    assert by_file["damaged.png"]["status"] == "failed"
    (failed,) = plant.filed("failed")
    assert json.loads(Path(f"{failed}.reason.json").read_text())["reason"]
    assert len(plant.filed("archive")) == len(expected)
    assert plant.filed("inbox") == plant.filed("work") == []

    status = plant.status()
    assert status["images"] == {"seen": count, "reported": count, "failed": 1, "in_work": 0}
    for sink in status["sinks"].values():
        assert (sink["committed"], sink["delivered"], sink["pending"]) == (count, count, 0)


def test_watch_when_killed_again_and_again_then_every_file_and_row_is_there_once(plant, tmp_path):
    count = 60
    chance = random.Random(20261120)
    broker = Mosquitto(tmp_path).start()
    mqtt = f"mqtt: {{host: 127.0.0.1, port: {broker.port}}}"
    site = SUPERVISED.replace("{extra}", "max_chunk: 4").replace("mqtt: null", mqtt)
    plant.configure(site, recipe=EVERYTHING)
    with Subscriber(broker.port) as subscriber:
        cut_short = 0
        for dropped in range(0, count, 15):
            for number in range(dropped, dropped + 15):
                path = plant.inbox(f"cam-{number % 3}") / f"{number:03d}.png"
                path.write_bytes(b"no picture") if number % 10 == 9 else picture(path, 100 + number)
            before = plant.reported()
            plant.start()
            goal = before + chance.randint(0, 9)
            plant.wait_until(lambda goal=goal: plant.reported() >= goal or plant.ended(), "some")
            plant.kill()
            cut_short += plant.reported() < dropped + 15
        assert cut_short, "the kills came too late to prove anything"
        plant.start("--once")
        assert plant.finish() == 0
        ids = agree(plant)
        heard = readings(subscriber.messages)
    broker.stop()
    assert len(ids) == count
    assert {row["id"] for row in heard} == set(ids)
    assert {row["id"]: row["seq"] for row in heard} == {
        row["id"]: row["seq"] for row in plant.parquet_rows()
    }
    assert [row["seq"] for row in plant.parquet_rows()] == list(range(1, count + 1))
    names = {top: sorted(path.name for path in plant.filed(top)) for top in ("archive", "failed")}
    every = [f"{number:03d}.png" for number in range(count)]
    assert names == {"archive": [n for n in every if n[2] != "9"], "failed": every[9::10]}
    assert plant.filed("inbox") == plant.filed("work") == []


def test_watch_when_pictures_crash_or_hang_the_worker_then_neighbours_are_read(plant):
    extra = "deadline_seconds: 1.5, max_attempts: 2, memory_limit_mb: 2048"
    plant.configure(SUPERVISED.replace("{extra}", extra), recipe=EVERYTHING)
    levels = {"crash": 11, "hang": 22, "raise": 33, "bug": 44}
    for number in range(12):
        picture(plant.inbox("good") / f"{number:02d}.png", 100 + number)
    for name, level in levels.items():
        picture(plant.inbox("bad") / f"{name}.png", level)
    plant.start("--once")
    assert plant.finish() == 0, plant.log
    agree(plant)
    rows = {row["image"]: row for row in plant.parquet_rows()}
    assert {rows[f"{n:02d}.png"]["code"] for n in range(12)} == {f"G{100 + n}" for n in range(12)}
    assert {path.name for path in plant.filed("failed")} == {f"{name}.png" for name in levels}
    for name, words in {
        "crash": "the worker died",
        "hang": "deadline",
        "raise": "the engine says no",
        "bug": "ZeroDivisionError",
    }.items():
        assert rows[f"{name}.png"]["status"] == "failed"
        assert rows[f"{name}.png"]["reason"].startswith("gave up after 2 attempts")
        assert words in rows[f"{name}.png"]["reason"]


def test_watch_when_pictures_fail_alone_then_their_neighbours_have_a_turn_between(plant):
    plant.configure(FILES_ONLY.replace("threads: 2", "threads: 1"), recipe=EVERYTHING)
    bad = [picture(plant.inbox("cam") / f"bad-{number}.png", 33).name for number in range(3)]
    for number in range(30):
        picture(plant.inbox("cam") / f"good-{number:02d}.png", 100 + number)
    plant.start("--once")
    assert plant.finish() == 0, plant.log
    names = [row["image"] for row in plant.parquet_rows()]
    assert len(names) == 33
    assert sorted(names[-3:]) == bad


def test_watch_when_a_picture_kills_the_flow_itself_then_only_that_one_is_given_up(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    for number in range(6):
        picture(plant.inbox("good") / f"{number}.png", 100 + number)
    picture(plant.inbox("bad") / "crash.png", 11)
    for _ in range(6):
        plant.start("--once")
        if plant.finish() == 0:
            break
    agree(plant)
    assert [path.name for path in plant.filed("failed")] == ["crash.png"]
    rows = {row["image"]: row for row in plant.parquet_rows()}
    assert rows["crash.png"]["reason"] == "gave up after 3 attempts when markwatch was restarted"
    assert {rows[f"{n}.png"]["code"] for n in range(6)} == {f"G10{n}" for n in range(6)}


def test_watch_when_a_sink_is_away_then_the_others_go_on_and_nothing_is_lost(plant, tmp_path):
    closed, out = tmp_path / "closed", tmp_path / "out"
    closed.touch()
    refusing = f"  refusing: {{closed: '{closed}', out: '{out}'}}\n"
    plant.configure(FILES_ONLY + refusing, recipe=EVERYTHING)
    for number in range(5):
        picture(plant.inbox("cam") / f"{number}.png", 100 + number)
    plant.start("--once")
    assert plant.finish() == 75
    sink = plant.status()["sinks"]["refusing"]
    assert (sink["delivered"], sink["pending"]) == (0, 5)
    assert sink["error"].startswith("closed for the test; remove ")
    assert len(agree(plant)) == 5
    closed.unlink()
    plant.start("--once")
    assert plant.finish() == 0
    assert [line.split()[2] for line in out.read_text().splitlines()] == plant.ledger_ids()
    assert plant.status()["sinks"]["refusing"]["error"] is None


def test_watch_when_the_poison_corpus_is_dropped_then_each_file_is_told_and_filed(
    plant, poison_corpus
):
    plant.configure("intake: {settle_seconds: 0.5}\n" + FILES_ONLY, recipe=EVERYTHING)
    inbox = plant.inbox("poison")
    expected = {}
    for case in poison_corpus:
        if case.path.is_file():
            target = os.path.join(os.fsencode(inbox), os.path.basename(os.fsencode(case.path)))
            shutil.copyfile(os.fsencode(case.path), target)
            expected[os.path.basename(target)] = case
    (inbox / "a folder called x.png").mkdir()
    for number in range(3):
        picture(plant.inbox("good") / f"{number}.png", 100 + number)
    plant.start("--once")
    assert plant.finish() == 0, plant.log
    ids = agree(plant)
    assert len(ids) >= len(expected) + 3
    by_camera = {
        camera: plant.query(f"SELECT COUNT(*) FROM images WHERE camera='{camera}'")[0][0]
        for camera in ("poison", "good")
    }
    assert by_camera == {"poison": len(expected), "good": 3}
    failed = [row for row in plant.parquet_rows() if row["status"] == "failed"]
    assert len(failed) == len(plant.filed("failed"))
    assert all(row["reason"] and "\n" not in row["reason"] for row in failed)
    assert {row["code"] for row in plant.parquet_rows() if row["camera"] == "good"} == {
        "G100",
        "G101",
        "G102",
    }
    left = [path for path in plant.filed("inbox") if path.suffix.lower() in (".png", ".jpg")]
    assert left == []


def test_watch_when_a_picture_is_overwritten_while_it_is_read_then_the_new_bytes_are_read(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    slow = picture(plant.inbox("cam") / "part.png", 55)
    newer = picture(plant.root / "newer.png", 101).read_bytes()
    with slow.open("r+b") as held:
        plant.start()
        plant.wait_until(lambda: plant.claimed("attempts=1"), "the first attempt")
        held.write(newer)
        held.truncate()
    plant.wait_until(lambda: plant.reported() == 1, "the picture is reported")
    assert plant.stop() == 0
    assert plant.logged("picture was still being written")
    (row,) = plant.parquet_rows()
    assert row["code"] == "G101"
    assert row["sha256"] == hashlib.sha256(newer).hexdigest()
    assert plant.filed("archive")[0].read_bytes() == newer


def test_watch_when_a_claimed_picture_is_deleted_then_it_is_reported_and_its_loss_logged(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    picture(plant.inbox("cam") / "slow.png", 55)
    picture(plant.inbox("cam") / "good.png", 100)
    plant.start()
    plant.wait_until(lambda: plant.claimed("name='slow.png' AND attempts=1"), "the attempt")
    for path in plant.filed("work"):
        path.unlink()
    plant.wait_until(lambda: plant.reported() == 2, "both are reported")
    assert plant.stop() == 0
    assert len(agree(plant)) == 2
    assert plant.logged("picture is gone")
    assert plant.status()["images"]["in_work"] == 0


def test_watch_when_another_one_runs_in_this_root_then_refuses_in_one_line(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    plant.start()
    plant.wait_for("watching")
    second = run("watch", "--root", str(plant.root))
    assert second.returncode == 78
    assert "already watching" in second.stderr
    assert "Traceback" not in second.stderr
    assert plant.stop() == 0


@pytest.mark.parametrize(
    "settings",
    [
        "sinks: {csv: {path: data/inbox/out}}",
        "sinks: {parquet: {path: data/inbox}}",
        "sources: {inbox: {use: folder, inbox: data}}",
        "sinks: {more: {use: csv, cameras: [b]}}",
        "sources: {a: {use: folder, inbox: data/inbox}, b: {use: folder, inbox: data/inbox/b}}",
    ],
)
def test_watch_when_folders_lie_in_one_another_then_refuses(plant, settings):
    plant.configure(settings)
    done = run("watch", "--once", "--root", str(plant.root))
    assert done.returncode == 78
    assert "lie in one another" in done.stderr


def test_watch_when_told_to_stop_then_finishes_what_it_claimed(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    for number in range(40):
        picture(plant.inbox("cam") / f"{number}.png", 100 + number)
    plant.start()
    plant.wait_until(lambda: plant.reported() > 0, "the first")
    assert plant.stop() == 0
    agree(plant)
    assert plant.status()["images"]["in_work"] == 0
    assert plant.filed("work") == []


def test_watch_when_a_recipe_changes_then_the_next_picture_is_read_under_it(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    plant.start()
    plant.wait_for("watching")
    picture(plant.inbox("cam") / "1.png", 100)
    plant.wait_until(lambda: plant.reported() == 1, "the first")
    recipe = plant.layout.recipes / "default.yaml"
    recipe.write_text("fields: [{detect: {use: everything}, map: {format: 'X\\d+'}}]\n")
    plant.wait_for("recipe in force")
    picture(plant.inbox("cam") / "2.png", 100)
    plant.wait_until(lambda: plant.reported() == 2, "the second")
    recipe.write_text("fields: [{detect: {use: nothing}}]\n")
    line = plant.wait_for("recipe is invalid, the old one stays")
    assert "conf/recipes/default.yaml:1 fields[0].detect.use" in line["error"]
    picture(plant.inbox("cam") / "3.png", 100)
    plant.wait_until(lambda: plant.reported() == 3, "the third")
    assert plant.stop() == 0
    rows = plant.parquet_rows()
    assert [row["status"] for row in rows] == ["read", "mismatch", "mismatch"]
    assert rows[0]["recipe"] != rows[1]["recipe"] == rows[2]["recipe"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_when_the_whole_group_is_signalled_then_the_worker_finishes_what_it_reads(
    plant, number
):
    plant.configure(SUPERVISED.replace("{extra}", "memory_limit_mb: 2048"), recipe=EVERYTHING)
    for index in range(3):
        picture(plant.inbox("cam") / f"{index}.png", 55)
    plant.start()
    plant.wait_until(lambda: plant.claimed("attempts=1"), "the first attempt")
    os.killpg(plant.process.pid, number)
    assert plant.finish() == 0
    assert not plant.logged("chunk lost")
    assert [row["code"] for row in plant.parquet_rows()] == ["G055"] * 3
    assert plant.query("SELECT DISTINCT attempts FROM images") == [(1,)]
    assert "Traceback" not in str(plant.log)


def test_watch_when_a_camera_gets_a_first_recipe_that_is_invalid_then_its_pictures_wait(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    plant.start()
    plant.wait_for("watching")
    own = plant.layout.recipes / "careful.yaml"
    own.write_text("fields: [{detect: {use: everything}, map: {format: 'X{3'}}]\n")
    plant.wait_for("recipe is invalid, the old one stays")
    picture(plant.inbox("careful") / "1.png", 100)
    picture(plant.inbox("other") / "2.png", 101)
    plant.wait_until(lambda: plant.reported() == 1, "the other camera's")
    assert "careful.yaml:1 fields[0].map.format" in plant.status()["conditions"]["recipe careful"]
    own.write_text("fields: [{detect: {use: everything}, map: {format: 'X\\d{3}'}}]\n")
    plant.wait_until(lambda: plant.reported() == 2, "the picture that waited")
    assert plant.stop() == 0
    assert [row["status"] for row in plant.parquet_rows()] == ["read", "mismatch"]
    assert plant.status()["conditions"] == {}


def test_watch_when_a_share_is_not_mounted_then_waits_for_it_and_check_says_so(plant, tmp_path):
    share = tmp_path / "share"
    plant.configure(FILES_ONLY + f"sources: {{folder: {{inbox: '{share}'}}}}\n", recipe=EVERYTHING)
    said = invoke("check", "--root", str(plant.root)).stdout
    assert f"{share} is not there: mount the share" in " ".join(said.split())
    plant.start()
    plant.wait_for("inbox is away, waiting for it")
    assert not share.exists()
    picture(share / "cam" / "1.png", 100)
    plant.wait_until(lambda: plant.reported() == 1, "the picture on the share")
    assert plant.stop() == 0


def test_status_when_a_sink_is_configured_no_more_then_says_so(plant):
    plant.configure(FILES_ONLY, recipe=EVERYTHING)
    picture(plant.inbox("cam") / "1.png", 100)
    plant.start("--once")
    assert plant.finish() == 0
    plant.configure(FILES_ONLY + "  csv: null\n", recipe=EVERYTHING)
    found = plant.status()
    words = "is not configured any more; 0 rows wait: configure it again, or `markwatch forget csv`"
    assert found["conditions"] == {"sink csv": words}
