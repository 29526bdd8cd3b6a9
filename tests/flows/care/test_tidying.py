"""Closing days beside the ledger: what is closed, and that the audit balances throughout."""

from __future__ import annotations

import os
import threading
from datetime import date, timedelta

import pytest
from accounts import SINKS, Account
from made import MORNING

from flows.audit.figures import figures
from flows.care.retention import Retention
from flows.care.tidying import closed_before, tidy_sinks
from flows.clocks import Clocks
from flows.outputs import markwatch_rows
from stages.ports import Site

TODAY = MORNING.date()


def closed(made: Account, today: date) -> date:
    with made.ledger.snapshot() as db:
        return closed_before(db, "parquet", today)


def tidy(made: Account) -> dict[str, str]:
    Retention(made.layout, made.ledger, made.settings, Clocks(made.clock, made.clock.tick)).tidy()
    with made.ledger.snapshot() as db:
        return figures(db, made.clock.now)["conditions"]


def parts(made: Account, top: str) -> list[str]:
    return [path.name for path in (made.root / "data/out/parquet" / top).rglob("*.parquet")]


def test_closed_when_rows_are_pending_then_their_day_is_open_and_earlier_ones_are_not(tmp_path):
    with Account(tmp_path / "root") as made:
        assert closed(made, TODAY) == date.min
        made.past()
        day = timedelta(days=1)
        assert closed(made, TODAY) == TODAY
        assert closed(made, TODAY + 5 * day) == TODAY + 5 * day
        made.clock.now = MORNING + 2 * day
        made.report(99)
        # Committed, and not delivered.
        assert closed(made, TODAY + 5 * day) == TODAY + 2 * day


@pytest.mark.parametrize("options", ["{}", "{ledger_days: 1, archive_days: 1, failed_days: 1}"])
def test_tidy_when_days_are_closed_and_parts_old_then_the_audit_balances_at_each_step(
    tmp_path, options
):
    with Account(tmp_path / "root", SINKS + f"retention: {options}\n") as made:
        made.past()
        count = made.ledger.head()
        made.clock.now = MORNING + timedelta(days=1)
        assert tidy(made) == {}
        assert len(parts(made, "daily")) == 1 and made.wrong() == []
        made.clock.now = MORNING + timedelta(days=30)
        for _ in range(2):
            for path in (made.root / "data/out/parquet/daily").rglob("*.parquet"):
                os.utime(path, (0, 0))
            assert tidy(made) == {}
            assert made.wrong() == []
            assert len(markwatch_rows(made.root / "data/out/parquet")) == count
        assert len(parts(made, "daily")) == 2 and parts(made, "recent") == []


def test_tidy_when_a_part_is_damaged_then_a_condition_says_so_until_it_is_replaced(tmp_path):
    with Account(tmp_path / "root") as made:
        made.past()
        victim = min((made.root / "data/out/parquet/recent").rglob("*.parquet"))
        whole = victim.read_bytes()
        victim.write_bytes(whole[:100])
        made.clock.now = MORNING + timedelta(days=1)
        assert victim.name in tidy(made)["order of sink parquet"]
        victim.write_bytes(whole)
        assert tidy(made) == {}


def test_tidy_when_the_folder_cannot_be_written_then_it_says_why(tmp_path):
    with Account(tmp_path / "root") as made:
        made.past()
        (made.root / "data/out/parquet/daily").write_bytes(b"in the way")
        site = Site("st", str(made.root))
        now = MORNING + timedelta(days=9)
        told = tidy_sinks(made.ledger, made.settings, site, now, threading.Event())
        assert "daily" in told["order of sink parquet"]
