"""The running shift: readings by camera and status, and their confidence as it went.

Counted once from the ledger when the station starts, then from the end of the log, so that a look
costs what came since the last one, however long the log is. A picture that is read again counts as
what it is now, in the shift in which it was read first.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from flows import vocabulary

BINS = 48
"""Points of the trend: ten minutes each in a shift of eight hours."""

LOW = 0.1
"""The share of readings that lie below the trend's lower line."""

PIECE = 5000
"""Rows counted in one snapshot: a longer one would keep the ledger's WAL from being emptied."""

BUDGET_SECONDS = 0.5
"""Longest that one look counts; a shift that is long already is there after a few."""

_STEPS = 1000

_ROWS = (
    "SELECT seq, id, image, camera, status, read_at,"
    " json_extract(record, '$.confidence') AS confidence FROM rows WHERE "
)


@dataclass(slots=True)
class _Bin:
    """One point of time: readings, those that want attention, confidences in steps."""

    readings: int = 0
    attention: int = 0
    steps: Counter[int] = field(default_factory=Counter)

    def add(self, status: str, confidence: float | None, sign: int) -> None:
        self.readings += sign
        self.attention += sign * (status != "read")
        if confidence is not None:
            self.steps[round(confidence * _STEPS)] += sign

    def told(self) -> list[float | None]:
        return [self.readings, self.attention, self._quantile(0.5), self._quantile(LOW)]

    def _quantile(self, share: float) -> float | None:
        wanted = share * sum(self.steps.values())
        seen = 0
        for step in sorted(self.steps):
            seen += self.steps[step]
            if self.steps[step] and seen >= wanted:
                return step / _STEPS
        return None


@dataclass(slots=True)
class _Camera:
    counts: Counter[str] = field(default_factory=Counter)
    bins: list[_Bin] = field(default_factory=lambda: [_Bin() for _ in range(BINS)])


class Shift:
    """Counts the shift that runs now. Safe to call from several threads; blocks.

    `starts` are the local times at which shifts begin, of which there is at least one.
    """

    def __init__(
        self,
        snapshot: Callable[[], AbstractContextManager[sqlite3.Connection]],
        starts: Sequence[time],
        now: Callable[[], datetime],
        tick: Callable[[], float],
    ) -> None:
        self._snapshot = snapshot
        self._starts = starts
        self._now = now
        self._tick = tick
        self._guard = threading.Lock()
        self._begin(*span(starts, now()))

    def _begin(self, start: datetime, end: datetime) -> None:
        self._start, self._end = start, end
        self._from, self._to = vocabulary.instant(start), vocabulary.instant(end)
        self._seq: int | None = None
        self._head = 0
        self._all = _Camera()
        self._cameras: dict[str, _Camera] = {}

    def figures(self, camera: str | None = None) -> dict[str, Any]:
        """The counts of every camera, and the trend of one or of all.

        A point of `trend` is null or [readings, those of them that are not `read`, the median of
        their confidence, the confidence that a tenth of them lies below].
        """
        with self._guard:
            self._catch_up()
            shown = self._all if camera is None else self._cameras.get(camera, _Camera())
            return {
                "start": self._from,
                "end": self._to,
                "complete": self._seq == self._head,
                "cameras": {
                    name: {status: rows for status, rows in found.counts.items() if rows}
                    for name, found in sorted(self._cameras.items())
                },
                "trend": [one.told() if one.readings else None for one in shown.bins],
            }

    def _catch_up(self) -> None:
        start, end = span(self._starts, self._now())
        if start != self._start:
            self._begin(start, end)
        until = self._tick() + BUDGET_SECONDS
        while True:
            with self._snapshot() as db:
                (self._head,) = db.execute("SELECT head FROM log").fetchone()
                if self._seq is not None and self._head < self._seq:
                    # Another ledger was put in place of the one that was counted.
                    self._begin(start, end)
                if self._seq is None:
                    self._seq = first_at(db, self._from, self._head) - 1
                rows = db.execute(
                    f"{_ROWS} seq > ? ORDER BY seq LIMIT ?", (self._seq, PIECE)
                ).fetchall()
                for row in rows:
                    self._count(db, row)
            self._seq = rows[-1]["seq"] if len(rows) == PIECE else self._head
            if self._seq == self._head or self._tick() > until:
                return

    def _count(self, db: sqlite3.Connection, row: sqlite3.Row) -> None:
        revision, mark = _revision(row)
        if revision > 1:
            key = f"{row['image']}-1-1"
            first = db.execute("SELECT read_at FROM rows WHERE id = ?", (key,)).fetchone()
            if first is None or first["read_at"] < self._from:
                return
        self._add(row, 1)
        if revision > 1 and mark == 1:
            for earlier in db.execute(f"{_ROWS} image = ?", (row["image"],)):
                if _revision(earlier)[0] == revision - 1:
                    self._add(earlier, -1)

    def _add(self, row: sqlite3.Row, sign: int) -> None:
        if not self._from <= row["read_at"] < self._to:
            return
        since = datetime.fromisoformat(row["read_at"]) - self._start
        place = int(since / (self._end - self._start) * BINS)
        found = self._cameras.setdefault(row["camera"], _Camera())
        for one in (found, self._all):
            one.counts[row["status"]] += sign
            one.bins[place].add(row["status"], row["confidence"], sign)


def span(starts: Sequence[time], now: datetime) -> tuple[datetime, datetime]:
    """When the shift that runs at `now` began, and when it ends."""
    today = now.astimezone().date()
    days = (today + timedelta(days=step) for step in (-1, 0, 1))
    # Local times, so that a shift keeps its hour when the clocks change.
    moments = sorted(datetime.combine(day, start).astimezone() for day in days for start in starts)
    following = next(number for number, moment in enumerate(moments) if moment > now)
    return moments[following - 1], moments[following]


def first_at(db: sqlite3.Connection, moment: str, head: int) -> int:
    """The first `seq` that was read at this moment or later; one more than `head` without one.

    By halving the log, which is in the order of time but for a clock that was set back.
    """
    low, high = 1, head + 1
    while low < high:
        middle = (low + high) // 2
        found = db.execute(
            "SELECT seq, read_at FROM rows WHERE seq >= ? ORDER BY seq LIMIT 1", (middle,)
        ).fetchone()
        if found is None or found["read_at"] >= moment:
            high = middle
        else:
            low = found["seq"] + 1
    return low


def _revision(row: sqlite3.Row) -> tuple[int, int]:
    """Revision and mark, which end a row's id."""
    revision, mark = row["id"].rsplit("-", 2)[1:]
    return int(revision), int(mark)
