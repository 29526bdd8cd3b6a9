"""Where each sink stands in the log, kept in the ledger: what it has, what was planned, its cursor.

`positions.py` holds the arithmetic; this is its table. A position moves only by a receipt, in one
transaction with the sink's cursor and with its tallies: what it settled of each day and camera,
counted apart from the ranges, so that each can be held against the other (`figures.py`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Literal

from flows import vocabulary
from flows.ledger import subscriptions
from flows.ledger.positions import Intervals, Position, Span
from flows.ledger.subscriptions import Subscription
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

    def open(
        self,
        sink: str,
        start: Literal["first", "now"],
        cameras: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
    ) -> None:
        """Make a place for a sink that has none: it begins at the first row, or at the next.

        Keeps which rows it subscribes to; a change holds from the first row that it still owes.
        """
        wanted = Subscription(0, _ordered(cameras), _ordered(statuses))
        with self._transaction() as db:
            # It is configured again: what was wished for while it was not is withdrawn.
            db.execute("DELETE FROM forgets WHERE sink=?", (sink,))
            head, pruned = db.execute("SELECT head, pruned FROM log").fetchone()
            at = head if start == "now" else pruned
            is_new = db.execute(
                "INSERT OR IGNORE INTO sinks (name, start) VALUES (?, ?)", (sink, at)
            ).rowcount
            if is_new:
                # What was before it is none of its business, and settled as such.
                db.execute(
                    "INSERT INTO tallies (sink, day, camera, passed)"
                    f" SELECT ?, day, camera, SUM({'rows' if start == 'now' else 'pruned'})"
                    " FROM daily GROUP BY day, camera",
                    (sink,),
                )
            kept = db.execute("SELECT 1 FROM subscriptions WHERE sink=?", (sink,)).fetchone()
            if kept is None:
                subscriptions.keep(db, sink, wanted)
                if not (is_new or pruned):
                    self._tally_anew(db, sink, wanted)
                return
            position = position_in(db, sink)
            latest = subscriptions.of(db, sink)[-1]
            if (latest.cameras, latest.statuses) != (wanted.cameras, wanted.statuses):
                begin = position.planned[0] if position.planned else position.floor(head)
                subscriptions.keep(db, sink, Subscription(begin, wanted.cameras, wanted.statuses))

    @staticmethod
    def _tally_anew(db: sqlite3.Connection, sink: str, wanted: Subscription) -> None:
        """Count anew for a sink of a ledger that kept no subscriptions: today's held always."""
        position = position_in(db, sink)
        dead = [seq for (seq,) in db.execute("SELECT seq FROM dead WHERE sink=?", (sink,))]
        db.execute("UPDATE tallies SET delivered=0, dead=0 WHERE sink=?", (sink,))
        begin = ((0, position.start),) if position.start else ()
        done = position.done.minus(Intervals(begin)).spans
        subscriptions.settle(db, sink, wanted, done, dead)

    def position(self, sink: str) -> Position:
        """Where a sink that was opened stands."""
        with self._reading() as db:
            return position_in(db, sink)

    def floor(self) -> int:
        """Up to which row every sink that the ledger knows has settled everything."""
        with self._reading() as db:
            return floor_in(db)

    def plan(self, sink: str, after: int, to: int) -> None:
        """Note that the range (`after`, `to`] is about to become one unit at the sink."""
        with self._transaction() as db:
            db.execute(
                "UPDATE sinks SET planned_after=?, planned_to=? WHERE name=?", (after, to, sink)
            )

    def receive(
        self,
        sink: str,
        position: Position,
        covered: Intervals,
        receipt: Receipt,
        *,
        unit: Span | None = None,
    ) -> Position:
        """Extend a sink's position by what is now durable there; returns the new position.

        `unit` is the range that has become a thing of its own at the sink, such as a file.
        """
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
            # So that a sink that comes after this one is handed the row with its answer.
            db.executemany(
                "UPDATE rows SET record=json_set(record, '$.reply', ?) WHERE seq=?",
                [(reply, seq) for seq, reply in receipt.replies.items()],
            )
            fresh = covered.minus(position.done)
            latest = subscriptions.of(db, sink)[-1]
            dead = [seq for seq in receipt.dead if fresh.has(seq)]
            taken = subscriptions.settle(db, sink, latest, fresh.spans, dead)
            if unit is not None and taken:
                db.execute(
                    "INSERT OR REPLACE INTO units (sink, after, upto) VALUES (?, ?, ?)",
                    (sink, *unit),
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


def position_in(db: sqlite3.Connection, sink: str) -> Position:
    """Where a sink stands in this ledger."""
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


def floor_in(db: sqlite3.Connection) -> int:
    """Up to which row every sink of this ledger has settled everything."""
    (head,) = db.execute("SELECT head FROM log").fetchone()
    names = [name for (name,) in db.execute("SELECT name FROM sinks")]
    return min((position_in(db, name).floor(head) for name in names), default=head)


def sums_in(db: sqlite3.Connection, sink: str) -> dict[str, dict[str, int]]:
    """Committed, delivered, dead and pending of each camera by a sink's tallies alone.

    Rows that the sink does not subscribe to count as committed until it has passed over them.
    """
    rows = dict(db.execute("SELECT camera, SUM(rows) FROM daily GROUP BY camera").fetchall())
    tallies = {
        record["camera"]: record
        for record in db.execute(
            "SELECT camera, SUM(delivered) AS delivered, SUM(dead) AS dead, SUM(passed) AS passed"
            " FROM tallies WHERE sink=? GROUP BY camera",
            (sink,),
        )
    }
    found = {}
    for camera in sorted(rows.keys() | tallies.keys()):
        tally = tallies.get(camera)
        delivered, dead, passed = tally[1:] if tally else (0, 0, 0)
        committed = rows.get(camera, 0) - passed
        if committed or delivered or dead:
            found[camera] = {
                "committed": committed,
                "delivered": delivered,
                "dead": dead,
                "pending": committed - delivered - dead,
            }
    return found


def _ordered(names: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(sorted(names))
