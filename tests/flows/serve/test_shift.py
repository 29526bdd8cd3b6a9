"""The counts of a shift: the same as the log's own, whatever is read again, pruned or restarted."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from datetime import time as hour

import pytest
from accounts import Account
from made import MORNING
from made import report as made_report

from flows import vocabulary
from flows.ledger.log import Outcome
from flows.ledger.wishes import wish
from flows.serve import shift as module
from flows.serve.shift import BINS, Shift, first_at, span

STARTS = (hour(6), hour(14), hour(22))
NOW = "2026-11-21T08:00:00.000000Z"


@pytest.fixture
def account(tmp_path):
    with Account(tmp_path / "root") as account:
        yield account


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def counting(account) -> Shift:
    return Shift(account.ledger.snapshot, STARTS, account.clock, account.clock.tick)


def at(account, hours: int, minutes: int = 0) -> None:
    account.clock.now = MORNING.replace(hour=hours, minute=minutes)


def past(account, *numbers: int, camera: str = "cam", **changes) -> None:
    for number in numbers:
        account.claim(number, camera=camera)
        account.report(number, camera=camera, **changes)


def again(account, number: int, *, camera: str = "cam", marks: int = 1) -> None:
    """Have a picture read again, and its new revision committed."""
    wish(account.layout.ledger, [account.image(number).id], NOW)
    result = made_report(number, code="AGAIN", marks=marks)
    account.ledger.commit([Outcome(result, f"data/archive/again-{number}.png")], "st")


def test_counts_when_pictures_come_then_those_of_this_shift_by_camera_and_status(account):
    at(account, 13, 59)
    past(account, 1, 2)
    at(account, 14)
    shift = counting(account)
    assert shift.figures()["cameras"] == {}
    past(account, 3, 4, marks=2)
    past(account, 5, camera="other", failed=True)
    found = shift.figures()
    assert found["cameras"] == {"cam": {"read": 4}, "other": {"failed": 1}}
    assert (found["start"][:16], found["end"][:16]) == ("2026-11-20T14:00", "2026-11-20T22:00")
    assert found["complete"]
    # One who begins now counts the same from the log.
    assert counting(account).figures() == found
    at(account, 22)
    assert shift.figures()["cameras"] == {}


def test_counts_when_a_picture_is_read_again_then_it_counts_as_what_it_is_now(account):
    at(account, 13)
    past(account, 1, failed=True)
    at(account, 15)
    past(account, 2, failed=True)
    past(account, 3, marks=3)
    shift = counting(account)
    assert shift.figures()["cameras"] == {"cam": {"failed": 1, "read": 3}}
    for number in (1, 2, 3):
        again(account, number)
    # The first belongs to the shift before; the third has one mark left of three.
    assert shift.figures()["cameras"] == {"cam": {"read": 2}}
    again_once_more = counting(account).figures()
    assert again_once_more["cameras"] == {"cam": {"read": 2}}
    assert sum(point[0] for point in again_once_more["trend"] if point) == 2


def test_trend_when_confidences_differ_then_median_and_tenth_at_their_time(account):
    at(account, 14, 25)
    past(account, *range(1, 11))
    past(account, 20, failed=True)
    shift = counting(account)
    points = shift.figures()["trend"]
    assert len(points) == BINS
    assert points[2] == [11, 1, 0.9, 0.9]
    assert [place for place, point in enumerate(points) if point] == [2]
    assert shift.figures("nobody")["trend"] == [None] * BINS
    assert shift.figures("cam")["trend"] == points


def test_counts_when_the_log_is_long_then_piece_by_piece_and_said_so(account, monkeypatch):
    monkeypatch.setattr(module, "PIECE", 4)
    monkeypatch.setattr(module, "BUDGET_SECONDS", -1)
    at(account, 14)
    past(account, *range(1, 11))
    shift = counting(account)
    told = [shift.figures() for _ in range(4)]
    assert [one["complete"] for one in told] == [False, False, True, True]
    assert [one["cameras"]["cam"]["read"] for one in told] == [4, 8, 10, 10]


def test_first_when_looked_for_then_by_halving_and_past_what_was_pruned(account):
    for number in range(1, 31):
        at(account, number // 2)
        past(account, number)
    with account.ledger.snapshot() as db:
        head = db.execute("SELECT head FROM log").fetchone()[0]
        for moment in ("2026-11-20T00", "2026-11-20T07", "2026-11-20T07:30", "2026-11-21"):
            wanted = db.execute("SELECT MIN(seq) FROM rows WHERE read_at >= ?", (moment,))
            assert first_at(db, moment, head) == (wanted.fetchone()[0] or head + 1)
        assert first_at(db, "2026-11-20T07", 0) == 1


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        ("2026-11-20T05:59:59", "2026-11-19T22:00", "2026-11-20T06:00"),
        ("2026-11-20T06:00:00", "2026-11-20T06:00", "2026-11-20T14:00"),
        ("2026-11-20T23:00:00", "2026-11-20T22:00", "2026-11-21T06:00"),
    ],
)
def test_span_when_asked_then_the_shift_that_holds_the_moment(now, start, end):
    found = span(STARTS, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [vocabulary.instant(one)[:16] for one in found] == [start, end]


def test_span_when_the_clocks_change_then_a_shift_keeps_its_hour(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    # 25 October 2026: 03:00 CEST becomes 02:00 CET, so the night has nine hours.
    found = span(STARTS, datetime(2026, 10, 25, 2, 0, tzinfo=UTC))
    assert [one.isoformat() for one in found] == [
        "2026-10-24T22:00:00+02:00",
        "2026-10-25T06:00:00+01:00",
    ]
    once = span((hour(0),), datetime(2026, 10, 25, 12, 0, tzinfo=UTC))
    assert (once[1] - once[0]).total_seconds() == 25 * 3600
