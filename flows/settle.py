"""When a file in an inbox may be whole: a pure settler, with its clock handed in.

It is told what sources see (`observe`) and says which files to try (`due`). A file renamed into the
folder is whole at once. One whose writer closed it, or that two scans saw unchanged, is tried after
a short quiet, its last bytes looked at first; an empty one, or one of which less is known, only
after a long quiet. Any change of size or time begins the wait anew, and so does a write.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import Field

from stages.options import Options
from stages.records import Arrival


class SettleOptions(Options):
    """How long a file must be quiet before it is tried."""

    quiet_seconds: float = Field(
        default=0.3,
        ge=0,
        description="quiet after the last change of a file that was closed or that two scans saw "
        "unchanged, before its end is looked at",
    )
    settle_seconds: float = Field(
        default=10.0,
        ge=0,
        description="quiet after the last change of any other file, or when its end is not right",
    )


class Due(NamedTuple):
    """A file to try now; with `check_ending`, only if `endings.looks_complete` does not deny it.

    `closed` says that its writer was seen to close it.
    """

    arrival: Arrival
    check_ending: bool
    closed: bool = False


@dataclass(slots=True)
class _File:
    arrival: Arrival
    changed_at: float
    number: int
    scans: int = 0
    closed: bool = False
    renamed: bool = False
    denied: bool = False
    held_until: float = -math.inf
    handed_out: bool = False
    queued_for: float = field(default=math.inf)
    """The time of this file's live entry in the queue; entries with another time are dead."""


class Settler:
    """Decides when files are tried. No I/O and no clock: `now` is monotonic seconds.

    `due` hands a file out once. It comes again only when its caller says `postpone` or `retry`, or
    when something new about it was observed; `forget` ends it. Observing what is known already
    changes nothing, so a source may repeat itself. Each call costs O(log n) of the n files known.
    """

    def __init__(self, options: SettleOptions) -> None:
        self._options = options
        self._files: dict[str, _File] = {}
        self._queue: list[tuple[float, int, str]] = []
        self._count = 0

    @property
    def pending(self) -> int:
        """How many files are known: waiting, or handed out and not yet forgotten."""
        return len(self._files)

    def observe(self, arrival: Arrival, now: float) -> None:
        """Take in what a source saw of one file; each `seen` counts as one scan.

        A `changed` begins the wait anew even when size and time are the same, because a file laid
        out in advance is filled without growing.
        """
        hint = arrival.hint
        if hint == "gone":
            self.forget(arrival.path)
            return
        file = self._files.get(arrival.path)
        if file is None:
            self._count += 1
            file = self._files[arrival.path] = _File(arrival, now, self._count)
        elif hint == "changed" or _differs(file.arrival, arrival):
            file.changed_at = now
            file.scans = 0
            file.closed = file.renamed = file.denied = file.handed_out = False
            file.held_until = -math.inf
        elif hint in ("closed", "renamed"):
            file.denied = file.handed_out = False
            file.held_until = -math.inf
        file.arrival = arrival
        file.scans += hint == "seen"
        file.closed |= hint == "closed"
        file.renamed |= hint == "renamed"
        self._enqueue(file)

    def due(self, now: float) -> list[Due]:
        """Hand out the files to try now, the oldest picture first (by file time, then path)."""
        found: list[Due] = []
        while self._next_at() <= now:
            file = self._files[heapq.heappop(self._queue)[2]]
            file.queued_for = math.inf
            file.handed_out = True
            found.append(Due(file.arrival, self._when(file)[1], file.closed))
        return sorted(found, key=lambda due: (due.arrival.mtime_ns, due.arrival.path))

    def postpone(self, path: str, now: float) -> None:
        """The file's end was not right: wait for the long quiet, or until something new is seen."""
        file = self._files.get(path)
        if file is None:
            return
        file.denied = True
        if file.changed_at + self._options.settle_seconds <= now:
            file.held_until = now + self._options.settle_seconds
        file.handed_out = False
        self._enqueue(file)

    def retry(self, path: str, now: float, after_seconds: float) -> None:
        """The file could not be tried (it is locked, say): offer it again after `after_seconds`."""
        file = self._files.get(path)
        if file is None:
            return
        file.held_until = now + after_seconds
        file.handed_out = False
        self._enqueue(file)

    def forget(self, path: str) -> None:
        """The file was claimed, or is gone."""
        self._files.pop(path, None)

    def next_due(self, now: float) -> float | None:
        """Seconds until `due` has something to hand out: 0 if it has now, None if nothing waits."""
        at = self._next_at()
        if at == math.inf:
            return None
        wait = max(0.0, at - now)
        # The caller sleeps this long and asks again, so rounding must not make it wake too early.
        return wait if now + wait >= at else wait + math.ulp(at)

    def _when(self, file: _File) -> tuple[float, bool]:
        """When the file is due, and whether its end is then to be looked at."""
        options = self._options
        known = file.closed or file.scans >= 2
        if file.denied or not file.arrival.size or not (file.renamed or known):
            at, check_ending = file.changed_at + options.settle_seconds, False
        elif file.renamed:
            at, check_ending = file.changed_at, False
        else:
            at, check_ending = file.changed_at + options.quiet_seconds, True
        return max(at, file.held_until), check_ending

    def _enqueue(self, file: _File) -> None:
        # A wait that only grew longer keeps its old entry, which `_next_at` moves when it comes up:
        # a file written in ten thousand pieces must not leave ten thousand entries behind.
        if file.handed_out:
            return
        at = self._when(file)[0]
        if at < file.queued_for:
            file.queued_for = at
            heapq.heappush(self._queue, (at, file.number, file.arrival.path))

    def _next_at(self) -> float:
        """When the first live entry is due, after clearing away what is dead before it."""
        while self._queue:
            at, number, path = self._queue[0]
            file = self._files.get(path)
            if file is None or file.number != number or file.queued_for != at:
                heapq.heappop(self._queue)
                continue
            actual = self._when(file)[0]
            if actual <= at:
                return at
            file.queued_for = actual
            heapq.heapreplace(self._queue, (actual, number, path))
        return math.inf


def _differs(one: Arrival, other: Arrival) -> bool:
    return (one.size, one.mtime_ns) != (other.size, other.mtime_ns)
