"""The ledger: SQLite (WAL, `synchronous=FULL`), the log of all reports and the truth after a crash.

A picture goes intended -> claimed -> reported -> archived; its rows get gapless numbers (`seq`) in
the transaction that reports it. A sink is a projection: the ledger holds which ranges of `seq` it
has delivered, what was planned but not yet acknowledged, and the sink's own cursor. One process
writes; a lock beside the file keeps a second one out. Times are RFC 3339 text, paths raw bytes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import filelock

from flows import vocabulary
from flows.duplicates import mark_duplicates, taken_at
from flows.ledger_schema import MIGRATIONS
from flows.places import Places
from flows.sources.filesystem import filesystem_of, is_network
from stages.errors import ConfigError
from stages.records import Failure, ImageRef, Report


@dataclass(frozen=True, slots=True)
class Claim:
    """A picture on its way into `work/`: `source` is absolute, `work` relative to the root."""

    id: str
    source: str
    work: str
    camera: str
    name: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A picture that a restart must finish.

    `attempts` were counted; the last of them had not ended if `in_flight`, and was made with
    nothing beside it if `alone`. `target` and `reason` say how a reported picture is to be filed.
    """

    claim: Claim
    state: str
    image: ImageRef | None
    attempts: int
    in_flight: bool
    alone: bool
    target: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture, and where it is to be filed (relative to the root)."""

    result: Report | Failure
    target: str


class Ledger:
    """The open ledger of one root. Safe to call from several threads."""

    def __init__(self, path: Path, clock: Callable[[], datetime], *, root: Path) -> None:
        self._path = path
        self._clock = clock
        self._root = root
        self._guard = threading.RLock()
        self.places = Places(self._transaction, self._reading, clock)
        self._lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0)

    def __enter__(self) -> Ledger:
        """Open it for writing, making or migrating the schema.

        Raises:
            ConfigError: another process holds it, it lies on a network share, or it was written
                by a later markwatch.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kind = filesystem_of(self._path.parent)
        if is_network(kind):
            raise ConfigError(
                f"{self._path.parent} is on a network file system ({kind}), where SQLite's locks "
                "do not hold; keep the root on a local disk and point the sources at the share"
            )
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise ConfigError(
                f"another markwatch is already watching {self._root}; stop it, or give another root"
            ) from None
        try:
            self._db = _connect(self._path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate()
        except BaseException:
            self._lock.release()
            raise
        if os.name == "posix":
            self._path.chmod(0o600)
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._db.close()
            self._lock.release()

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"{self._path} was written by a later markwatch (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); install that version"
            )
        for number in range(version, len(MIGRATIONS)):
            with self._transaction() as db:
                for statement in MIGRATIONS[number]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={number + 1}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # SQLite ends a transaction by itself when the disk is full or fails.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            yield self._db

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
                "SELECT * FROM images WHERE state != 'archived' ORDER BY id"
            ).fetchall()
        return [self._unfinished(record) for record in found]

    def _unfinished(self, record: sqlite3.Row) -> Unfinished:
        claim = Claim(
            id=record["id"],
            source=os.fsdecode(record["source"]),
            work=os.fsdecode(record["work"]),
            camera=record["camera"],
            name=record["name"],
            size=record["size"],
            mtime_ns=record["mtime_ns"],
        )
        image = None
        if record["arrived_at"] is not None:
            captured = record["captured_at"]
            image = ImageRef(
                id=claim.id,
                path=str(self._root / claim.work),
                sha256=record["sha256"],
                size=claim.size,
                camera=claim.camera,
                name=claim.name,
                arrived_at=datetime.fromisoformat(record["arrived_at"]),
                captured_at=captured and datetime.fromisoformat(captured),
                expected=record["expected"],
            )
        target = record["target"]
        return Unfinished(
            claim=claim,
            state=record["state"],
            image=image,
            attempts=record["attempts"],
            in_flight=bool(record["in_flight"]),
            alone=bool(record["alone"]),
            target=target and os.fsdecode(target),
            reason=record["reason"],
        )

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
                image = outcome.result.image
                rows = list(
                    vocabulary.rows(
                        outcome.result, station=station, first_seq=head + 1, read_at=read_at
                    )
                )
                head += len(rows)
                if isinstance(outcome.result, Report):
                    mark_duplicates(db, rows, outcome.result)
                reason = outcome.result.reason if isinstance(outcome.result, Failure) else None
                changed = db.execute(
                    "UPDATE images SET state='reported', target=?, reason=?"
                    " WHERE id=? AND state='claimed'",
                    (os.fsencode(outcome.target), reason, image.id),
                ).rowcount
                if changed != 1:
                    raise RuntimeError(f"picture {image.id} was reported twice")
                db.executemany(
                    "INSERT INTO rows"
                    " (seq, id, image, camera, status, read_at, record, field, code, taken_at)"
                    " VALUES"
                    " (:seq, :id, :key, :camera, :status, :at, :record, :field, :code, :taken)",
                    [
                        {
                            "seq": row["seq"],
                            "id": row["id"],
                            "key": image.id,
                            "camera": row["camera"],
                            "status": row["status"],
                            "at": vocabulary.instant(read_at),
                            "record": vocabulary.to_json(row),
                            "field": row["field"],
                            "code": row["code"],
                            "taken": vocabulary.instant(taken_at(row)),
                        }
                        for row in rows
                    ],
                )
                db.execute(
                    "UPDATE cameras SET reported=reported+1, failed=failed+:failed,"
                    " last_image=:image, last_status=:status, last_at=:at WHERE camera=:camera",
                    {
                        "camera": image.camera,
                        "failed": int(isinstance(outcome.result, Failure)),
                        "image": image.name,
                        "status": rows[-1]["status"],
                        "at": vocabulary.instant(read_at),
                    },
                )
                committed.extend(rows)
            db.execute("UPDATE log SET head=?", (head,))
        return committed

    def archived(self, ids: Iterable[str]) -> None:
        """Note that these pictures lie where their report said."""
        with self._transaction() as db:
            db.executemany("UPDATE images SET state='archived' WHERE id=?", [(key,) for key in ids])

    def set_conditions(self, conditions: Mapping[str, str]) -> None:
        """Note what needs a person's attention now, for `status`; what is not named is over."""
        now = vocabulary.instant(self._clock())
        with self._transaction() as db:
            names = [name for (name,) in db.execute("SELECT name FROM conditions")]
            gone = [(name,) for name in names if name not in conditions]
            db.executemany("DELETE FROM conditions WHERE name=?", gone)
            db.executemany(
                "INSERT INTO conditions (name, words, since) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET words=excluded.words",
                [(name, words, now) for name, words in conditions.items()],
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


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    db.row_factory = sqlite3.Row
    return db
