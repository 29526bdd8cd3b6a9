"""What the ledger says of a picture: its claim, how far it came, what became of it."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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


def claim_of(record: sqlite3.Row) -> Claim:
    """The claim that a record of `images` holds."""
    return Claim(
        id=record["id"],
        source=os.fsdecode(record["source"]),
        work=os.fsdecode(record["work"]),
        camera=record["camera"],
        name=record["name"],
        size=record["size"],
        mtime_ns=record["mtime_ns"],
    )


def image_of(record: sqlite3.Row, path: Path) -> ImageRef:
    """The picture that a record of `images` describes, lying at `path`."""
    captured = record["captured_at"]
    return ImageRef(
        id=record["id"],
        path=str(path),
        sha256=record["sha256"],
        size=record["size"],
        camera=record["camera"],
        name=record["name"],
        arrived_at=datetime.fromisoformat(record["arrived_at"]),
        captured_at=captured and datetime.fromisoformat(captured),
        expected=record["expected"],
    )


def unfinished_of(record: sqlite3.Row, root: Path) -> Unfinished:
    """What a restart must know of a picture that is not archived yet."""
    claim = claim_of(record)
    known = record["arrived_at"] is not None
    target = record["target"]
    return Unfinished(
        claim=claim,
        state=record["state"],
        image=image_of(record, root / claim.work) if known else None,
        attempts=record["attempts"],
        in_flight=bool(record["in_flight"]),
        alone=bool(record["alone"]),
        target=target and os.fsdecode(target),
        reason=record["reason"],
    )
