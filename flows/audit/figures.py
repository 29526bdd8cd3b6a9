"""The conservation figures: what `status`, `audit` and the MQTT status field all say.

Images seen = reported + in work; for each sink and camera, committed = delivered + dead + pending.
Each side is kept apart: the log counts what it commits by day, the tallies count what a receipt
settled, and the positions are ranges. `balanced` says that the three come to the same.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any

from flows.ledger.places import position_in


def figures(db: sqlite3.Connection, now: datetime) -> dict[str, Any]:
    """The figures of one moment, as they go into `--json`: images, cameras, sinks, conditions."""
    conditions = dict(db.execute("SELECT name, words FROM conditions ORDER BY name").fetchall())
    counts = _images(db)
    sinks = _sinks(db, now)
    images = counts["images"]
    balanced = images["seen"] == images["reported"] + images["in_work"] and all(
        sink["balanced"] for sink in sinks.values()
    )
    return {**counts, "sinks": sinks, "balanced": balanced, "conditions": conditions}


def brief(found: dict[str, Any]) -> dict[str, Any]:
    """The part of the figures that goes into the station's status message."""
    keys = ("committed", "delivered", "dead", "pending")
    return {
        "images": found["images"],
        "sinks": {name: {key: sink[key] for key in keys} for name, sink in found["sinks"].items()},
        "balanced": found["balanced"],
        "conditions": found["conditions"],
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
    rows = dict(db.execute("SELECT camera, SUM(rows) FROM daily GROUP BY camera").fetchall())
    found = {}
    for record in db.execute("SELECT * FROM sinks ORDER BY name").fetchall():
        name = record["name"]
        position = position_in(db, name)
        owed = position.next_in_order(head)
        oldest = (
            owed and db.execute("SELECT read_at FROM rows WHERE seq=?", (owed[0] + 1,)).fetchone()
        )
        age = (now - datetime.fromisoformat(oldest[0])).total_seconds() if oldest else None
        cameras = _by_camera(db, name, rows)
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


def _by_camera(
    db: sqlite3.Connection, sink: str, rows: dict[str, int]
) -> dict[str, dict[str, int]]:
    """Committed, delivered, dead and pending of each camera by the tallies alone.

    Rows that the sink does not subscribe to count as committed until it has passed over them.
    """
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
