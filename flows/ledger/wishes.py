"""Pictures that somebody wishes to be read again; in the ledger until they are reported anew.

A wish is the one thing that another process than the writer may put into the ledger (`reread` and
`forget` beside a running `watch`): a single short transaction that touches nothing else. `tries` is
counted before a picture is read, so that one that brings the flow down is not taken for ever.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from flows.ledger import file as ledger_file


class Wishes:
    """The wishes in one ledger. Safe to call from several threads."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[sqlite3.Connection]],
        reading: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._transaction = transaction
        self._reading = reading

    def open(self) -> list[sqlite3.Row]:
        """The records of `images` that are wished for, with `tries`; those not tried yet first."""
        with self._reading() as db:
            return db.execute(
                "SELECT images.*, rereads.tries FROM rereads JOIN images ON id = rereads.image"
                " WHERE state='archived' ORDER BY tries, wanted_at, id"
            ).fetchall()

    def tried(self, ids: Iterable[str]) -> None:
        """Count a try at these pictures, before it is made."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE rereads SET tries=tries+1 WHERE image=?", [(key,) for key in ids]
            )

    def drop(self, ids: Iterable[str]) -> None:
        """Forget the wish for these pictures: their earlier report stands."""
        with self._transaction() as db:
            db.executemany("DELETE FROM rereads WHERE image=?", [(key,) for key in ids])


def wish(path: Path, ids: Iterable[str], now: str) -> None:
    """Wish for pictures to be read again, in a ledger that another process may have open.

    Raises:
        ConfigError: another markwatch wrote its schema.
    """
    with _beside(path) as db:
        db.executemany(
            "INSERT INTO rereads (image, wanted_at) SELECT id, ? FROM images"
            " WHERE id=? AND state='archived' AND discard IS NULL ON CONFLICT (image) DO NOTHING",
            [(now, key) for key in ids],
        )


def wish_forgotten(path: Path, sink: str, now: str) -> None:
    """Wish for a sink to be forgotten, in a ledger that another process may have open.

    Raises:
        ConfigError: another markwatch wrote its schema.
    """
    with _beside(path) as db:
        db.execute("INSERT OR REPLACE INTO forgets (sink, wanted_at) VALUES (?, ?)", (sink, now))


@contextmanager
def _beside(path: Path) -> Iterator[sqlite3.Connection]:
    with ledger_file.Snapshot(path):
        pass
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        db.execute("PRAGMA synchronous=FULL")
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
