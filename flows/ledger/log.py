"""The ledger: SQLite (WAL, `synchronous=FULL`), the log of all reports and the truth after a crash.

A picture goes intended -> claimed -> reported -> archived; its rows get gapless numbers (`seq`) in
the transaction that reports it. A sink is a projection: the ledger holds which ranges of `seq` it
has delivered, what was planned but not yet acknowledged, and the sink's own cursor. One process
writes; a lock beside the file keeps a second one out. Times are RFC 3339 text, paths raw bytes.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from flows import vocabulary
from flows.care.pruning import Pruning
from flows.ledger.canaries import CanaryNotes
from flows.ledger.committing import commit_one
from flows.ledger.file import LedgerFile
from flows.ledger.forgetting import Forgetting
from flows.ledger.places import Places
from flows.ledger.records import Claim, Outcome, Unfinished, unfinished_of
from flows.ledger.wishes import Wishes
from stages.records import ImageRef

__all__ = ["Claim", "Ledger", "Outcome", "Unfinished"]


class Ledger(LedgerFile):
    """The open ledger of one root. Safe to call from several threads."""

    def __init__(self, path: Path, clock: Callable[[], datetime], *, root: Path) -> None:
        super().__init__(path, clock, root=root)
        self.places = Places(self._transaction, self._reading, clock)
        self.wishes = Wishes(self._transaction, self._reading)
        self.pruning = Pruning(self._transaction, self._reading)
        self.canaries = CanaryNotes(self._transaction, self._reading)
        self.forgetting = Forgetting(self._transaction, self._reading, clock)

    # intake

    def intend(self, claims: Iterable[Claim]) -> None:
        """Note that these files are about to be moved into `work/`."""
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO images (id, state, source, work, camera, name, size, mtime_ns)"
                " VALUES (?, 'intended', ?, ?, ?, ?, ?, ?)",
                [
                    (
                        c.id,
                        os.fsencode(c.source),
                        os.fsencode(c.work),
                        c.camera,
                        c.name,
                        c.size,
                        c.mtime_ns,
                    )
                    for c in claims
                ],
            )

    def claimed(self, images: Iterable[ImageRef]) -> None:
        """Note that these pictures now lie in `work/`, and what their bytes are.

        Attempts are counted anew: said again of a picture, it has other bytes than before.
        """
        with self._transaction() as db:
            for image in images:
                db.execute(
                    "INSERT INTO cameras (camera) SELECT camera FROM images WHERE id=?"
                    " AND state='intended' ON CONFLICT (camera) DO UPDATE SET seen=seen+1",
                    (image.id,),
                )
                db.execute(
                    "UPDATE images SET state='claimed', sha256=?, size=?, arrived_at=?,"
                    " captured_at=?, expected=?, attempts=0, in_flight=0 WHERE id=?"
                    " AND state IN ('intended', 'claimed')",
                    (
                        image.sha256,
                        image.size,
                        vocabulary.instant(image.arrived_at),
                        image.captured_at and vocabulary.instant(image.captured_at),
                        image.expected,
                        image.id,
                    ),
                )

    def disclaim(self, ids: Iterable[str]) -> None:
        """Forget intents whose file was never moved: it vanished, or is still in the inbox."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM images WHERE id=? AND state='intended'", [(key,) for key in ids]
            )

    def attempt(self, ids: Sequence[str], *, alone: bool) -> None:
        """Count an attempt at these pictures, before it is made."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE images SET attempts=attempts+1, in_flight=1, alone=? WHERE id=?",
                [(alone, key) for key in ids],
            )

    def attempt_failed(self, ids: Sequence[str]) -> None:
        """Note that the last attempt at these pictures ended, and that it failed."""
        with self._transaction() as db:
            db.executemany("UPDATE images SET in_flight=0 WHERE id=?", [(key,) for key in ids])

    def forgive(self, ids: Sequence[str]) -> None:
        """Take back an attempt that was in flight when the flow died: the picture did nothing."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE images SET attempts=attempts-1, in_flight=0 WHERE id=? AND in_flight=1",
                [(key,) for key in ids],
            )

    def unfinished(self) -> list[Unfinished]:
        """Every picture that is not archived yet, oldest first."""
        with self._guard:
            found = self._db.execute(
                # Named, or the planner reads every picture that there ever was for the order.
                "SELECT * FROM images INDEXED BY images_open WHERE state != 'archived' ORDER BY id"
            ).fetchall()
        return [unfinished_of(record, self._root) for record in found]

    # the log

    def commit(self, outcomes: Sequence[Outcome], station: str) -> list[vocabulary.Row]:
        """Report these pictures in one transaction; returns their rows, numbered without a gap.

        A code that another picture of the camera had within the recipe's window names its row.
        """
        read_at = self._clock()
        committed: list[vocabulary.Row] = []
        with self._transaction() as db:
            (head,) = db.execute("SELECT head FROM log").fetchone()
            for outcome in outcomes:
                rows = commit_one(db, outcome, station, read_at, head)
                head += len(rows)
                committed.extend(rows)
            db.execute("UPDATE log SET head=?", (head,))
        return committed

    def archived(self, ids: Iterable[str]) -> None:
        """Note that these pictures lie where their report said."""
        with self._transaction() as db:
            db.executemany("UPDATE images SET state='archived' WHERE id=?", [(key,) for key in ids])

    def set_conditions(self, conditions: Mapping[str, str], teller: str = "watch") -> None:
        """Note what needs a person's attention now, for `status`.

        What the same teller told before and does not name now is over.
        """
        now = vocabulary.instant(self._clock())
        with self._transaction() as db:
            told = db.execute("SELECT name FROM conditions WHERE teller=?", (teller,)).fetchall()
            gone = [(name,) for (name,) in told if name not in conditions]
            db.executemany("DELETE FROM conditions WHERE name=?", gone)
            db.executemany(
                "INSERT INTO conditions (name, words, since, teller) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET words=excluded.words, teller=excluded.teller",
                [(name, words, now, teller) for name, words in conditions.items()],
            )

    def is_target(self, target: str) -> bool:
        """Whether a picture was, or is about to be, filed under this path."""
        with self._guard:
            found = self._db.execute(
                "SELECT 1 FROM images WHERE target=?", (os.fsencode(target),)
            ).fetchone()
        return found is not None

    def head(self) -> int:
        """The newest `seq`; 0 before the first report."""
        with self._guard:
            return self._db.execute("SELECT head FROM log").fetchone()[0]

    def rows(
        self,
        after: int,
        to: int,
        *,
        cameras: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
        limit: int = -1,
    ) -> list[dict[str, Any]]:
        """The rows of the range (`after`, `to`] that a sink subscribes to, in order of `seq`."""
        where, values = ["seq > ?", "seq <= ?"], [after, to]
        for column, wanted in (("camera", cameras), ("status", statuses)):
            if wanted is not None:
                where.append(f"{column} IN ({','.join('?' * len(wanted))})")
                values.extend(wanted)
        with self._guard:
            found = self._db.execute(
                f"SELECT record FROM rows WHERE {' AND '.join(where)} ORDER BY seq LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [vocabulary.from_json(record) for (record,) in found]


def ledger_remedy(error: sqlite3.OperationalError) -> str:
    """One line that says why the ledger cannot be written now, and what to do about it."""
    return (
        f"the ledger cannot be written ({error}): free some space on the disk of data/state, "
        "and see that it is there"
    )
