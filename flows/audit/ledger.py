"""The laws that a ledger keeps within itself: ledger in, differences out.

The log is gapless and its columns are those of its records; the daily totals are its sums; the
cameras' counters are the pictures'; and what each sink's tallies say it settled is what its ranges
cover. A row that is past `ledger_days` and gone is still counted, in `daily.pruned`.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flows.ledger.places import position_in

RESTORE = "restore the ledger from a backup (docs/care.md)"
_COLUMNS = ("seq", "id", "camera", "status", "read_at", "field", "code")


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that does not balance: where, what, and what to do about it."""

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: {self.remedy}"


def check_ledger(db: sqlite3.Connection) -> Iterator[Difference]:
    """Hold one moment of the ledger to its own laws."""
    for (words,) in db.execute("PRAGMA integrity_check").fetchall():
        if words != "ok":
            yield Difference("ledger", f"the file is damaged ({words})", RESTORE)
    yield from _log(db)
    yield from _records(db)
    yield from _daily(db)
    yield from _cameras(db)
    yield from _pictures(db)
    for (name,) in db.execute("SELECT name FROM sinks ORDER BY name").fetchall():
        yield from _sink(db, name)
    yield from _forgotten(db)


def _log(db: sqlite3.Connection) -> Iterator[Difference]:
    head, pruned = db.execute("SELECT head, pruned FROM log").fetchone()
    count, first, last = db.execute("SELECT COUNT(*), MIN(seq), MAX(seq) FROM rows").fetchone()
    if count != head - pruned or (count and (first, last) != (pruned + 1, head)):
        found = f"{count} rows from {first} to {last}" if count else "no rows"
        yield Difference(
            "ledger", f"the log should be {pruned + 1}-{head}, but has {found}", RESTORE
        )


def _records(db: sqlite3.Connection) -> Iterator[Difference]:
    for row in db.execute(f"SELECT image, record, {', '.join(_COLUMNS)} FROM rows ORDER BY seq"):
        try:
            record = json.loads(row["record"])
            wrong = [name for name in _COLUMNS if record[name] != row[name]]
            key = f"{row['image']}-{record['revision']}-{record['mark']}"
            if key != row["id"]:
                wrong.append("image")
        except (ValueError, KeyError, TypeError):
            wrong = ["record"]
        if wrong:
            words = f"seq {row['seq']} contradicts itself ({', '.join(wrong)})"
            yield Difference("ledger", words, RESTORE)


def _daily(db: sqlite3.Connection) -> Iterator[Difference]:
    key = "substr(read_at, 1, 10), camera, status"
    there = {
        tuple(row)[:3]: row[3]
        for row in db.execute(f"SELECT {key}, COUNT(*) FROM rows GROUP BY 1, 2, 3")
    }
    kept = {
        tuple(row)[:3]: row[3]
        for row in db.execute("SELECT day, camera, status, rows - pruned FROM daily")
    }
    for which in sorted(there.keys() | kept.keys()):
        if there.get(which, 0) != kept.get(which, 0):
            words = f"{there.get(which, 0)} rows in the log, {kept.get(which, 0)} committed"
            yield Difference(f"ledger, {' '.join(which)}", words, RESTORE)


def _cameras(db: sqlite3.Connection) -> Iterator[Difference]:
    pictures = {
        row["camera"]: row
        for row in db.execute(
            "SELECT camera, COUNT(*) AS seen, SUM(state != 'claimed') AS reported,"
            " SUM(state != 'claimed' AND reason IS NOT NULL) AS failed"
            " FROM images WHERE state != 'intended' GROUP BY camera"
        )
    }
    reports = dict(db.execute("SELECT camera, SUM(pictures) FROM daily GROUP BY camera").fetchall())
    counters = {row["camera"]: row for row in db.execute("SELECT * FROM cameras")}
    for camera in sorted(pictures.keys() | counters.keys() | reports.keys()):
        counter, found = counters.get(camera), pictures.get(camera)
        gone = {"seen": "pruned", "reported": "pruned", "failed": "pruned_failed"}
        for what, pruned in gone.items():
            counted = counter[what] if counter else 0
            have = (found[what] if found else 0) + (counter[pruned] if counter else 0)
            if counted != have:
                words = f"{counted} pictures {what}, but {have} are known"
                yield Difference(f"camera {camera}", words, RESTORE)
        if (counter["reported"] if counter else 0) != reports.get(camera, 0):
            words = f"{counter['reported'] if counter else 0} pictures reported, but the log has "
            yield Difference(f"camera {camera}", f"{words}{reports.get(camera, 0)}", RESTORE)


def _pictures(db: sqlite3.Connection) -> Iterator[Difference]:
    (pruned,) = db.execute("SELECT pruned FROM log").fetchone()
    for record in db.execute(
        "SELECT id, name, marks, state, (SELECT COUNT(*) FROM rows WHERE rows.image = images.id"
        " AND rows.id LIKE images.id || '-' || images.revision || '-%') AS found FROM images"
    ):
        reported = record["state"] in ("reported", "archived")
        wanted = record["marks"] if reported else 0
        if record["found"] > wanted or (record["found"] < wanted and not pruned):
            words = f"{record['found']} rows of {wanted} are in the log"
            yield Difference(f"picture {record['name']} ({record['id']})", words, RESTORE)
    for image, count in db.execute(
        "SELECT image, COUNT(*) FROM rows WHERE NOT EXISTS"
        " (SELECT 1 FROM images WHERE images.id = rows.image) GROUP BY image"
    ):
        yield Difference(f"picture {image}", f"unknown, but has {count} rows in the log", RESTORE)


def _sink(db: sqlite3.Connection, name: str) -> Iterator[Difference]:
    head, pruned = db.execute("SELECT head, pruned FROM log").fetchone()
    position = position_in(db, name)
    where = f"sink {name}"
    spans = position.done.spans
    disordered = any(one[1] >= other[0] for one, other in itertools.pairwise(spans))
    if disordered or any(after < 0 or to > head for after, to in spans) or position.start > head:
        yield Difference(where, f"its ranges {list(spans)} do not fit a log of {head}", RESTORE)
        return
    ranges: Counter[tuple[str, str]] = Counter()
    for after, to in position.done.spans if not position.start else _joined(position.start, spans):
        for day, camera, count in db.execute(
            "SELECT substr(read_at, 1, 10), camera, COUNT(*) FROM rows"
            " WHERE seq > ? AND seq <= ? GROUP BY 1, 2",
            (max(after, pruned), to),
        ):
            ranges[day, camera] += count
    for day, camera, count in db.execute(
        "SELECT day, camera, SUM(pruned) FROM daily GROUP BY 1, 2"
    ):
        ranges[day, camera] += count
    tallies: Counter[tuple[str, str]] = Counter()
    dead: dict[tuple[str, str], int] = {}
    for row in db.execute("SELECT * FROM tallies WHERE sink=?", (name,)):
        which = row["day"], row["camera"]
        tallies[which] = row["delivered"] + row["dead"] + row["passed"]
        dead[which] = row["dead"]
    for day, camera in sorted(ranges.keys() | tallies.keys()):
        if ranges[day, camera] != tallies[day, camera]:
            words = (
                f"{ranges[day, camera]} rows of camera {camera} on {day} are settled by its "
                f"position, {tallies[day, camera]} by its receipts"
            )
            yield Difference(where, words, f"{RESTORE}, or replay that day")
    letters = _dead(db, name, position.done.has)
    if isinstance(letters, Difference):
        yield letters
        return
    for which in sorted(letters.keys() | dead.keys()):
        have, counted = letters[which], dead.get(which, 0)
        if have > counted or (have < counted and not pruned):
            words = f"{counted} dead letters of camera {which[1]} on {which[0]}, but {have} kept"
            yield Difference(where, words, RESTORE)


def _forgotten(db: sqlite3.Connection) -> Iterator[Difference]:
    """What forgotten sinks had keeps its sum, which is no more than was committed."""
    rows = dict(db.execute("SELECT camera, SUM(rows) FROM daily GROUP BY camera").fetchall())
    for record in db.execute("SELECT * FROM forgotten ORDER BY at, sink, camera"):
        committed = record["committed"]
        settled = record["delivered"] + record["dead"] + record["given_up"]
        if committed != settled or committed > rows.get(record["camera"], 0):
            words = (
                f"forgotten with {committed} rows of camera {record['camera']}, of which {settled} "
                f"are accounted for and {rows.get(record['camera'], 0)} were ever committed"
            )
            yield Difference(f"sink {record['sink']}", words, RESTORE)


def _joined(start: int, spans: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """The ranges with all before the sink's start, which is none of its business, before them."""
    return [(0, start), *((max(after, start), to) for after, to in spans if to > start)]


def _dead(
    db: sqlite3.Connection, name: str, is_done: Callable[[int], bool]
) -> Counter[tuple[str, str]] | Difference:
    found: Counter[tuple[str, str]] = Counter()
    for seq, day, camera in db.execute(
        "SELECT dead.seq, substr(read_at, 1, 10), camera FROM dead LEFT JOIN rows"
        " ON rows.seq = dead.seq WHERE sink=?",
        (name,),
    ):
        if day is None or not is_done(seq):
            return Difference(f"sink {name}", f"a dead letter of seq {seq} is not its own", RESTORE)
        found[day, camera] += 1
    return found
