"""Duplicates: a code that another picture of the camera had within the recipe's window.

They are marked in the transaction that commits a report, so two pictures of one batch find each
other. The window is between the times at which the pictures were taken: those that waited out an
outage are judged as they would have been.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flows import vocabulary
from stages.records import Report


def mark_duplicates(db: sqlite3.Connection, rows: Sequence[dict[str, Any]], report: Report) -> None:
    """Name the first row of another picture that has a row's code, within its field's window."""
    for row in rows:
        hours = report.duplicate_hours.get(row["field"])
        if hours is None or row["code"] is None:
            continue
        taken, window = taken_at(row), timedelta(hours=hours)
        try:
            first, last = taken - window, taken + window
        except OverflowError:
            # a file time at an end of the calendar says nothing
            continue
        found = db.execute(
            "SELECT id FROM rows WHERE code=? AND camera=? AND field=? AND image!=?"
            " AND taken_at BETWEEN ? AND ? ORDER BY seq LIMIT 1",
            (
                row["code"],
                row["camera"],
                row["field"],
                report.image.id,
                vocabulary.instant(first),
                vocabulary.instant(last),
            ),
        ).fetchone()
        if found is not None:
            row["duplicate_of"] = found[0]


def taken_at(row: vocabulary.Row) -> datetime:
    """When a row's picture was taken, as far as is known."""
    return row["captured_at"] or row["arrived_at"]
