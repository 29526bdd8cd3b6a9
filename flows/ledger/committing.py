"""One report becomes rows of the log, inside the ledger's transaction that numbers them.

A first report numbers the picture's rows and says where it will be filed. A picture that was read
again gets a new revision whose rows supersede the earlier ones; it goes from `failed/` to
`archive/`, or back, by the same unfinished move that a restart completes.
"""

from __future__ import annotations

import os
import sqlite3
from datetime import datetime
from typing import Any

from flows import vocabulary
from flows.ledger.duplicates import mark_duplicates, taken_at
from flows.ledger.records import Outcome
from stages.records import Failure, Report


def commit_one(
    db: sqlite3.Connection, outcome: Outcome, station: str, read_at: datetime, head: int
) -> list[dict[str, Any]]:
    """Write the rows of one picture after `head`, and what has become of it; returns the rows.

    Raises:
        RuntimeError: it was reported already, and nobody wished it to be read again.
    """
    image = outcome.result.image
    record = db.execute("SELECT * FROM images WHERE id=?", (image.id,)).fetchone()
    again = _wanted_again(db, record)
    if not again and (record is None or record["state"] != "claimed"):
        raise RuntimeError(f"picture {image.id} was reported twice")
    revision = record["revision"] + again
    rows = list(
        vocabulary.rows(
            outcome.result,
            station=station,
            first_seq=head + 1,
            read_at=read_at,
            revision=revision,
            supersedes=ids_of(image.id, record["revision"], record["marks"]) if again else (),
        )
    )
    if isinstance(outcome.result, Report):
        mark_duplicates(db, rows, outcome.result)
    _note_picture(db, outcome, record, revision, len(rows))
    _insert(db, image.id, rows, read_at)
    _count(db, rows, pictures=not again)
    failed = isinstance(outcome.result, Failure)
    if again:
        change = int(failed) - int(record["reason"] is not None)
        db.execute("UPDATE cameras SET failed=failed+? WHERE camera=?", (change, image.camera))
        return rows
    db.execute(
        "UPDATE cameras SET reported=reported+1, failed=failed+:failed,"
        " last_image=:image, last_status=:status, last_at=:at WHERE camera=:camera",
        {
            "camera": image.camera,
            "failed": int(failed),
            "image": image.name,
            "status": rows[-1]["status"],
            "at": vocabulary.instant(read_at),
        },
    )
    return rows


def ids_of(image: str, revision: int, marks: int) -> list[str]:
    """The ids of a picture's rows of one revision (`vocabulary.rows` makes them so)."""
    return [f"{image}-{revision}-{index}" for index in range(1, marks + 1)]


def _wanted_again(db: sqlite3.Connection, record: sqlite3.Row | None) -> bool:
    if record is None or record["state"] != "archived":
        return False
    return db.execute("SELECT 1 FROM rereads WHERE image=?", (record["id"],)).fetchone() is not None


def _note_picture(
    db: sqlite3.Connection, outcome: Outcome, record: sqlite3.Row, revision: int, marks: int
) -> None:
    result, target = outcome.result, os.fsencode(outcome.target)
    stays = target == record["target"]
    db.execute(
        "UPDATE images SET state=:state, work=:work, target=:target, reason=:reason,"
        " revision=:revision, marks=:marks WHERE id=:id",
        {
            "id": result.image.id,
            "state": "archived" if stays else "reported",
            # A picture that is read again is moved from where it was filed.
            "work": record["work"] if stays or revision == 1 else record["target"],
            "target": target,
            "reason": result.reason if isinstance(result, Failure) else None,
            "revision": revision,
            "marks": marks,
        },
    )
    db.execute("DELETE FROM rereads WHERE image=?", (result.image.id,))


def _insert(
    db: sqlite3.Connection, image: str, rows: list[dict[str, Any]], read_at: datetime
) -> None:
    db.executemany(
        "INSERT INTO rows (seq, id, image, camera, status, read_at, record, field, code, taken_at)"
        " VALUES (:seq, :id, :key, :camera, :status, :at, :record, :field, :code, :taken)",
        [
            {
                "seq": row["seq"],
                "id": row["id"],
                "key": image,
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


def _count(db: sqlite3.Connection, rows: list[dict[str, Any]], *, pictures: bool) -> None:
    db.executemany(
        "INSERT INTO daily (day, camera, status, pictures, rows) VALUES (?, ?, ?, ?, 1)"
        " ON CONFLICT (day, camera, status) DO UPDATE SET rows=rows+1,"
        " pictures=pictures+excluded.pictures",
        [
            (
                vocabulary.instant(row["read_at"])[:10],
                row["camera"],
                row["status"],
                int(pictures and row["mark"] == 1),
            )
            for row in rows
        ],
    )
