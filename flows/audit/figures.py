"""The conservation figures: what `status`, `audit` and the MQTT status field all say.

Images seen = reported + in work; for each sink and camera, committed = delivered + dead + pending.
Each side is kept apart: the log counts what it commits by day, the tallies count what a receipt
settled, and the positions are ranges. `balanced` says that the three come to the same.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from flows.ledger.canaries import told_in
from flows.ledger.forgetting import forgotten_in
from flows.ledger.places import position_in, sums_in


def figures(db: sqlite3.Connection, now: datetime) -> dict[str, Any]:
    """The figures of one moment, as they go into `--json`: images, cameras, sinks, conditions.

    Beside them, and in none of their sums: the canaries, by source, how long the last one took; and
    what sinks had, and were given up with, when a person said to forget them.
    """
    conditions = dict(db.execute("SELECT name, words FROM conditions ORDER BY name").fetchall())
    counts = _images(db)
    sinks = _sinks(db, now)
    images = counts["images"]
    balanced = images["seen"] == images["reported"] + images["in_work"] and all(
        sink["balanced"] for sink in sinks.values()
    )
    told = {"conditions": conditions, "canaries": told_in(db), "forgotten": forgotten_in(db)}
    return {**counts, "sinks": sinks, "balanced": balanced, **told}


def brief(found: dict[str, Any]) -> dict[str, Any]:
    """The part of the figures that goes into the station's status message."""
    keys = ("committed", "delivered", "dead", "pending")
    return {
        "images": found["images"],
        "sinks": {name: {key: sink[key] for key in keys} for name, sink in found["sinks"].items()},
        "balanced": found["balanced"],
        "conditions": found["conditions"],
        "canaries": found["canaries"],
    }


def _images(db: sqlite3.Connection) -> dict[str, Any]:
    keys = ("seen", "reported", "failed", "last_image", "last_status", "last_at")
    cameras = {
        record["camera"]: {key: record[key] for key in keys}
        for record in db.execute("SELECT * FROM cameras ORDER BY camera")
    }
    # The first condition is that of the index.
    (in_work,) = db.execute(
        "SELECT COUNT(*) FROM images WHERE state != 'archived' AND state = 'claimed'"
    ).fetchone()
    totals = {
        key: sum(camera[key] for camera in cameras.values())
        for key in ("seen", "reported", "failed")
    }
    return {"images": {**totals, "in_work": in_work}, "cameras": cameras}


def _sinks(db: sqlite3.Connection, now: datetime) -> dict[str, Any]:
    (head,) = db.execute("SELECT head FROM log").fetchone()
    found = {}
    for record in db.execute("SELECT * FROM sinks ORDER BY name").fetchall():
        name = record["name"]
        position = position_in(db, name)
        owed = position.next_in_order(head)
        oldest = (
            owed and db.execute("SELECT read_at FROM rows WHERE seq=?", (owed[0] + 1,)).fetchone()
        )
        age = (now - datetime.fromisoformat(oldest[0])).total_seconds() if oldest else None
        cameras = sums_in(db, name)
        pending = position.pending(head)
        sums = {
            key: sum(camera[key] for camera in cameras.values())
            for key in ("committed", "delivered", "dead", "pending")
        }
        found[name] = {
            **sums,
            "pending": pending,
            "backlog_seconds": age,
            "error": record["error"],
            "error_at": record["error_at"],
            "delivered_at": record["delivered_at"],
            "cameras": cameras,
            "balanced": sums["pending"] == pending
            and all(camera["pending"] >= 0 for camera in cameras.values()),
        }
    return found
