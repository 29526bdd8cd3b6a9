"""The ledger's file: opened by its one writer, or read beside it without disturbing it.

The writer holds a lock beside the file for as long as it runs, and brings an older schema up to
date when it opens. A reader sees one moment of the ledger (a WAL snapshot), however long it looks.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import filelock

from flows.configuration.settings import Layout
from flows.files.filenames import printable
from flows.ledger.schema import MIGRATIONS
from flows.sources.filesystem import filesystem_of, is_network
from stages.errors import ConfigError

BUSY_SECONDS = 30

_AWAY = ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR")
# SQLite gives back whatever type stands in a cell, so a damaged one fails anywhere.
_UNREADABLE = (
    *(sqlite3.Error, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, RecursionError),
)


class LedgerFile:
    """The file of one root's ledger, open for writing. Safe to call from several threads."""

    def __init__(self, path: Path, clock: Callable[[], datetime], *, root: Path) -> None:
        self._path = path
        self._clock = clock
        self._root = root
        self._guard = threading.RLock()
        self._lock = filelock.FileLock(path.with_suffix(".lock"), timeout=0)

    def __enter__(self) -> Self:
        """Open it for writing, making or migrating the schema.

        Raises:
            ConfigError: another process holds it, it lies on a network share, it is damaged, or
                it was written by a later markwatch.
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
            _close_to_others(self._path)
            self._db = _connect(self._path)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate()
        except (sqlite3.DatabaseError, OSError) as error:
            self._lock.release()
            raise damaged(self._path, error) from error
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._db.close()
            self._lock.release()

    def _migrate(self) -> None:
        version = _check_version(self._db, self._path)
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

    def snapshot(self) -> Snapshot:
        """A reader of its own, for what takes long: the writer does not wait for it."""
        return Snapshot(self._path)


class Snapshot:
    """One moment of a ledger, read beside its writer: a context manager that gives a connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        """Raises:
        ConfigError: it cannot be opened, is damaged, or another markwatch wrote its schema.
        """
        try:
            self._db = _connect(f"{self._path.as_uri()}?mode=ro")
        except sqlite3.OperationalError as error:
            raise damaged(self._path, error) from error
        try:
            if _check_version(self._db, self._path) < len(MIGRATIONS):
                raise ConfigError(
                    f"{self._path} was written by an earlier markwatch; run `markwatch watch` "
                    "once, which brings it up to date"
                )
            self._db.execute("BEGIN")
            # The moment is that of the first read, not of BEGIN.
            self._db.execute("SELECT head FROM log").fetchone()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise damaged(self._path, error) from error
        except BaseException:
            self._db.close()
            raise
        return self._db

    def __exit__(self, *_: object) -> None:
        self._db.close()


class _Plain(Snapshot):
    """A snapshot for a command: what is wrong with the file is one line, not a traceback."""

    def __enter__(self) -> sqlite3.Connection:
        try:
            return super().__enter__()
        except _UNREADABLE as error:
            raise damaged(self._path, error) from error

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, _UNREADABLE):
            raise damaged(self._path, error) from error


def damaged(path: Path, error: Exception) -> ConfigError:
    """What to do about a ledger that cannot be opened or read."""
    said = printable(" ".join(str(error).split()) or type(error).__name__)
    away = getattr(error, "sqlite_errorname", "").startswith(_AWAY)
    if away or isinstance(error, OSError):
        return ConfigError(
            f"{path} cannot be opened ({said}): run this as the user that runs `markwatch watch`, "
            "and check that the disk is there and has room"
        )
    return ConfigError(
        f"{path} is no sound ledger ({said}): stop `markwatch watch`, keep the file and its -wal, "
        "and restore it from a backup (docs/care.md)"
    )


def _close_to_others(path: Path) -> None:
    """Make the file, or change it, so that only this account reads it; its WAL follows it."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(handle, 0o600)
        finally:
            os.close(handle)


def snapshot(layout: Layout) -> Snapshot:
    """A reader of a root's ledger, whether `watch` runs or not.

    Raises:
        ConfigError: there is no ledger yet.
    """
    if not layout.ledger.is_file():
        raise ConfigError(
            f"{layout.root} has no ledger yet: nothing was watched; run `markwatch watch`"
        )
    return _Plain(layout.ledger)


def is_watched(layout: Layout) -> bool:
    """Whether a `markwatch watch` runs in this root now.

    Raises:
        ConfigError: this user may not know.
    """
    path = layout.ledger.with_suffix(".lock")
    if not path.exists():
        return False
    try:
        with filelock.FileLock(path, timeout=0):
            return False
    except filelock.Timeout:
        return True
    except PermissionError as error:
        raise ConfigError(
            f"{path} cannot be opened: run this as the user that runs `markwatch watch`"
        ) from error


def _connect(place: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(
        place,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_SECONDS,
        uri=isinstance(place, str),
    )
    db.row_factory = sqlite3.Row
    return db


def _check_version(db: sqlite3.Connection, path: Path) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"{path} was written by a later markwatch (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); install that version"
        )
    return version
