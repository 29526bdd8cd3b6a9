"""What source and intake see of canaries, kept apart from the pictures.

A canary goes the way of every picture as far as the settler, and no farther: whatever bears such a
name is never claimed, whoever wrote it and whenever. Its name holds 122 random bits, so no camera
makes one by accident.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from stages.records import Arrival

STEM = "markwatch-canary-"
_NAME = re.compile(rf"\.?{STEM}[0-9a-f]{{32}}\.")
_MOST_STRAYS = 1000


def new_name(suffix: str) -> str:
    """The name of a canary that never was."""
    return f"{STEM}{uuid.uuid4().hex}.{suffix}"


def is_canary(path: str) -> bool:
    """Whether a file is a canary, or was to become one, by its name alone."""
    return STEM in path and _NAME.match(os.path.basename(path)) is not None


@dataclass(frozen=True, slots=True)
class Sighting:
    """When one canary was told of by an event, found by a scan and found whole; monotonic."""

    heard: float | None = None
    scanned: float | None = None
    whole: float | None = None


class Sightings:
    """The canaries that are out. Safe to call from several threads; `tick` is monotonic seconds."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._guard = threading.Lock()
        self._out: dict[str, Sighting] = {}
        self._events: dict[str, bool] = {}
        self._strays: dict[str, int] = {}

    def expect(self, path: str) -> None:
        """A canary is about to get this name."""
        with self._guard:
            self._out[path] = Sighting()

    def of(self, path: str) -> Sighting:
        """What was seen so far of a canary."""
        with self._guard:
            return self._out.get(path, Sighting())

    def forget(self, path: str) -> None:
        """A canary is to be removed."""
        with self._guard:
            self._out.pop(path, None)

    def admits(self, arrival: Arrival) -> bool:
        """Note what a source saw; whether the settler is to hear of it, as of every picture."""
        path = arrival.path
        if not is_canary(path):
            return True
        with self._guard:
            if arrival.hint == "gone":
                self._strays.pop(path, None)
                return True
            found = self._out.get(path)
            if found is None:
                if len(self._strays) < _MOST_STRAYS:
                    self._strays[path] = arrival.mtime_ns
                return False
            way = "scanned" if arrival.hint == "seen" else "heard"
            if getattr(found, way) is None:
                self._out[path] = replace(found, **{way: self._tick()})
            return found.whole is None

    def note_whole(self, path: str) -> None:
        """The intake would have claimed it now."""
        with self._guard:
            if path in self._out:
                self._out[path] = replace(self._out[path], whole=self._tick())

    def note_scan(self, source: str, *, events: bool) -> None:
        """A source ended a scan; `events` as in `ScanEnd`."""
        with self._guard:
            self._events[source] = events

    def events(self, source: str) -> bool | None:
        """Whether events tell a source of new files; None before its first scan has ended."""
        with self._guard:
            return self._events.get(source)

    def take_strays(self, folder: str, before_ns: int) -> list[str]:
        """Canaries in a folder that nobody waits for, by their file times; a scan tells anew."""
        with self._guard:
            found = [
                path
                for path, mtime_ns in self._strays.items()
                if os.path.dirname(path) == folder and mtime_ns < before_ns
            ]
            for path in found:
                del self._strays[path]
        return found
