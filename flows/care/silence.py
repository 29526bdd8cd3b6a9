"""Whether a camera's silence is unusual: judged by the same span of the weeks before. Pure.

A line rests at night, at weekends and in breaks, so how long a silence may last depends on when it
falls. It is unusual when, in most of the last four weeks, the same span of the week had at least
`EXPECTED` pictures: were they to come at random at that rate, none would come by chance once in
half a thousand million spans. So a camera that sends a picture every 10 s is told of after ten
minutes (`SHORTEST`) of a shift, one that sends two an hour after ten hours, and one whose shift
does not start on Monday ten minutes or 20 pictures late. A holiday, or a shift that was moved,
looks the same as a dead camera and is told as one. The week is that of the wall clock, so summer
time changes nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

EXPECTED = 20
SHORTEST = timedelta(minutes=10)
WEEKS = 4
GONE = timedelta(weeks=WEEKS)


def is_unusual(
    last: datetime,
    watched_since: datetime,
    now: datetime,
    first: datetime,
    pictures: Callable[[datetime, datetime], int],
    zone: tzinfo | None = None,
) -> bool:
    """Whether a camera should have sent something since its `last` picture.

    `first` is its first picture that is known; `pictures(after, to)` counts those it sent in a
    span, and need not count beyond `EXPECTED`. Time before `watched_since` counts for nothing,
    because nobody was there to see a picture. `zone` is the plant's; None for this machine's. A
    camera that has been silent for `GONE` is taken for one that was taken away.
    """
    after = max(last, watched_since)
    if now - after < SHORTEST or now - last >= GONE:
        return False
    spans = [
        (_weeks_before(after, weeks, zone), _weeks_before(now, weeks, zone))
        for weeks in range(1, WEEKS + 1)
    ]
    counts = [pictures(*span) for span in spans if span[0] >= first]
    return bool(counts) and statistics.median_low(counts) >= EXPECTED


def _weeks_before(moment: datetime, weeks: int, zone: tzinfo | None) -> datetime:
    """The same time of the same weekday by the wall clock."""
    wall = moment.astimezone(zone).replace(tzinfo=None) - timedelta(weeks=weeks)
    return (wall.astimezone() if zone is None else wall.replace(tzinfo=zone)).astimezone(UTC)
