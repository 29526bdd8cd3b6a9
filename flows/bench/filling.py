"""A ledger of any length, made quickly: the schema, the rows and the sums of a real one.

Retention has removed its pictures (a ledger of ten million has them no longer), each has one row of
a read code, and one sink has delivered all of them. `markwatch audit` finds no difference in it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from flows import vocabulary
from flows.configuration.settings import Layout
from flows.ledger.log import Ledger
from stages.records import Character, ImageRef, Mark, Reading, Report, Transcript

CAMERAS = 8
DAYS = 365
SINK = "scada"
STATION = "station-1"
_AT_ONCE = 20_000
_SHA256 = "ab" * 32
_IMAGES = (
    "INSERT INTO images (id, state, source, work, camera, name, size, mtime_ns, sha256, arrived_at,"
    " captured_at, attempts, target, marks, discard)"
    " VALUES (?, 'archived', ?, ?, ?, ?, 1000, 0, ?, ?, ?, 1, ?, 1, 'done')"
)
_ROWS = (
    "INSERT INTO rows (seq, id, image, camera, status, read_at, record, field, code, taken_at)"
    " VALUES (?, ?, ?, ?, 'read', ?, ?, 'code', ?, ?)"
)


def report(number: int, image_id: str, path: str, at: datetime) -> Report:
    """The report of a read code of eight characters, such as a recogniser's evidence makes it."""
    code = f"KX{number % 1_000_000:06d}"
    image = ImageRef(
        id=image_id,
        path=path,
        sha256=_SHA256,
        size=1000,
        camera=f"cam-{number % CAMERAS:03d}",
        name=f"{number:010d}.png",
        arrived_at=at,
        captured_at=at,
    )
    evidence = tuple(Character(each, 0.998, 0.999, "0", 0.001, None) for each in code)
    outline = ((102.5, 40.25), (482.5, 41.75), (482.25, 98.5), (102.25, 97.0))
    reading = Reading(
        "code", 1, (102.25, 40.25, 482.5, 98.5), outline, Transcript(code, evidence), "trocr-1"
    )
    mark = Mark("code", 1, "read", code, code, 8.25, 0.997, reading=reading)
    timings = {"decode": 4.125, "preprocess": 1.5, "detect": 9.75, "recognise": 6.25, "map": 0.5}
    return Report(image, (mark,), "press-3-1f2e3d4c", "trocr-1", timings)


def fill(layout: Layout, rows: int, now: datetime) -> None:
    """Make the ledger of a new root with so many rows, spread over the year before `now`.

    Raises:
        ConfigError: the root has a ledger that is in use.
        sqlite3.IntegrityError: it has rows already.
    """
    with Ledger(layout.ledger, lambda: now, root=layout.root) as ledger:
        ledger.places.open(SINK, "first")
    days: Counter[tuple[str, str]] = Counter()
    with closing(sqlite3.connect(layout.ledger, isolation_level=None)) as db:
        # What a power cut would take is made anew.
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA cache_size=-200000")
        for first in range(1, rows + 1, _AT_ONCE):
            made = list(_made(first, min(first + _AT_ONCE, rows + 1), rows, now))
            db.execute("BEGIN")
            db.executemany(_IMAGES, [image for image, _ in made])
            db.executemany(_ROWS, [row for _, row in made])
            db.execute("COMMIT")
            days.update((row[4][:10], row[3]) for _, row in made)
        _sums(db, rows, days, now)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _made(first: int, end: int, rows: int, now: datetime) -> Iterator[tuple[tuple, tuple]]:
    """For each number what goes into `images` and into `rows`."""
    template, year = _Template(now), timedelta(days=DAYS)
    for number in range(first, end):
        at = vocabulary.instant(now - year * ((rows - number) / rows))
        camera, name, key = f"cam-{number % CAMERAS:03d}", f"{number:010d}.png", f"{number:032x}"
        code = f"KX{number % 1_000_000:06d}"
        image = (
            key,
            f"/inbox/{camera}/{name}".encode(),
            f"data/work/{key}.png".encode(),
            camera,
            name,
            _SHA256,
            at,
            at,
            f"data/archive/{camera}/{key}.png".encode(),
        )
        record = template.record(number, key, camera, name, code, at)
        yield image, (number, f"{key}-1-1", key, camera, at, record, code, at)


class _Template:
    """The JSON of a row, with places for what differs: to make each anew takes far longer."""

    def __init__(self, now: datetime) -> None:
        sample = replace(
            report(0, "@id@", "", now),
            image=replace(report(0, "@id@", "", now).image, camera="@camera@", name="@name@"),
        )
        (row,) = vocabulary.rows(sample, station=STATION, first_seq=0, read_at=now)
        times = dict.fromkeys(vocabulary.TIMES, "@at@")
        text = vocabulary.to_json({**row, **times, "seq": "@seq@"})
        text = text.replace('"@seq@"', "@seq@").replace(row["code"], "@code@")
        for number, character in enumerate(row["code"]):
            text = text.replace(f'"char":"{character}"', f'"char":"@{number}@"', 1)
        # Every second piece is the name between two signs.
        self._pieces = [(bool(at % 2), each) for at, each in enumerate(text.split("@"))]

    def record(self, seq: int, key: str, camera: str, name: str, code: str, at: str) -> str:
        values = {
            "seq": str(seq),
            "id": key,
            "camera": camera,
            "name": name,
            "code": code,
            "at": at,
        }
        values |= {str(place): character for place, character in enumerate(code)}
        return "".join(values[piece] if is_name else piece for is_name, piece in self._pieces)


def _sums(db: sqlite3.Connection, rows: int, days: Counter[tuple[str, str]], now: datetime) -> None:
    """The other entry of double entry: heads, cameras, days, and what the sink settled."""
    db.execute("BEGIN")
    db.execute("UPDATE log SET head=?", (rows,))
    cameras: Counter[str] = Counter()
    for (_, camera), count in days.items():
        cameras[camera] += count
    at = vocabulary.instant(now.astimezone(UTC))
    db.executemany(
        "INSERT INTO cameras (camera, seen, reported, last_image, last_status, last_at)"
        " VALUES (?, ?, ?, '', 'read', ?)",
        [(camera, count, count, at) for camera, count in cameras.items()],
    )
    db.executemany(
        "INSERT INTO daily (day, camera, status, pictures, rows) VALUES (?, ?, 'read', ?, ?)",
        [(day, camera, count, count) for (day, camera), count in days.items()],
    )
    db.execute("INSERT INTO delivered (sink, after, upto) VALUES (?, 0, ?)", (SINK, rows))
    db.executemany(
        "INSERT INTO tallies (sink, day, camera, delivered) VALUES (?, ?, ?, ?)",
        [(SINK, day, camera, count) for (day, camera), count in days.items()],
    )
    db.execute("COMMIT")
