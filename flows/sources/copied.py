"""What was copied from shares that must stay as they are: a small SQLite file beside the ledger.

`seen` holds, for each path, the size, time and hash that were copied last. `copies` holds the
copies on their way to the intake: `copying` before a copy has its name, `there` once it has, and
gone when the intake took it. Only what is `there` was ever told of, so a copy that a crash left
`copying` is made anew and read once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE = "copied.sqlite"
FORGET = timedelta(days=30)
BUSY_SECONDS = 30

_TABLES = (
    """CREATE TABLE IF NOT EXISTS seen (
        path BLOB PRIMARY KEY,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        missing_since TEXT
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS copies (
        key TEXT PRIMARY KEY,
        inbox BLOB NOT NULL,
        name BLOB NOT NULL,
        camera TEXT NOT NULL,
        size INTEGER,
        mtime_ns INTEGER,
        state TEXT NOT NULL CHECK (state IN ('copying', 'there'))
    ) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy under `data/state/copies/<key>/<name>`; size and time are those of its source."""

    key: str
    name: str
    camera: str
    size: int = 0
    mtime_ns: int = 0


class Copied:
    """The file, open; used by one source's thread. Raises sqlite3.Error where the disk fails."""

    def __init__(self, path: Path, inbox: str) -> None:
        self._inbox = inbox
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
        self._db = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        for table in _TABLES:
            self._db.execute(table)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def is_known(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether this file, as it is, was copied before."""
        found = self._db.execute(
            "SELECT 1 FROM seen WHERE path=? AND size=? AND mtime_ns=?",
            (os.fsencode(path), size, mtime_ns),
        ).fetchone()
        return found is not None

    def begin(self, copy: Copy) -> None:
        """Note that a copy is about to be made."""
        self._db.execute(
            "INSERT INTO copies (key, inbox, name, camera, state) VALUES (?, ?, ?, ?, 'copying')",
            (copy.key, os.fsencode(self._inbox), os.fsencode(copy.name), copy.camera),
        )

    def has_content(self, path: str, digest: str) -> bool:
        """Whether the last copy of this path had these bytes."""
        found = self._db.execute(
            "SELECT 1 FROM seen WHERE path=? AND sha256=?", (os.fsencode(path), digest)
        ).fetchone()
        return found is not None

    def finish(self, path: str, copy: Copy, digest: str, *, keep: bool) -> None:
        """Note that a copy has its name and its source is dealt with; `keep` it, or it was none."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO seen (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?)",
                (os.fsencode(path), copy.size, copy.mtime_ns, digest),
            )
            if keep:
                db.execute(
                    "UPDATE copies SET state='there', size=?, mtime_ns=? WHERE key=?",
                    (copy.size, copy.mtime_ns, copy.key),
                )
            else:
                db.execute("DELETE FROM copies WHERE key=?", (copy.key,))

    def drop(self, key: str) -> None:
        """Forget a copy: the intake took it, or it was never made."""
        self._db.execute("DELETE FROM copies WHERE key=?", (key,))

    def left(self) -> tuple[list[Copy], list[Copy]]:
        """This inbox's copies that are there, and those that were not finished."""
        found = self._db.execute(
            "SELECT * FROM copies WHERE inbox=? ORDER BY key", (os.fsencode(self._inbox),)
        ).fetchall()
        copies = [
            (Copy(key, os.fsdecode(name), camera, size or 0, mtime_ns or 0), state)
            for key, _, name, camera, size, mtime_ns, state in found
        ]
        there = [copy for copy, state in copies if state == "there"]
        return there, [copy for copy, state in copies if state != "there"]

    def forget_missing(self, present: set[str], now: datetime) -> None:
        """Forget what has not been in this inbox for `FORGET`; `present` is what a scan saw."""
        prefix = os.fsencode(os.path.join(self._inbox, ""))
        with self._transaction() as db:
            for path, missing in db.execute("SELECT path, missing_since FROM seen").fetchall():
                if not path.startswith(prefix):
                    continue
                if os.fsdecode(path) in present:
                    if missing is not None:
                        db.execute("UPDATE seen SET missing_since=NULL WHERE path=?", (path,))
                elif missing is None:
                    db.execute(
                        "UPDATE seen SET missing_since=? WHERE path=?",
                        (now.astimezone(UTC).isoformat(), path),
                    )
                elif now - datetime.fromisoformat(missing) >= FORGET:
                    db.execute("DELETE FROM seen WHERE path=?", (path,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def set_down(db: sqlite3.Connection) -> int:
    """Make a backup's copy of the file forget what was on its way; returns how many were.

    A backup holds no pictures: what was copied, and perhaps not claimed yet, is to be copied again.
    """
    on_the_way = db.execute(
        "SELECT inbox, name, size, mtime_ns FROM copies WHERE state='there'"
    ).fetchall()
    for inbox, name, size, mtime_ns in on_the_way:
        for (path,) in db.execute(
            "SELECT path FROM seen WHERE size=? AND mtime_ns=?", (size, mtime_ns)
        ).fetchall():
            if path.startswith(os.path.join(inbox, b"")) and os.path.basename(path) == name:
                db.execute("DELETE FROM seen WHERE path=?", (path,))
    db.execute("DELETE FROM copies")
    db.commit()
    return len(on_the_way)
