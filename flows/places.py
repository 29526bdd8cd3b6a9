"""Where each sink stands in the log, kept in the ledger: what it has, what was planned, its cursor.

`positions.py` holds the arithmetic; this is its table. A position moves only by a receipt, in one
transaction with the sink's cursor.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Literal

from flows import vocabulary
from flows.positions import Intervals, Position
from stages.ports import Receipt


class Places:
    """The sinks' places in one ledger. Safe to call from several threads."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
        clock: Callable[[], datetime],
    ) -> None:
        self._transaction = transaction
        self._reading = reading
        self._clock = clock

    def open(self, sink: str, start: Literal["first", "now"]) -> None:
        """Make a place for a sink that has none: it begins at the first row, or at the next."""
        with self._transaction() as db:
            (head,) = db.execute("SELECT head FROM log").fetchone()
            db.execute(
                "INSERT OR IGNORE INTO sinks (name, start) VALUES (?, ?)",
                (sink, head if start == "now" else 0),
            )

    def position(self, sink: str) -> Position:
        """Where a sink that was opened stands."""
        with self._reading() as db:
            record = db.execute("SELECT * FROM sinks WHERE name=?", (sink,)).fetchone()
            spans = db.execute(
                "SELECT after, upto FROM delivered WHERE sink=? ORDER BY after", (sink,)
            ).fetchall()
        planned = record["planned_after"], record["planned_to"]
        return Position(
            start=record["start"],
            done=Intervals(tuple((after, upto) for after, upto in spans)),
            planned=None if planned[0] is None else planned,
            cursor=json.loads(record["cursor"]) if record["cursor"] else None,
        )

    def plan(self, sink: str, after: int, to: int) -> None:
        """Note that the range (`after`, `to`] is about to become one unit at the sink."""
        with self._transaction() as db:
            db.execute(
                "UPDATE sinks SET planned_after=?, planned_to=? WHERE name=?", (after, to, sink)
            )

    def receive(
        self, sink: str, position: Position, covered: Intervals, receipt: Receipt
    ) -> Position:
        """Extend a sink's position by what is now durable there; returns the new position."""
        done = position.done.union(covered)
        cursor = receipt.cursor if receipt.cursor is not None else position.cursor
        now = vocabulary.instant(self._clock())
        with self._transaction() as db:
            old, new = set(position.done.spans), set(done.spans)
            db.executemany(
                "DELETE FROM delivered WHERE sink=? AND after=?",
                [(sink, after) for after, _ in old - new],
            )
            db.executemany(
                "INSERT INTO delivered (sink, after, upto) VALUES (?, ?, ?)",
                [(sink, after, upto) for after, upto in new - old],
            )
            db.executemany(
                "INSERT OR REPLACE INTO dead (sink, seq, reason, at) VALUES (?, ?, ?, ?)",
                [(sink, seq, reason, now) for seq, reason in receipt.dead.items()],
            )
            db.executemany(
                "INSERT OR REPLACE INTO replies (sink, seq, reply) VALUES (?, ?, ?)",
                [(sink, seq, reply) for seq, reply in receipt.replies.items()],
            )
            db.execute(
                "UPDATE sinks SET planned_after=NULL, planned_to=NULL, cursor=?, error=NULL,"
                " delivered_at=? WHERE name=?",
                (json.dumps(cursor) if cursor is not None else None, now, sink),
            )
        return replace(position, done=done, planned=None, cursor=cursor)

    def sink_failed(self, sink: str, error: str) -> None:
        """Note why a sink is not taking rows, for `status`."""
        with self._transaction() as db:
            db.execute(
                "UPDATE sinks SET error=?, error_at=? WHERE name=?",
                (error, vocabulary.instant(self._clock()), sink),
            )
