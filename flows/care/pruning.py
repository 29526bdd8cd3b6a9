"""What leaves the ledger, and how it stays accounted for.

A picture that retention removes is noted as `due` before its file goes and as `done` after, so a
crash between only leaves a removal to finish. Rows leave from the front of the log, in batches of
one transaction each that adds them to `daily.pruned`; a picture's own record leaves when both its
file and its rows have, and is counted at its camera.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from flows.ledger.places import floor_in

BATCH_ROWS = 500


class Pruning:
    """Removal from one ledger. Safe to call from several threads."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    def due(self) -> list[tuple[str, str]]:
        """Pictures whose removal is noted but not done: id, and target relative to the root."""
        with self._reading() as db:
            found = db.execute(
                "SELECT id, target FROM images WHERE discard IS NOT NULL AND discard = 'due'"
            ).fetchall()
        return [(key, os.fsdecode(target)) for key, target in found]

    def note_due(self, ids: Iterable[str]) -> None:
        """Note that these filed pictures are about to be removed, unless one is wished for."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE images SET discard='due' WHERE id=? AND state='archived'"
                " AND discard IS NULL AND id NOT IN (SELECT image FROM rereads)",
                [(key,) for key in ids],
            )

    def note_done(self, ids: Iterable[str]) -> None:
        """Note that these pictures' files are gone."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE images SET discard='done' WHERE id=? AND discard='due'",
                [(key,) for key in ids],
            )

    def rows(self, before: str) -> int:
        """Remove one batch of rows older than a time that every sink has; how many there were."""
        with self._transaction() as db:
            (pruned,) = db.execute("SELECT pruned FROM log").fetchone()
            last = pruned
            for seq, read_at in db.execute(
                "SELECT seq, read_at FROM rows WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (pruned, floor_in(db), BATCH_ROWS),
            ):
                if read_at >= before:
                    break
                last = seq
            if last == pruned:
                return 0
            for day, camera, status, count in db.execute(
                "SELECT substr(read_at, 1, 10), camera, status, COUNT(*) FROM rows WHERE seq <= ?"
                " GROUP BY 1, 2, 3",
                (last,),
            ).fetchall():
                db.execute(
                    "UPDATE daily SET pruned=pruned+? WHERE day=? AND camera=? AND status=?",
                    (count, day, camera, status),
                )
            for table, column in (("rows", "seq"), ("dead", "seq"), ("replies", "seq")):
                db.execute(f"DELETE FROM {table} WHERE {column} <= ?", (last,))
            db.execute("DELETE FROM units WHERE upto <= ?", (last,))
            db.execute("UPDATE log SET pruned=?", (last,))
        return last - pruned

    def pictures(self) -> int:
        """Remove the records of pictures of which neither file nor rows are left; how many."""
        gone = (
            "discard IS NOT NULL AND discard = 'done'"
            " AND NOT EXISTS (SELECT 1 FROM rows WHERE rows.image = images.id)"
        )
        with self._transaction() as db:
            found = db.execute(
                "SELECT camera, COUNT(*), SUM(reason IS NOT NULL) FROM images"
                f" WHERE {gone} GROUP BY camera"
            ).fetchall()
            for camera, count, failed in found:
                db.execute(
                    "UPDATE cameras SET pruned=pruned+?, pruned_failed=pruned_failed+?"
                    " WHERE camera=?",
                    (count, failed, camera),
                )
            db.execute(f"DELETE FROM images WHERE {gone}")
        return sum(count for _, count, _ in found)
