"""Retention: only what is old, delivered and noted goes, and the audit balances throughout."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from accounts import SINKS, Account
from commands import invoke
from made import MORNING

from flows.care.retention import Retention
from flows.clocks import Clocks


def account(folder, options: str, extra: str = "") -> Account:
    return Account(folder, SINKS + f"retention: {options}\n" + extra)


def tidy(made) -> None:
    Retention(made.layout, made.ledger, made.settings, Clocks(made.clock, lambda: 0.0)).tidy()


def kept(made, top="archive") -> list[str]:
    return sorted(path.name for path in (made.root / "data" / top).rglob("*.png"))


def test_tidy_when_nothing_is_set_then_nothing_goes(tmp_path):
    with account(tmp_path / "root", "{}") as made:
        made.past()
        made.clock.now = MORNING + timedelta(days=10_000)
        tidy(made)
        assert len(kept(made)) == 16 and len(kept(made, "failed")) == 4
        assert made.wrong() == []


def test_tidy_when_pictures_are_old_then_they_go_and_their_rows_stay(tmp_path):
    with account(tmp_path / "root", "{archive_days: 5, failed_days: 20}") as made:
        made.past()
        made.clock.now = MORNING + timedelta(days=6)
        tidy(made)
        assert kept(made) == []
        assert len(kept(made, "failed")) == 4
        assert made.wrong() == []
        made.clock.now = MORNING + timedelta(days=21)
        tidy(made)
        assert kept(made, "failed") == []
        assert list((made.root / "data/failed").rglob("*.json")) == []
        assert made.ledger.head() == len(made.ledger.rows(0, 99)) == 28
        assert made.wrong() == []


def test_tidy_when_a_sink_has_not_had_it_then_the_picture_stays_however_old(tmp_path):
    with account(tmp_path / "root", "{archive_days: 5, ledger_days: 5}") as made:
        made.past()
        made.ledger.places.open("mqtt", "first")
        made.clock.now = MORNING + timedelta(days=90)
        tidy(made)
        assert len(kept(made)) == 16
        assert len(made.ledger.rows(0, 99)) == 28
        told = invoke("status", "--root", str(made.root)).stdout
        assert "retention for sink mqtt: rows stay in the ledger for it" in " ".join(told.split())


def test_tidy_when_there_are_too_many_bytes_then_the_oldest_go(tmp_path, monkeypatch):
    monkeypatch.setattr(Account, "pixels", staticmethod(lambda n: bytes([n]) * (100 << 10)))
    with account(tmp_path / "root", "{archive_mb: 1}") as made:
        made.past()
        tidy(made)
        left = kept(made)
        # Ten pictures of 100 KiB fit into a MiB.
        assert len(left) == 10
        assert left == sorted(f"part-{n}.png" for n in range(8, 21) if n % 5)
        assert made.wrong(hashed=True) == []


def test_tidy_when_rows_are_old_and_delivered_then_they_go_and_the_sums_stay(tmp_path):
    options = "{archive_days: 1, failed_days: 1, ledger_days: 3}"
    with account(tmp_path / "root", options) as made:
        made.past()
        before = invoke("status", "--json", "--root", str(made.root)).stdout
        # The first day's 14 rows are past, the second day's are not.
        made.clock.now = MORNING + timedelta(days=3, hours=1)
        tidy(made)
        head = made.ledger.head()
        assert made.ledger.rows(0, head)[0]["seq"] == 15
        assert made.wrong() == []
        after = invoke("status", "--json", "--root", str(made.root)).stdout
        assert before.partition('"conditions"')[0] == after.partition('"conditions"')[0]
        assert len(made.ledger._db.execute("SELECT * FROM images").fetchall()) == 11
        made.ledger.places.open("late", "first")
        assert made.ledger.places.position("late").start == 14
        assert made.wrong() == []
        (made.root / "data/out/csv/readings-st-2026-11-20.csv").unlink()
        (line,) = made.wrong()
        assert "sink csv: 0 of 14 rows of 2026-11-20 that are past ledger_days are there" in line
        done = invoke("replay", "--sink", "parquet", "--seq", "3", "--root", str(made.root))
        assert "those up to seq 14 are past ledger_days" in done.stderr


class _Killed(BaseException):
    """Stands for a SIGKILL at a chosen line."""


@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("where", ["note_due", "note_done", "rows", "pictures"])
def test_tidy_when_killed_anywhere_then_the_next_pass_finishes_it(
    tmp_path, monkeypatch, where, after
):
    options = "{archive_days: 1, failed_days: 1, ledger_days: 1}"
    monkeypatch.setattr("flows.care.retention.BATCH_PICTURES", 7)
    monkeypatch.setattr("flows.care.pruning.BATCH_ROWS", 6)
    with account(tmp_path / "root", options) as made:
        made.past()
        made.clock.now = MORNING + timedelta(days=30)
        pruning = type(made.ledger.pruning)
        original = getattr(pruning, where)
        calls = iter(range(99))

        def deadly(self, *arguments):
            number = next(calls)
            if number == after // 2 and after % 2 == 0:
                raise _Killed
            result = original(self, *arguments)
            if number == after // 2:
                raise _Killed
            return result

        with monkeypatch.context() as patch:
            patch.setattr(pruning, where, deadly)
            with contextlib.suppress(_Killed):
                tidy(made)
        assert made.wrong() == []
        tidy(made)
        assert kept(made) == kept(made, "failed") == []
        assert made.ledger.rows(0, 99) == []
        assert made.wrong() == []


def test_tidy_when_the_budget_is_nearly_used_then_warns_and_deletes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(Account, "pixels", staticmethod(lambda n: bytes([n]) * (50 << 10)))
    with account(tmp_path / "root", "{disk_budget_mb: 1, warn_percent: 90}") as made:
        made.past()
        tidy(made)
        told = invoke("status", "--root", str(made.root)).stdout
        assert "attention: disk budget: " in told and " of 1 MB used (" in told
        assert len(kept(made)) == 16
        assert made.wrong() == []


def test_tidy_when_a_disk_is_nearly_full_then_status_says_so_until_it_is_not(tmp_path, monkeypatch):
    with account(tmp_path / "root", "{}") as made:
        made.past()
        usage = type("Usage", (), {"used": 96 << 30, "free": 4 << 30})
        with monkeypatch.context() as patch:
            patch.setattr("flows.care.disks.shutil.disk_usage", lambda _: usage)
            tidy(made)
        told = " ".join(invoke("status", "--root", str(made.root)).stdout.split())
        assert "96 % full, 4096 MB left: free some space" in told
        usage.used, usage.free = 1, 99
        with monkeypatch.context() as patch:
            patch.setattr("flows.care.disks.shutil.disk_usage", lambda _: usage)
            tidy(made)
        assert "full" not in invoke("status", "--root", str(made.root)).stdout
