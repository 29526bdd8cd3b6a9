"""Time, injected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, injected: `now` for people (aware, UTC), `tick` for intervals (monotonic seconds)."""

    now: Callable[[], datetime]
    tick: Callable[[], float]
