"""One source's canaries: written as a camera would, waited for, taken in. At most one is out.

Its name is in the ledger before the file is in the inbox, and leaves it after the file has: so
whatever a crash leaves there, the next start removes. Where the ledger was lost or another station
died, a canary is removed after a day by the share's own clock. Nothing new is written where the
last one cannot be removed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sqlite3
import statistics
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from flows.care.canary_options import CanaryOptions
from flows.care.lateness import Pauses, is_over, judge, pauses_of
from flows.care.sightings import Sightings, new_name
from flows.clocks import Clocks
from flows.files import durable
from flows.ledger.canaries import CanaryNotes
from stages.errors import ConfigError
from stages.ports import Perch

FIRST_SECONDS = 60.0
"""The first one, when a start has had time to look through what waits there."""

AGAIN_SECONDS = 60.0
"""After one that came late or not at all, so that the alarm ends soon after its cause."""

TRY_SECONDS = 10.0
STOP_SECONDS = 5.0
TYPICAL_OF = 31
STRAY_NS = 86_400 * 10**9


@dataclass(slots=True)
class _Flight:
    """A canary that is out, or that an earlier run `left`; until `done`, it is its thread's."""

    path: str
    written_at: datetime
    left: bool = False
    written: float | None = None
    ended: float | None = None
    since: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)
    error: OSError | sqlite3.Error | None = None
    vanished: bool = False
    gone: bool = False


class Sender:
    """Sends one source's canaries; `turn` is called by one thread, and never waits for an inbox."""

    def __init__(
        self,
        name: str,
        perch: Perch | ConfigError | None,
        left: str | None,
        options: CanaryOptions,
        quiet_seconds: float,
        notes: CanaryNotes,
        sightings: Sightings,
        clocks: Clocks,
        start: Callable[[Callable[[], None]], None],
    ) -> None:
        self._name = name
        self._perch = perch if isinstance(perch, Perch) else None
        self._words = str(perch) if isinstance(perch, ConfigError) else None
        self._late = options.late_seconds
        self._every = 60 * options.every_minutes
        self._quiet = quiet_seconds
        self._notes, self._sightings, self._clocks = notes, sightings, clocks
        self._start = start
        self._next_at = clocks.tick() + min(self._every, FIRST_SECONDS)
        self._lately: deque[float] = deque(maxlen=TYPICAL_OF)
        self._out: _Flight | None = None
        if left is not None:
            self._out = _Flight(left, clocks.now(), left=True)
            self._do(self._remove, self._out)

    def turn(self) -> str | None:
        """Go on as far as is due; returns what a person must know.

        Raises:
            sqlite3.Error: the ledger cannot be written; calling again goes on where this stopped.
        """
        now, out = self._clocks.tick(), self._out
        if out is None:
            if self._perch is not None and now >= self._next_at:
                # Not resolved yet: to follow the links on the way may hang as well.
                path = os.path.join(self._perch.folder, new_name(self._perch.suffix))
                self._out = _Flight(path, self._clocks.now())
                self._do(self._write, self._out)
        elif not out.done.is_set():
            if now - out.since > self._late:
                self._words = (
                    f"a small file was to be written or removed there {now - out.since:.0f} s ago, "
                    "and the inbox has not answered since: look at the share and its mount"
                )
        elif out.gone:
            self._close(out, now)
        elif out.error is not None:
            self._words = _why(out)
            if now >= out.since + TRY_SECONDS:
                self._do(self._remove, out)
        elif out.written is None or self._is_done(out, out.written, now):
            out.ended = now
            self._do(self._remove, out)
        return self._words

    def end(self) -> None:
        """Take in what is out, unless its share hangs: then the next start does."""
        out = self._out
        if out is None or out.left or not out.done.wait(STOP_SECONDS):
            return
        if not out.gone:
            self._do(self._remove, out)
            out.done.wait(STOP_SECONDS)
        with contextlib.suppress(sqlite3.Error):
            if out.gone:
                self._notes.end(self._name)

    def _is_done(self, out: _Flight, written: float, now: float) -> bool:
        pauses = self._pauses()
        overdue = now - written > pauses.longest + self._late
        return overdue or is_over(self._sightings.of(out.path), pauses)

    def _pauses(self) -> Pauses:
        assert self._perch is not None
        return pauses_of(self._perch, self._quiet, self._sightings.events(self._name))

    def _close(self, out: _Flight, now: float) -> None:
        """The file is gone: judge what was seen of it."""
        words = None if out.left else self._words
        if out.written is not None:
            words = self._judged(out, out.written)
        self._notes.end(self._name)
        self._sightings.forget(out.path)
        self._out = None
        if not out.left:
            again = TRY_SECONDS if out.written is None else AGAIN_SECONDS
            self._next_at = now + (self._every if words is None else min(self._every, again))
            self._words = words
        elif self._perch is not None:
            self._words = None

    def _judged(self, out: _Flight, written: float) -> str | None:
        found = judge(
            self._sightings.of(out.path),
            written,
            written if out.ended is None else out.ended,
            self._pauses(),
            self._late,
            vanished=out.vanished,
        )
        if found.seconds is not None:
            self._lately.append(found.seconds)
        self._notes.tell(
            self._name,
            out.written_at,
            seconds=found.seconds,
            typical_seconds=statistics.median(self._lately) if self._lately else None,
            events_seconds=found.events_seconds,
            scan_seconds=found.scan_seconds,
            late_seconds=found.late_seconds,
        )
        return found.words

    def _do(self, act: Callable[[_Flight], None], out: _Flight) -> None:
        """Let something be done to the file by a thread that may hang."""
        out.since = self._clocks.tick()
        out.done.clear()

        def acted() -> None:
            try:
                act(out)
            except (OSError, sqlite3.Error) as error:
                out.error = error
            finally:
                out.done.set()

        self._start(acted)

    def _write(self, out: _Flight) -> None:
        """Write the file as a camera would, aside and then renamed."""
        folder, name = os.path.split(out.path)
        folder = os.path.realpath(folder)
        out.path = os.path.join(folder, name)
        self._notes.begin(self._name, out.path)
        staged = _staged(out.path)
        with open(staged, "xb") as file:
            file.write(_picture())
        before_ns = os.stat(staged).st_mtime_ns - STRAY_NS
        self._sightings.expect(out.path)
        begun = self._clocks.tick()
        os.rename(staged, out.path)
        out.written = begun
        for stray in self._sightings.take_strays(folder, before_ns):
            with contextlib.suppress(OSError):
                os.unlink(stray)

    @staticmethod
    def _remove(out: _Flight) -> None:
        """Take the file away, which is what a claim needs the right to."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_staged(out.path))
        try:
            os.unlink(out.path)
        except FileNotFoundError:
            out.vanished = True
        out.gone = True


def _staged(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}{durable.PART}")


def _why(out: _Flight) -> str | None:
    """What hinders a canary, in words; None where the ledger does, of which the flow tells."""
    error, folder = out.error, os.path.dirname(out.path)
    if not isinstance(error, OSError):
        return None
    if error.errno == errno.ENAMETOOLONG:
        return f"{folder} is too long a path for a file in it: give the inbox a shorter one"
    if out.left or out.written is not None:
        return (
            f"a file that was written there cannot be removed ({error.strerror or error}), and nor "
            "can a picture: give this user the right to"
        )
    return durable.remedy(error, folder)


@cache
def _picture() -> bytes:
    """The file: a whole PNG of one pixel, which says what it is to who opens it."""
    from PIL import Image, PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "markwatch writes and removes this to prove that the inbox is watched")
    written = io.BytesIO()
    Image.new("L", (1, 1), 128).save(written, "PNG", pnginfo=said)
    return written.getvalue()
