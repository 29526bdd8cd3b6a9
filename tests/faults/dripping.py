"""Pictures that go on coming while a gate does its worst, as on a line that knows nothing of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Self

from faults.pictures import Dropped, drop
from plants import Plant


class Drip:
    """Drops pictures from number `first` on, cameras taking turns, for as long as its block.

    `levels` go round: what the scripted recogniser is to do with each.
    """

    def __init__(
        self,
        plant: Plant,
        per_second: float,
        cameras: int,
        *,
        first: int = 0,
        levels: Sequence[int | None] = (None,),
    ) -> None:
        self._plant = plant
        self._every = 1 / per_second
        self._cameras = cameras
        self._first = first
        self._levels = levels
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.dropped: list[Dropped] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> list[Dropped]:
        """Drop no more; returns what was dropped."""
        self._over.set()
        self._thread.join()
        return self.dropped

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(
            max(0.0, began + len(self.dropped) * self._every - time.monotonic())
        ):
            number = self._first + len(self.dropped)
            folder = self._plant.inbox(f"cam-{number % self._cameras}")
            level = self._levels[number % len(self._levels)]
            self.dropped.append(drop(folder, number, level=level))
