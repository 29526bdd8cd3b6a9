"""Audit and reread on a running plant: nothing differs, nothing is read twice, nothing is lost."""

from __future__ import annotations

import json
import random

from commands import invoke
from made import picture
from plants import Plant

FILES_ONLY = """
cluster: {{scheduler: threads, threads: 2}}
recogniser: {{use: scripted}}
decode: {{max_megapixels: {limit}}}
sinks:
  parquet: {{max_seconds: 0.2}}
  mqtt: null
"""
STRICT = "fields: [{detect: {use: everything}, map: {format: 'X\\d{3}'}}]\n"
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


def audit(plant: Plant) -> list[str]:
    done = invoke("audit", "--root", str(plant.root))
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("DIFFERS")]


def reread(plant: Plant, *arguments: str):
    return invoke("reread", "--root", str(plant.root), *arguments)


def past(plant: Plant, count: int = 6) -> None:
    """Read so many pictures of two cameras under a recipe that none fits; one is too large."""
    plant.configure(FILES_ONLY.format(limit=0.01), recipe=STRICT)
    for number in range(count):
        picture(plant.inbox(f"cam-{number % 2}") / f"{number}.png", 100 + number)
    picture(plant.inbox("cam-0") / "large.png", 200, size=(200, 100))
    plant.start("--once")
    assert plant.finish() == 0
    assert [path.name for path in plant.filed("failed")] == ["large.png"]
    plant.configure(FILES_ONLY.format(limit=10), recipe=EVERYTHING)


def by_image(plant: Plant) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for row in plant.parquet_rows():
        found.setdefault(row["image"], []).append(row)
    return found


def test_reread_when_no_watch_runs_then_new_revisions_supersede_and_the_failed_one_is_archived(
    plant,
):
    past(plant)
    done = reread(plant, "--camera", "cam-0")
    assert done.returncode == 0, done.stderr
    rows = by_image(plant)
    for name in ("0.png", "2.png", "4.png", "large.png"):
        old, new = rows[name]
        assert (old["revision"], new["revision"]) == (1, 2)
        assert new["supersedes"] == old["id"]
        assert new["id"] == old["id"].replace("-1-1", "-2-1")
        assert (new["status"], new["sha256"]) == ("read", old["sha256"])
        assert new["arrived_at"] == old["arrived_at"]
    assert len(rows["1.png"]) == 1
    assert plant.filed("failed") == [] and len(plant.filed("archive")) == 7
    assert list((plant.root / "data/failed").rglob("*.json")) == []
    assert [row["id"] for row in plant.csv_rows()] == plant.ledger_ids()
    assert plant.status()["images"] == {"seen": 7, "reported": 7, "failed": 0, "in_work": 0}
    assert audit(plant) == []


def test_reread_when_watch_runs_then_it_reads_them_and_goes_on(plant):
    past(plant)
    plant.start()
    plant.wait_for("watching")
    assert "the running watch reads them again" in reread(plant, "--status", "failed").stdout
    plant.wait_until(lambda: len(by_image(plant).get("large.png", ())) == 2, "the new revision")
    picture(plant.inbox("cam-0") / "new.png", 150)
    plant.wait_until(lambda: "new.png" in by_image(plant), "a new picture")
    assert plant.stop() == 0
    assert len(plant.parquet_rows()) == 9
    assert audit(plant) == []


def test_reread_when_killed_again_and_again_then_each_has_one_new_revision(plant):
    chance = random.Random(5)
    past(plant, 24)
    plant.start()
    plant.wait_for("watching")
    assert reread(plant, "--from", "1d").returncode == 0
    for _ in range(4):
        before = len(plant.ledger_ids())
        goal = before + chance.randint(1, 4)
        plant.wait_until(lambda goal=goal: len(plant.ledger_ids()) >= min(goal, 50), "some")
        plant.kill()
        plant.start()
    plant.wait_until(lambda: len(plant.ledger_ids()) == 50, "all")
    # All may have been done before this life began, and before it heeds a signal.
    plant.wait_for("watching")
    assert plant.stop() == 0
    assert {name: len(rows) for name, rows in by_image(plant).items()} == dict.fromkeys(
        [*(f"{number}.png" for number in range(24)), "large.png"], 2
    )
    assert plant.query("SELECT * FROM rereads") == []
    assert audit(plant) == []


def test_reread_when_a_good_picture_cannot_be_read_now_then_its_report_stands(plant):
    past(plant, 2)
    plant.configure(FILES_ONLY.format(limit=0.001), recipe=EVERYTHING)
    assert reread(plant, "--camera", "cam-1").returncode == 0
    assert len(plant.parquet_rows()) == 3
    assert len(plant.filed("archive")) == 2
    assert plant.query("SELECT * FROM rereads") == []
    assert audit(plant) == []


def test_reread_when_the_file_was_changed_or_is_gone_then_says_so_and_leaves_the_report(plant):
    past(plant, 2)
    changed, gone = plant.filed("archive")
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    gone.unlink()
    done = reread(plant, "--camera", "cam-0", "--status", "mismatch")
    assert "was changed since it was filed" in done.stderr
    done = reread(plant, "--camera", "cam-1")
    assert "cannot be opened" in done.stderr
    assert len(plant.parquet_rows()) == 3


def test_reread_when_an_id_is_given_then_only_that_picture(plant):
    past(plant, 4)
    key = plant.csv_rows()[1]["id"]
    assert reread(plant, key).returncode == 0
    assert [row["id"] for row in plant.parquet_rows()][5:] == [key.replace("-1-1", "-2-1")]


def test_audit_when_watch_runs_and_pictures_come_then_it_finds_no_difference(plant):
    plant.configure(FILES_ONLY.format(limit=10), recipe=EVERYTHING)
    plant.start()
    plant.wait_for("watching")
    for dropped in range(4):
        for number in range(25):
            picture(plant.inbox(f"cam-{number % 3}") / f"{dropped}-{number}.png", 100 + number)
        plant.wait_until(lambda n=dropped: plant.reported() > 25 * n, "some of them")
        done = invoke("audit", "--json", "--root", str(plant.root))
        told = json.loads(done.stdout)
        assert told["differences"] == [] and done.returncode == 0
        assert told["watched"] and told["balanced"]
    plant.wait_until(lambda: plant.reported() == 100, "all")
    assert plant.stop() == 0
    assert audit(plant) == []
    part = next((plant.root / "data/out/parquet/recent").rglob("*.parquet"))
    part.unlink()
    (line,) = audit(plant)
    assert "nowhere to be found" in line
    remedy = line.partition("`markwatch ")[2].partition("`")[0]
    assert invoke(*remedy.split(), "--root", str(plant.root)).returncode == 0
    assert part.is_file() and audit(plant) == []
