"""Waiting as long as there is progress: a big run takes its time, a stuck one is told soon."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

from faults.gate import BrokenError
from plants import Plant

LOOK_SECONDS = 0.1
STILL_SECONDS = 120.0
"""A walk that does nothing for so long has stopped."""


def wait_on(plant: Plant, true: Callable[[], object], what: str) -> None:
    """Wait for a condition for as long as pictures are filed or rows delivered.

    Raises:
        BrokenError: nothing goes on any more, or the process ended.
    """
    done, changed_at = (-1, -1), time.monotonic()
    pause = threading.Event()
    while not true():
        if (now := (plant.reported(), delivered(plant))) != done:
            done, changed_at = now, time.monotonic()
        if plant.ended() or time.monotonic() - changed_at > STILL_SECONDS:
            raise BrokenError(f"{what}: {done[0]} pictures, then nothing; {plant.log[-5:]}")
        pause.wait(LOOK_SECONDS)


def delivered(plant: Plant) -> int:
    """How many rows the sinks have, all together; 0 without a ledger."""
    try:
        return plant.query("SELECT COALESCE(SUM(upto - after), 0) FROM delivered")[0][0]
    except sqlite3.OperationalError:
        return 0


def pending(plant: Plant, sink: str) -> int:
    """How many rows a sink still owes."""
    ((owed,),) = plant.query(
        f"SELECT head - start - (SELECT COALESCE(SUM(upto - after), 0) FROM delivered"
        f" WHERE sink='{sink}') FROM log, sinks WHERE name='{sink}'"
    )
    return owed
