"""What the API reads from the ledger, beside its writer: readings, their pictures, the figures.

Each question opens one snapshot. The figures are asked for at most once a second, less often where
that takes long, so that many who look cost no more than one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal

from flows import vocabulary
from flows.audit.figures import figures
from flows.clocks import Clocks
from flows.configuration.settings import Layout
from flows.files.filenames import shown
from flows.files.opening import open_regular
from flows.serve.problems import RefusedError

Order = Literal["oldest", "newest"]

FIGURES_SECONDS = 1.0
FIGURES_SHARE = 0.05
"""Of the time, that adding up a large ledger for those who look may take."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which readings are asked for; all of what is not None must hold."""

    camera: str | None = None
    status: str | None = None
    code: str | None = None
    image: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def where(self) -> tuple[list[str], list[Any]]:
        """Conditions for SQL, and their values."""
        found = (
            ("camera = ?", self.camera),
            ("status = ?", self.status),
            ("code = ?", self.code),
            ("json_extract(record, '$.image') = ?", self.image),
            ("read_at >= ?", self.start and vocabulary.instant(self.start)),
            ("read_at < ?", self.end and vocabulary.instant(self.end)),
        )
        kept = [(words, value) for words, value in found if value is not None]
        words = [words for words, _ in kept]
        if self.status not in (None, "read"):
            # The words by which SQLite finds the index of what is not `read`.
            words.append("status != 'read'")
        return words, [value for _, value in kept]


class Shelf:
    """Reads one root's ledger and filed pictures. Safe to call from several threads; blocks."""

    def __init__(
        self,
        layout: Layout,
        snapshot: Callable[[], AbstractContextManager[sqlite3.Connection]],
        clocks: Clocks,
    ) -> None:
        self._layout = layout
        self._snapshot = snapshot
        self._clocks = clocks
        self._guard = threading.Lock()
        self._told: tuple[float, dict[str, Any]] | None = None

    def page(
        self, wanted: Wanted, *, cursor: int | None, limit: int, order: Order
    ) -> tuple[list[str], int | None]:
        """Records (JSON texts) beyond the cursor in this order, and the cursor to go on from.

        The cursor is the `seq` of the last record; None when nothing is left.
        """
        where, values = wanted.where()
        if cursor is not None:
            where.append("seq > ?" if order == "oldest" else "seq < ?")
            values.append(cursor)
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        direction = "ASC" if order == "oldest" else "DESC"
        with self._snapshot() as db:
            found = db.execute(
                f"SELECT seq, record FROM rows{condition} ORDER BY seq {direction} LIMIT ?",
                (*values, limit + 1),
            ).fetchall()
        rows = found[:limit]
        following = rows[-1]["seq"] if len(found) > limit else None
        return [row["record"] for row in rows], following

    def since(self, seq: int, wanted: Wanted, limit: int) -> tuple[list[tuple[int, str]], int]:
        """(seq, record) of the rows after `seq`, and how far the log has been looked through."""
        where, values = wanted.where()
        with self._snapshot() as db:
            (head,) = db.execute("SELECT head FROM log").fetchone()
            found = db.execute(
                f"SELECT seq, record FROM rows WHERE {' AND '.join(['seq > ?', *where])}"
                " ORDER BY seq LIMIT ?",
                (seq, *values, limit),
            ).fetchall()
        reached = found[-1]["seq"] if len(found) == limit else max(head, seq)
        return [(row["seq"], row["record"]) for row in found], reached

    def ends(self) -> tuple[int, int]:
        """The newest `seq` of the log, and the oldest that is kept (one more when none is)."""
        with self._snapshot() as db:
            (head,) = db.execute("SELECT head FROM log").fetchone()
            (oldest,) = db.execute("SELECT MIN(seq) FROM rows").fetchone()
        return head, head + 1 if oldest is None else oldest

    def one(self, key: str) -> str:
        """The record of this id.

        Raises:
            RefusedError: there is none.
        """
        with self._snapshot() as db:
            return self.row(db, key)["record"]

    def last(self, camera: str) -> list[dict[str, Any]]:
        """The rows of the picture of this camera that was reported last; none without one."""
        with self._snapshot() as db:
            newest = db.execute(
                "SELECT image, record FROM rows WHERE camera=? ORDER BY seq DESC LIMIT 1", (camera,)
            ).fetchone()
            if newest is None:
                return []
            found = db.execute(
                "SELECT record FROM rows WHERE image=? ORDER BY seq", (newest["image"],)
            ).fetchall()
        rows = [vocabulary.from_json(row["record"]) for row in found]
        return [row for row in rows if row["revision"] == rows[-1]["revision"]]

    def picture(self, key: str) -> tuple[BinaryIO, str]:
        """The picture of a reading as it came, opened, and its name.

        Raises:
            RefusedError: there is no such reading, or its picture is not kept any more.
        """
        path, name = self.place(key)
        try:
            return open_regular(path), name
        except OSError as error:
            raise self.gone(name) from error

    def figures(self) -> dict[str, Any]:
        """The conservation figures, as `markwatch status --json` has them, and rows by status."""
        with self._guard:
            now = self._clocks.tick()
            if self._told is None or now >= self._told[0]:
                with self._snapshot() as db:
                    found = figures(db, self._clocks.now())
                    found["readings"] = _readings(db)
                took = self._clocks.tick() - now
                good = max(FIGURES_SECONDS, took / FIGURES_SHARE)
                self._told = (now + good, shown(found))
            return self._told[1]

    def look(self) -> AbstractContextManager[sqlite3.Connection]:
        """One moment of the ledger, for questions that are asked nowhere else."""
        return self._snapshot()

    def place(self, key: str) -> tuple[Path, str]:
        """Where the picture of a reading lies now, and its name.

        Raises:
            RefusedError: there is no such reading, or its picture is not kept any more.
        """
        record, path = self.record(key)
        return path, record["name"]

    def record(self, key: str) -> tuple[sqlite3.Row, Path]:
        """The ledger's record of the picture of a reading, and where it lies now.

        Raises:
            RefusedError: there is no such reading, or its picture is not kept any more.
        """
        with self._snapshot() as db:
            image = self.row(db, key)["image"]
            record = db.execute("SELECT * FROM images WHERE id=?", (image,)).fetchone()
        if record is None or record["discard"] is not None:
            raise self.gone(record["name"] if record else key)
        filed = record["state"] == "archived"
        path = self._layout.root / os.fsdecode(record["target" if filed else "work"])
        if not filed and not path.exists():
            # It was filed between the two looks.
            path = self._layout.root / os.fsdecode(record["target"])
        return record, path

    @staticmethod
    def row(db: sqlite3.Connection, key: str) -> Mapping[str, Any]:
        """The picture and the record of this reading.

        Raises:
            RefusedError: there is none.
        """
        found: Mapping[str, Any] | None = db.execute(
            "SELECT image, record FROM rows WHERE id=?", (key,)
        ).fetchone()
        if found is None:
            raise RefusedError(
                404,
                "unknown-reading",
                f"there is no reading {key[:80]!r}",
                "ids are those of GET /v1/readings; old ones go as `retention` says",
            )
        return found

    @staticmethod
    def gone(name: str) -> RefusedError:
        """The refusal where a picture is not kept any more."""
        return RefusedError(
            410,
            "picture-gone",
            f"the picture {name} is not kept any more",
            "see `retention` in the settings; the reading itself stays",
        )


def _readings(db: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Rows by camera and status, those included that retention removed."""
    counted: dict[str, dict[str, int]] = {}
    for camera, status, rows in db.execute(
        "SELECT camera, status, SUM(rows) FROM daily GROUP BY camera, status ORDER BY 1, 2"
    ):
        counted.setdefault(camera, {})[status] = rows
    return counted
