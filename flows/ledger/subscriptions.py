"""Which rows a sink is given, and from which `seq` on: its cameras and statuses.

Kept in the ledger, because what a sink must hold is decided by what it was told then, not by what
the settings say today.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from flows.ledger.positions import Span


@dataclass(frozen=True, slots=True)
class Subscription:
    """From `after` on, rows of these cameras and statuses; None for all."""

    after: int = 0
    cameras: tuple[str, ...] | None = None
    statuses: tuple[str, ...] | None = None

    def takes(self, camera: str, status: str) -> bool:
        """Whether a row of this camera and status is for the sink."""
        return (self.cameras is None or camera in self.cameras) and (
            self.statuses is None or status in self.statuses
        )

    def condition(self) -> tuple[str, list[str]]:
        """The same as SQL over `rows`, with its values."""
        parts, values = [], []
        for column, wanted in (("camera", self.cameras), ("status", self.statuses)):
            if wanted is not None:
                parts.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values.extend(wanted)
        return " AND ".join(parts) or "1", values


def of(db: sqlite3.Connection, sink: str) -> list[Subscription]:
    """A sink's subscriptions, the first one first; one for all rows where none was kept."""
    found = db.execute("SELECT * FROM subscriptions WHERE sink=? ORDER BY after", (sink,))
    return [
        Subscription(record["after"], _names(record["cameras"]), _names(record["statuses"]))
        for record in found
    ] or [Subscription()]


def at(subscriptions: Sequence[Subscription], seq: int) -> Subscription:
    """The one that holds for a row."""
    return [each for each in subscriptions if each.after < seq or each is subscriptions[0]][-1]


def keep(db: sqlite3.Connection, sink: str, subscription: Subscription) -> None:
    """Keep a sink's subscription from its `after` on."""
    db.execute(
        "INSERT OR REPLACE INTO subscriptions (sink, after, cameras, statuses) VALUES (?, ?, ?, ?)",
        (sink, subscription.after, _text(subscription.cameras), _text(subscription.statuses)),
    )


def settle(
    db: sqlite3.Connection,
    sink: str,
    subscription: Subscription,
    spans: Sequence[Span],
    dead: Sequence[int] = (),
) -> int:
    """Add what these ranges hold to the sink's tallies by day and camera; how many were for it."""
    condition, values = subscription.condition()
    taken = 0
    for after, to in spans:
        for day, camera, given, every in db.execute(
            f"SELECT substr(read_at, 1, 10), camera, SUM({condition}), COUNT(*) FROM rows"
            " WHERE seq > ? AND seq <= ? GROUP BY 1, 2",
            (*values, after, to),
        ).fetchall():
            _add(db, sink, day, camera, delivered=given, passed=every - given)
            taken += given
    for seq in dead:
        day, camera = db.execute(
            "SELECT substr(read_at, 1, 10), camera FROM rows WHERE seq=?", (seq,)
        ).fetchone()
        _add(db, sink, day, camera, delivered=-1, dead=1)
    return taken


def _add(
    db: sqlite3.Connection,
    sink: str,
    day: str,
    camera: str,
    *,
    delivered: int = 0,
    dead: int = 0,
    passed: int = 0,
) -> None:
    db.execute(
        "INSERT INTO tallies (sink, day, camera, delivered, dead, passed) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (sink, day, camera) DO UPDATE SET delivered=delivered+excluded.delivered,"
        " dead=dead+excluded.dead, passed=passed+excluded.passed",
        (sink, day, camera, delivered, dead, passed),
    )


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))


def _text(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else json.dumps(sorted(names), ensure_ascii=False)
