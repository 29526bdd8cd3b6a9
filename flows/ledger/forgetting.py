"""Sinks that are configured no more, forgotten: rows no longer wait for them, and sums remain.

In one transaction a sink's place, ranges and tallies go, and what they came to is kept by camera:
committed = delivered + dead + given up. One that is configured again later is new to the ledger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from flows import vocabulary
from flows.ledger.places import sums_in

_TABLES = ("delivered", "dead", "replies", "tallies", "subscriptions", "units", "forgets")


class Forgetting:
    """Forgets sinks of one ledger. Safe to call from several threads."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
        clock: Callable[[], datetime],
    ) -> None:
        self._transaction = transaction
        self._reading = reading
        self._clock = clock

    def wanted(self) -> list[str]:
        """The sinks that somebody wishes to be forgotten."""
        with self._reading() as db:
            return [name for (name,) in db.execute("SELECT sink FROM forgets ORDER BY sink")]

    def forget(self, sink: str) -> int:
        """Forget a sink that nothing delivers to; how many rows it is given up with."""
        now = vocabulary.instant(self._clock())
        with self._transaction() as db:
            is_known = db.execute("SELECT 1 FROM sinks WHERE name=?", (sink,)).fetchone()
            sums = sums_in(db, sink) if is_known else {}
            db.executemany(
                "INSERT INTO forgotten (sink, at, camera, committed, delivered, dead, given_up)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(sink, now, camera, *values.values()) for camera, values in sums.items()],
            )
            for table in _TABLES:
                db.execute(f"DELETE FROM {table} WHERE sink=?", (sink,))
            db.execute("DELETE FROM sinks WHERE name=?", (sink,))
        return sum(values["pending"] for values in sums.values())


def forgotten_in(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """What each forgotten sink came to, the first one first."""
    found = db.execute(
        "SELECT sink, at, SUM(committed) AS committed, SUM(delivered) AS delivered,"
        " SUM(dead) AS dead, SUM(given_up) AS given_up FROM forgotten GROUP BY sink, at"
        " ORDER BY at, sink"
    )
    return [
        {**dict(record), "at": vocabulary.instant(datetime.fromisoformat(record["at"]))}
        for record in found.fetchall()
    ]
