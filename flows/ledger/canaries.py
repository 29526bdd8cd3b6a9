"""The canaries' notes: which file may be out in which inbox, and how long the last ones took.

They are no pictures: nothing here has a `seq`, a sink or a place in any sum.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from flows import vocabulary

_TOLD = (
    "written_at",
    "seconds",
    "typical_seconds",
    "events_seconds",
    "scan_seconds",
    "late_seconds",
)


class CanaryNotes:
    """The notes in one ledger. Safe to call from several threads."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    def left(self) -> dict[str, str]:
        """The file that may be out, by source."""
        with self._reading() as db:
            found = db.execute("SELECT source, path FROM canaries WHERE path IS NOT NULL")
            return {source: os.fsdecode(path) for source, path in found.fetchall()}

    def begin(self, source: str, path: str) -> None:
        """Note that this file is about to be made."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO canaries (source, path) VALUES (?, ?)"
                " ON CONFLICT (source) DO UPDATE SET path=excluded.path",
                (source, os.fsencode(path)),
            )

    def end(self, source: str) -> None:
        """Note that its file is gone."""
        with self._transaction() as db:
            db.execute("UPDATE canaries SET path=NULL WHERE source=?", (source,))

    def tell(
        self,
        source: str,
        written_at: datetime,
        *,
        seconds: float | None,
        typical_seconds: float | None,
        events_seconds: float | None,
        scan_seconds: float | None,
        late_seconds: float,
    ) -> None:
        """Note how long a canary took, for `status`; None for never."""
        values = (seconds, typical_seconds, events_seconds, scan_seconds, late_seconds)
        with self._transaction() as db:
            db.execute(
                f"UPDATE canaries SET {', '.join(f'{name}=?' for name in _TOLD)} WHERE source=?",
                (vocabulary.instant(written_at), *values, source),
            )

    def keep_only(self, sources: Collection[str]) -> None:
        """Forget what was told of other sources; what may be out there is not forgotten."""
        with self._transaction() as db:
            names = [name for (name,) in db.execute("SELECT source FROM canaries").fetchall()]
            for name in set(names) - set(sources):
                db.execute("DELETE FROM canaries WHERE source=? AND path IS NULL", (name,))
                db.execute("UPDATE canaries SET written_at=NULL WHERE source=?", (name,))


def told_in(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """How long each source's last canary took, as `status` shows it."""
    rows = db.execute(
        f"SELECT source, {', '.join(_TOLD)} FROM canaries WHERE written_at IS NOT NULL"
        " ORDER BY source"
    ).fetchall()
    return {
        row["source"]: {
            "written_at": vocabulary.instant(datetime.fromisoformat(row["written_at"])),
            **{name: None if row[name] is None else float(row[name]) for name in _TOLD[1:]},
        }
        for row in rows
    }
