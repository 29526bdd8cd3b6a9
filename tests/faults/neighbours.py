"""What bad pictures cost the good ones beside them: blocks with and without them, in turns.

A block is good pictures at an even pace. Whatever else the machine does falls on both kinds alike,
and what a bad picture sets off (a process that starts anew, a second and third attempt) ends before
the next block begins.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from faults.pictures import drop
from plants import Plant

PER_SECOND = 10.0
CAMERAS = 2


@dataclass(slots=True)
class Delays:
    """Seconds from a drop to its report, of good pictures alone and beside bad ones."""

    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """How many times longer the slowest twentieth waits beside bad ones."""
        return p95(self.beside) / p95(self.alone)

    def line(self) -> str:
        """The figures in one line: p50/p95 in milliseconds, and the slowest."""
        told = [
            f"{statistics.median(found) * 1000:.0f}/{p95(found) * 1000:.0f}"
            for found in (self.beside, self.alone)
        ]
        most = max(self.beside)
        return f"{self.ratio:.2f} times ({told[0]} beside, {told[1]} alone, {most:.1f} s most)"


def p95(values: Sequence[float]) -> float:
    """Below this are 95 of 100."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def in_turns(
    plant: Plant,
    numbers: range,
    blocks: int,
    bad: Callable[[], Sequence[Callable[[], object]]],
    settled: Callable[[int], None],
    instead: Callable[[], Sequence[Callable[[], object]]] = tuple,
) -> Delays:
    """Drop good pictures of these numbers in so many blocks of each kind.

    `bad` gives what is dropped among them, anew for each block, and `instead` what is dropped in
    their places where there are none; `settled` waits, after each block, for the end of what so
    many of them set off.
    """
    delays = Delays()
    size = len(numbers) // (2 * blocks)
    for block in range(2 * blocks):
        beside = bool(block % 2)
        others = bad() if beside else instead()
        start = numbers.start + block * size
        found = drop_block(plant, range(start, start + size), others)
        (delays.beside if beside else delays.alone).extend(found)
        settled(len(others))
    return delays


def drop_block(plant: Plant, numbers: range, others: Sequence[Callable[[], object]]) -> list[float]:
    """Drop these good pictures at their pace and the others among them; the good ones' delays."""
    dropped_at: dict[str, float] = {}
    pause = threading.Event()
    begin = time.monotonic()
    for place, number in enumerate(numbers):
        dropped_at[f"{number:06d}.png"] = time.time()
        drop(plant.inbox(f"cam-{number % CAMERAS}"), number)
        for other in others[_share(place, len(numbers), len(others))]:
            other()
        pause.wait(max(0.0, begin + (place + 1) / PER_SECOND - time.monotonic()))
    plant.wait_until(lambda: dropped_at.keys() <= _read_at(plant).keys(), "the good pictures")
    read_at = _read_at(plant)
    return [read_at[name] - at for name, at in dropped_at.items()]


def _share(place: int, places: int, others: int) -> slice:
    """Which of the others come at this place: evenly, and the first one at the first place."""
    first, behind = (-(-each * others // places) for each in (place, place + 1))
    return slice(first, behind)


def _read_at(plant: Plant) -> dict[str, float]:
    found = plant.query(
        "SELECT name, read_at FROM images JOIN rows ON rows.image = images.id"
        " WHERE images.camera LIKE 'cam-%'"
    )
    return {name: datetime.fromisoformat(at).timestamp() for name, at in found}
