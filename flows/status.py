"""The `status` command: what the ledger knows, read beside a running flow without disturbing it."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from flows import settings
from flows.positions import Intervals, Position
from flows.settings import Layout
from stages.errors import ConfigError

PIPE_WIDTH = 200


def show(root: Path, *, as_json: bool) -> None:
    """Print the status of a root.

    Raises:
        MarkwatchError: the root has no configuration, or nothing was watched in it yet.
    """
    site = settings.load(root)
    found = status(Layout(root), datetime.now(UTC))
    for name in found["sinks"].keys() - site.sinks.keys():
        waiting = found["sinks"][name]["pending"]
        found["conditions"][f"sink {name}"] = f"is not configured any more; {waiting} rows wait"
    if as_json:
        sys.stdout.write(json.dumps({"station": site.station, **found}, ensure_ascii=False) + "\n")
        return
    # A pipe has no width of its own, and must not cut what it carries.
    console = Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)
    images = found["images"]
    balance = "=" if images["seen"] == images["reported"] + images["in_work"] else "IS NOT"
    console.print(
        f"{site.station}: {images['seen']} pictures seen {balance} {images['reported']} reported"
        f" + {images['in_work']} in work; {images['failed']} of them failed",
        highlight=False,
    )
    cameras = Table(
        "camera", "seen", "reported", "failed", "last picture", "status", "at", box=None
    )
    for name, camera in found["cameras"].items():
        counts = (str(camera[key]) for key in ("seen", "reported", "failed"))
        last = (camera["last_image"] or "", camera["last_status"] or "")
        cameras.add_row(name, *counts, *last, (camera["last_at"] or "")[:19].replace("T", " "))
    console.print(cameras, highlight=False, markup=False)
    sinks = Table(
        "sink", "committed", "delivered", "dead", "pending", "oldest", "last error", box=None
    )
    for name, sink in found["sinks"].items():
        age = sink["backlog_seconds"]
        sinks.add_row(
            name,
            *(str(sink[key]) for key in ("committed", "delivered", "dead", "pending")),
            "" if age is None else f"{age:.0f} s",
            sink["error"] or "",
        )
    console.print(sinks, highlight=False, markup=False)
    for name, words in found["conditions"].items():
        console.print(f"attention: {name}: {words}", style="yellow", highlight=False, markup=False)


def status(layout: Layout, now: datetime) -> dict[str, Any]:
    """The figures as they go into `--json`: images, cameras, and each sink's place in the log.

    Raises:
        ConfigError: there is no ledger yet.
    """
    if not layout.ledger.is_file():
        raise ConfigError(
            f"{layout.root} has no ledger yet: nothing was watched; run `markwatch watch`"
        )
    db = sqlite3.connect(f"{layout.ledger.as_uri()}?mode=ro", uri=True, timeout=30)
    db.row_factory = sqlite3.Row
    try:
        db.execute("BEGIN")
        conditions = dict(db.execute("SELECT name, words FROM conditions ORDER BY name").fetchall())
        return {**_images(db), "sinks": _sinks(db, now), "conditions": conditions}
    finally:
        db.close()


def _images(db: sqlite3.Connection) -> dict[str, Any]:
    cameras = {
        record["camera"]: {key: record[key] for key in record.keys() if key != "camera"}  # noqa: SIM118
        for record in db.execute("SELECT * FROM cameras ORDER BY camera")
    }
    (in_work,) = db.execute("SELECT COUNT(*) FROM images WHERE state='claimed'").fetchone()
    totals = {
        key: sum(camera[key] for camera in cameras.values())
        for key in ("seen", "reported", "failed")
    }
    return {"images": {**totals, "in_work": in_work}, "cameras": cameras}


def _sinks(db: sqlite3.Connection, now: datetime) -> dict[str, Any]:
    (head,) = db.execute("SELECT head FROM log").fetchone()
    found = {}
    for record in db.execute("SELECT * FROM sinks ORDER BY name"):
        name = record["name"]
        spans = db.execute("SELECT after, upto FROM delivered WHERE sink=? ORDER BY after", (name,))
        position = Position(record["start"], Intervals(tuple(tuple(span) for span in spans)))
        (dead,) = db.execute("SELECT COUNT(*) FROM dead WHERE sink=?", (name,)).fetchone()
        owed = position.next_in_order(head)
        oldest = (
            owed and db.execute("SELECT read_at FROM rows WHERE seq=?", (owed[0] + 1,)).fetchone()
        )
        age = (now - datetime.fromisoformat(oldest[0])).total_seconds() if oldest else None
        committed, pending = max(0, head - record["start"]), position.pending(head)
        found[name] = {
            "committed": committed,
            "delivered": position.done.count(position.start) - dead,
            "dead": dead,
            "pending": pending,
            "backlog_seconds": age,
            "error": record["error"],
            "error_at": record["error_at"],
            "delivered_at": record["delivered_at"],
        }
    return found
