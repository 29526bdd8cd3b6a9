"""Whether a silence is unusual: shifts, weekends, slow cameras, summer time, our own downtime."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from flows.care.silence import is_unusual

BERLIN = ZoneInfo("Europe/Berlin")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def shifts(start: str, end: str, every: timedelta, *, days=range(5), hours=(6, 22)):
    """Pictures at this pace, in Berlin's working hours, on these weekdays, (start, end]."""
    moment = datetime.fromisoformat(start).replace(tzinfo=BERLIN).astimezone(UTC)
    last = datetime.fromisoformat(end).replace(tzinfo=BERLIN).astimezone(UTC)
    found = []
    while moment <= last:
        local = moment.astimezone(BERLIN)
        if local.weekday() in days and hours[0] <= local.hour < hours[1]:
            found.append(moment)
        moment += every
    return found


def unusual(arrivals: list[datetime], now: str, since: datetime = LONG_AGO) -> bool:
    def pictures(after: datetime, to: datetime) -> int:
        return bisect_right(arrivals, to) - bisect_right(arrivals, after)

    moment = datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    return is_unusual(arrivals[-1], since, moment, arrivals[0], pictures, BERLIN)


FAST = timedelta(seconds=10)
SLOW = timedelta(minutes=30)


# Friday 20 November 2026, 14:00, is when the camera dies, or the moment that is looked at.
@pytest.mark.parametrize(
    ("last", "now", "pace", "told"),
    [
        pytest.param("2026-11-20T14:00", "2026-11-20T14:09", FAST, False, id="a short stop"),
        pytest.param("2026-11-20T14:00", "2026-11-20T14:11", FAST, True, id="dead in a shift"),
        pytest.param("2026-11-20T21:59", "2026-11-21T05:00", FAST, False, id="night"),
        pytest.param("2026-11-20T21:59", "2026-11-22T12:00", FAST, False, id="weekend"),
        pytest.param("2026-11-20T21:59", "2026-11-23T05:59", FAST, False, id="before Monday"),
        pytest.param("2026-11-20T21:59", "2026-11-23T06:05", FAST, True, id="Monday, no start"),
        pytest.param("2026-11-20T14:00", "2026-11-22T12:00", FAST, True, id="still dead on Sunday"),
        pytest.param("2026-11-20T11:00", "2026-11-20T20:00", SLOW, False, id="slow, 18 of 20"),
        pytest.param("2026-11-20T11:00", "2026-11-20T21:31", SLOW, True, id="slow, 21 of 20"),
        pytest.param("2026-11-20T14:00", "2026-12-18T14:00", FAST, False, id="taken away"),
    ],
)
def test_unusual_when_a_line_works_in_shifts_then_only_what_the_weeks_before_had_is_missed(
    last, now, pace, told
):
    assert unusual(shifts("2026-10-20T00:00", last, pace), now) is told


@pytest.mark.parametrize(("days", "told"), [(6, False), (8, True)])
def test_unusual_when_there_is_less_than_a_week_of_history_then_nothing_is_told(days, told):
    start = (datetime(2026, 11, 20, 14) - timedelta(days=days)).isoformat()
    arrivals = shifts(start, "2026-11-20T14:00", FAST)
    assert unusual(arrivals, "2026-11-20T15:00") is told


def test_unusual_when_one_of_the_weeks_was_a_holiday_then_the_others_decide():
    arrivals = [
        each
        for each in shifts("2026-10-20T00:00", "2026-11-20T14:00", FAST)
        if each.astimezone(BERLIN).date().isoformat() != "2026-11-13"
    ]
    assert unusual(arrivals, "2026-11-20T15:00")


def test_unusual_when_markwatch_was_down_then_the_camera_has_its_time_first():
    arrivals = shifts("2026-10-20T00:00", "2026-11-20T14:00", FAST)
    began = datetime(2026, 11, 20, 17, 0, tzinfo=BERLIN)
    assert not unusual(arrivals, "2026-11-20T17:09", began)
    assert unusual(arrivals, "2026-11-20T17:11", began)


@pytest.mark.parametrize(
    ("start", "last", "now"),
    [
        # Clocks go back on 25 October and forward on 28 March; the shift begins at 6 as ever.
        ("2026-09-20T00:00", "2026-10-26T21:59", "2026-10-27T06:00"),
        ("2026-02-20T00:00", "2026-03-30T21:59", "2026-03-31T06:00"),
    ],
)
def test_unusual_when_summer_time_changes_then_the_shift_is_still_expected_at_its_hour(
    start, last, now
):
    arrivals = shifts(start, last, FAST)
    assert not unusual(arrivals, now)
    assert unusual(arrivals, now[:-2] + "05")
