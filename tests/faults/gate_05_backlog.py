"""A hundred thousand pictures wait at the start, and sixty thousand more come in one burst.

Nothing may be missed; the first result and a new camera's first picture must not wait for the
backlog; and memory must not grow with it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil
from faults.account import account
from faults.gate import BrokenError, Figures, Gate, Trial
from faults.pictures import RECIPE, SITE, Dropped, drop
from plants import Plant

FIRST_SECONDS = 10.0
NEW_CAMERA_SECONDS = 5.0
GROWTH_MB = 300
CAMERAS = 8
LOOK_SECONDS = 0.2
STILL_SECONDS = 120.0
"""A walk that reports nothing for so long has stopped."""

QUICK = SITE.replace("threads: 2", "threads: 2, max_chunk: 32").replace(
    "quiet_seconds: 0.05", "quiet_seconds: 0.05, max_in_flight: 128"
)


def backlog(trial: Trial) -> Figures:
    """Start in front of a backlog, add a burst and a new camera, and wait for the end."""
    waiting, burst = trial.of(100_000, 300), trial.of(60_000, 200)
    plant = trial.plant("plant", f"log: {{level: warning}}\n{QUICK}", RECIPE)
    dropped = [_drop(plant, number) for number in range(waiting)]
    began = time.monotonic()
    plant.start()
    memory = _Memory(plant)
    _wait(plant, lambda: plant.reported() > 0)
    first = time.monotonic() - began
    memory.start()
    dropped += [_drop(plant, number) for number in range(waiting, waiting + burst)]
    behind = len(dropped) - plant.reported()
    dropped.append(drop(plant.inbox("new"), len(dropped)))
    dropped_at = time.monotonic()
    _wait(plant, lambda: plant.query("SELECT 1 FROM rows WHERE camera='new'"))
    fresh = time.monotonic() - dropped_at
    _wait(plant, lambda: plant.reported() == len(dropped))
    seconds = time.monotonic() - began
    growth = memory.stop()
    trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    account(plant, dropped).done()
    trial.expect_in_time(first < FIRST_SECONDS, f"the first result came after {first:.1f} s")
    trial.expect_in_time(fresh < NEW_CAMERA_SECONDS, f"the new camera waited {fresh:.1f} s")
    trial.expect(growth < GROWTH_MB, f"memory grew by {growth:.0f} MB")
    return Figures(
        size=f"{waiting:,} waiting and {burst:,} in a burst, {CAMERAS} cameras",
        measured={
            "missed": 0,
            "first result, s": first,
            "a new camera's picture, s": fresh,
            "behind then": behind,
            "RSS growth, MB": growth,
            "pictures/s": len(dropped) / seconds,
        },
    )


GATE = Gate(5, "backlog and burst", backlog)


def _drop(plant: Plant, number: int) -> Dropped:
    return drop(plant.inbox(f"cam-{number % CAMERAS}"), number)


def _wait(plant: Plant, true: Callable[[], object]) -> None:
    """Wait as long as there is progress."""
    reported, changed_at = -1, time.monotonic()
    pause = threading.Event()
    while not true():
        now = plant.reported()
        if now != reported:
            reported, changed_at = now, time.monotonic()
        if plant.ended() or time.monotonic() - changed_at > STILL_SECONDS:
            raise BrokenError(f"nothing goes on after {reported} pictures: {plant.log[-5:]}")
        pause.wait(LOOK_SECONDS)


class _Memory:
    """How much the resident memory of a plant's process grows after its first result."""

    def __init__(self, plant: Plant) -> None:
        assert plant.process is not None
        self._process = psutil.Process(plant.process.pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self._first = self._most = self._process.memory_info().rss
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._most = max(self._most, self._process.memory_info().rss)

    def stop(self) -> float:
        """The growth in MB."""
        self._over.set()
        self._thread.join()
        return (self._most - self._first) / (1 << 20)
