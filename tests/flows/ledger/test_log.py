"""The ledger: gapless numbers, a picture reported once, positions that survive reopening."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest
from made import MORNING, Clock, failure, image, report

from flows import vocabulary
from flows.ledger.log import Claim, Ledger, Outcome
from flows.ledger.positions import Intervals
from flows.ledger.schema import MIGRATIONS
from stages.errors import ConfigError
from stages.ports import Receipt


def opened(root) -> Ledger:
    return Ledger(root / "state" / "ledger.sqlite", Clock(), root=root)


def claim(number: int) -> Claim:
    return Claim(
        id=image(number).id,
        source=f"/inbox/cam/part-{number}.png",
        work=f"data/work/{number}.png",
        camera="cam",
        name=f"part-{number}.png",
        size=100,
        mtime_ns=1,
    )


def claimed(ledger, *numbers):
    ledger.intend([claim(number) for number in numbers])
    ledger.claimed([image(number) for number in numbers])


def outcome(number, **changes) -> Outcome:
    return Outcome(report(number, **changes), f"data/archive/{number}.png")


def test_commit_when_pictures_have_several_marks_then_numbers_have_no_gap(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1, 2, 3)
        rows = ledger.commit([outcome(1, marks=2), outcome(2)], "st")
        rows += ledger.commit([Outcome(failure(3), "data/failed/3.png")], "st")
        assert [row["seq"] for row in rows] == [1, 2, 3, 4]
        assert ledger.head() == 4
        assert ledger.rows(0, 4) == [dict(row) for row in rows]
        assert rows[3]["status"] == "failed"
        assert rows[3]["reason"] == "the file is truncated"


def test_commit_when_a_picture_was_reported_already_then_nothing_of_the_batch_is_kept(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1, 2)
        ledger.commit([outcome(1)], "st")
        with pytest.raises(RuntimeError, match="reported twice"):
            ledger.commit([outcome(2), outcome(1)], "st")
        assert ledger.head() == 1
        assert [item.state for item in ledger.unfinished()] == ["reported", "claimed"]


HOUR = timedelta(hours=1)


def again(number, hours, **changes) -> Outcome:
    """A report of the usual code, taken so many hours after the morning."""
    made = report(number, captured_at=MORNING + hours * HOUR, **changes)
    return Outcome(replace(made, duplicate_hours={"code": 24.0}), f"data/archive/{number}.png")


def test_commit_when_a_code_comes_again_within_the_window_then_names_the_first(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, *range(1, 7))
        first, second = ledger.commit([again(1, 0), again(2, 20)], "st")
        (third,) = ledger.commit([again(3, 30)], "st")
        (late,) = ledger.commit([again(4, 80)], "st")
        (other,) = ledger.commit([again(5, 1, code="KX204818")], "st")
        (early,) = ledger.commit([again(6, -10)], "st")
        assert first["duplicate_of"] is None
        assert second["duplicate_of"] == first["id"]
        assert third["duplicate_of"] == second["id"]
        assert late["duplicate_of"] is None
        assert other["duplicate_of"] is None
        assert early["duplicate_of"] == first["id"]
        assert ledger.rows(1, 2)[0]["duplicate_of"] == first["id"]


def test_commit_when_a_picture_has_a_code_twice_or_another_camera_then_no_duplicate(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1)
        rows = ledger.commit([again(1, 0, marks=2)], "st")
        assert [row["duplicate_of"] for row in rows] == [None, None]
        ledger.intend([replace(claim(2), camera="other")])
        ledger.claimed([image(2, camera="other")])
        (row,) = ledger.commit([again(2, 1, camera="other")], "st")
        assert row["duplicate_of"] is None


def test_commit_when_the_recipe_names_no_window_then_no_duplicate(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1, 2)
        rows = ledger.commit([outcome(1), outcome(2)], "st")
        assert [row["duplicate_of"] for row in rows] == [None, None]


def test_ledger_when_an_older_one_is_opened_then_its_codes_are_known_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("flows.ledger.file.MIGRATIONS", MIGRATIONS[:1])
    with opened(tmp_path) as ledger:
        claimed(ledger, 1)
        with ledger._transaction() as db:
            (row,) = vocabulary.rows(report(1), station="st", first_seq=1, read_at=MORNING)
            db.execute(
                "INSERT INTO rows (seq, id, image, camera, status, read_at, record)"
                " VALUES (1, ?, ?, 'cam', 'read', ?, ?)",
                (row["id"], image(1).id, vocabulary.instant(MORNING), vocabulary.to_json(row)),
            )
            db.execute("UPDATE log SET head=1")
    monkeypatch.undo()
    with opened(tmp_path) as ledger:
        claimed(ledger, 2)
        (second,) = ledger.commit([again(2, 1)], "st")
        assert second["duplicate_of"] == row["id"]


def test_rows_when_a_sink_subscribes_to_some_then_gets_only_those(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1, 2, 3)
        ledger.commit([outcome(1), Outcome(failure(2), "data/failed/2"), outcome(3)], "st")
        assert [row["seq"] for row in ledger.rows(0, 3, statuses=("read",))] == [1, 3]
        assert ledger.rows(0, 3, cameras=("other",)) == []
        assert [row["seq"] for row in ledger.rows(1, 3, limit=1)] == [2]


def test_unfinished_when_reopened_then_tells_each_picture_as_it_was_left(tmp_path):
    with opened(tmp_path) as ledger:
        ledger.intend([claim(1), claim(2), claim(3), claim(4)])
        ledger.claimed([image(2), image(3), image(4)])
        ledger.attempt([image(2).id], alone=True)
        ledger.attempt([image(2).id], alone=True)
        ledger.commit([outcome(3), outcome(4)], "st")
        ledger.archived([image(4).id])
    with opened(tmp_path) as ledger:
        found = {item.claim.id[-1]: item for item in ledger.unfinished()}
        assert {key: item.state for key, item in found.items()} == {
            "1": "intended",
            "2": "claimed",
            "3": "reported",
        }
        assert found["1"].image is None
        assert found["2"].attempts == 2
        assert found["2"].image.sha256 == image(2).sha256
        assert found["2"].image.arrived_at == MORNING
        assert found["2"].image.path == str(tmp_path / "data/work/2.png")
        assert found["3"].target == "data/archive/3.png"


def test_claim_when_its_name_is_no_utf8_then_comes_back_to_the_byte(tmp_path):
    odd = b"/inbox/cam/\xff\xfe.png".decode("utf-8", "surrogateescape")
    with opened(tmp_path) as ledger:
        ledger.intend([Claim("id-1", odd, "data/work/1", "cam", "x", 1, 1)])
        assert ledger.unfinished()[0].claim.source == odd


def test_position_when_receipts_come_out_of_order_then_is_kept_as_ranges(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, *range(1, 10))
        ledger.commit([outcome(number) for number in range(1, 10)], "st")
        ledger.places.open("mqtt", "first")
        position = ledger.places.position("mqtt")
        ledger.places.plan("mqtt", 5, 7)
        assert ledger.places.position("mqtt").planned == (5, 7)
        position = ledger.places.receive(
            "mqtt", position, Intervals(((5, 7),)), Receipt(cursor={"a": 1})
        )
        position = ledger.places.receive(
            "mqtt", position, Intervals(((0, 2),)), Receipt(dead={2: "refused"})
        )
        position = ledger.places.receive("mqtt", position, Intervals(((2, 3),)), Receipt())
    with opened(tmp_path) as ledger:
        again = ledger.places.position("mqtt")
        assert again == position
        assert again.done == Intervals(((0, 3), (5, 7)))
        assert again.cursor == {"a": 1}
        assert again.planned is None
        assert again.pending(ledger.head()) == 4


def test_position_when_a_new_sink_starts_now_then_owes_nothing_of_the_past(tmp_path):
    with opened(tmp_path) as ledger:
        claimed(ledger, 1, 2)
        ledger.commit([outcome(1), outcome(2)], "st")
        ledger.places.open("late", "now")
        ledger.places.open("early", "first")
        assert ledger.places.position("late").pending(ledger.head()) == 0
        assert ledger.places.position("early").pending(ledger.head()) == 2


def test_open_when_another_process_holds_it_then_refuses(tmp_path):
    hold = (
        "import sys; sys.path[:0] = sys.argv[2:];"
        "from pathlib import Path; from made import Clock; from flows.ledger.log import Ledger;"
        "root = Path(sys.argv[1]);"
        "ledger = Ledger(root / 'state' / 'ledger.sqlite', Clock(), root=root).__enter__();"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path), *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="already watching"), opened(tmp_path):
            pass
        other.stdin.close()
        other.wait(30)
    with opened(tmp_path) as ledger:
        assert ledger.head() == 0


def test_open_when_written_by_a_later_version_then_refuses_and_keeps_it(tmp_path):
    with opened(tmp_path):
        pass
    path = tmp_path / "state" / "ledger.sqlite"
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="later markwatch"), opened(tmp_path):
        pass
    assert path.read_bytes() == before


def test_open_when_made_then_only_its_owner_may_read_it(tmp_path):
    with opened(tmp_path):
        pass
    path = tmp_path / "state" / "ledger.sqlite"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_open_when_made_then_every_commit_reaches_the_disk(tmp_path):
    with opened(tmp_path) as ledger:
        assert ledger._db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert ledger._db.execute("PRAGMA synchronous").fetchone()[0] == 2
