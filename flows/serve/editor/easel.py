"""The pictures that a recipe is tried on: what a camera sent of late, and what a person brings.

What is brought lies in a folder of its own for as long as the station runs, under a name that we
make; the oldest goes when there are too many. A client never names a path.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uuid_utils

from flows import vocabulary
from flows.configuration.settings import Layout
from flows.files.filenames import printable
from flows.ledger.records import image_of
from flows.serve.problems import RefusedError
from stages.records import ImageRef

BROUGHT = "brought-"
MOST_BROUGHT = 8
MOST_RECENT = 24
_ROWS_LOOKED_AT = 500


class Easel:
    """Pictures by key. Blocks; safe to use from several threads."""

    def __init__(
        self,
        layout: Layout,
        snapshot: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        self._layout = layout
        self._snapshot = snapshot
        self._guard = threading.Lock()
        self._folder: Path | None = None
        self._brought: OrderedDict[str, ImageRef] = OrderedDict()

    def recent(self, camera: str) -> list[dict[str, Any]]:
        """What is still kept of the camera's newest pictures, newest first."""
        with self._snapshot() as db:
            rows = db.execute(
                "SELECT image, record FROM rows WHERE camera=? ORDER BY seq DESC LIMIT ?",
                (camera, _ROWS_LOOKED_AT),
            ).fetchall()
            newest = {row["image"]: row["record"] for row in reversed(rows)}
            places = [(key, self._record(db, key)) for key in list(newest)[::-1]]
        return list(self._told(newest, places))

    def _told(self, newest: dict[str, str], places: list[tuple[str, Any]]) -> Iterator[dict]:
        told = 0
        for key, record in places:
            if told == MOST_RECENT or self._path(record) is None:
                continue
            told += 1
            row = vocabulary.from_json(newest[key])
            yield {
                "key": key,
                "name": row["image"],
                "status": row["status"],
                "code": row["code"],
                "candidate": row["candidate"],
                "read_at": vocabulary.instant(row["read_at"]),
                "crop": None if row["outline"] is None else f"/v1/readings/{row['id']}/crop",
            }

    def bring(self, content: bytes, name: str, camera: str) -> str:
        """Keep a picture that a person brings; the key by which it is found again.

        Raises:
            RefusedError: it is empty, or the disk refuses.
        """
        if not content:
            raise RefusedError(422, "no-picture", "there is no picture in it", "send the file")
        key = BROUGHT + secrets.token_hex(16)
        now = datetime.now(UTC)
        try:
            with self._guard:
                if self._folder is None:
                    self._folder = Path(tempfile.mkdtemp(prefix="markwatch-recipes-"))
                while len(self._brought) >= MOST_BROUGHT:
                    _, oldest = self._brought.popitem(last=False)
                    Path(oldest.path).unlink(missing_ok=True)
                path = self._folder / key
                path.write_bytes(content)
                self._brought[key] = ImageRef(
                    id=str(uuid_utils.uuid7()),
                    path=str(path),
                    sha256=hashlib.sha256(content).hexdigest(),
                    size=len(content),
                    camera=camera,
                    name=printable(name)[:200],
                    arrived_at=now,
                    captured_at=now,
                    expected=None,
                )
        except OSError as error:
            raise RefusedError(
                507,
                "no-room",
                f"the picture cannot be kept: {error.strerror or error}",
                "free some of the disk for temporary files",
            ) from error
        return key

    def image(self, key: str) -> ImageRef:
        """The picture of a key.

        Raises:
            RefusedError: there is none, or it is not kept any more.
        """
        with self._guard:
            if (brought := self._brought.get(key)) is not None:
                self._brought.move_to_end(key)
                return brought
        with self._snapshot() as db:
            record = self._record(db, key)
        path = self._path(record)
        if record is None or path is None:
            raise RefusedError(
                404 if record is None else 410,
                "unknown-picture" if record is None else "picture-gone",
                f"there is no picture {key[:80]!r}"
                if record is None
                else f"the picture {record['name']} is not kept any more",
                "choose another one, or bring it again",
            )
        return image_of(record, path)

    def close(self) -> None:
        """Remove what was brought."""
        with self._guard:
            folder, self._folder = self._folder, None
            self._brought.clear()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _record(db: sqlite3.Connection, key: str) -> Any:
        return db.execute(
            "SELECT * FROM images WHERE id=? AND arrived_at IS NOT NULL", (key,)
        ).fetchone()

    def _path(self, record: Any) -> Path | None:
        """Where the picture of a record lies, if it is kept."""
        if record is None or record["discard"] is not None:
            return None
        places = (record["target"], record["work"])
        found = (self._layout.root / os.fsdecode(each) for each in places if each is not None)
        return next((path for path in found if path.is_file()), None)
