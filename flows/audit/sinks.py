"""A sink's far side held against the log: every settled row is there once, as the ledger has it.

What is read back may be newer than the moment of the ledger that it is held against, where `watch`
runs: so the ledger is looked at a second time, after the files, and what that explains is dropped.
A row that was delivered at the first moment must be there; one that is there must be delivered, or
about to be, at the second.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from flows import vocabulary
from flows.audit.ledger import Difference
from flows.ledger import subscriptions
from flows.ledger.places import position_in
from flows.ledger.positions import intervals
from stages.ports import Held, Readable

_MOST_RANGES = 6


class SinkAudit:
    """One sink's files, held against one moment of the ledger."""

    def __init__(self, db: sqlite3.Connection, name: str, sink: Readable, station: str) -> None:
        self._db = db
        self._station = station
        self._name = name
        self._sink = sink
        self._where = f"sink {name}"
        self._head, self._pruned = db.execute("SELECT head, pruned FROM log").fetchone()
        self._counts = bytearray(self._head - self._pruned + 1)
        self._position = position_in(db, name)
        self._old: Counter[str] = Counter()
        self._strangers: dict[str, list[Held]] = {}
        self._early: list[int] = []
        self._torn: list[str] = []

    def check(
        self, again: Callable[[], AbstractContextManager[sqlite3.Connection]]
    ) -> list[Difference]:
        """Every difference; `again` opens a later moment of the ledger."""
        found = list(self._look())
        found.extend(self._missing())
        with again() as later:
            found.extend(self._unexplained(later))
        return found

    def _look(self) -> Iterator[Difference]:
        for held in self._sink.held(_stations(self._db, self._station)):
            if held.torn:
                self._torn.append(held.place)
            elif held.damage is not None:
                remedy = f"remove it, then `markwatch replay --sink {self._name}` what it held"
                yield Difference(self._where, f"{held.place} {held.damage}", remedy)
            else:
                yield from self._row(held)

    def _row(self, held: Held) -> Iterator[Difference]:
        found = self._db.execute("SELECT seq, record FROM rows WHERE id=?", (held.id,)).fetchone()
        if found is None:
            if held.seq <= self._pruned:
                self._old[held.day] += 1
            else:
                self._strangers.setdefault(held.place.partition(":")[0], []).append(held)
            return
        seq = found["seq"]
        index = seq - self._pruned
        if self._counts[index]:
            words = f"{held.place} holds seq {seq} a second time"
            yield Difference(self._where, words, "stop watch and remove that copy")
        self._counts[index] = 1
        if not self._position.done.has(seq):
            self._early.append(seq)
        try:
            row = vocabulary.from_json(found["record"])
            # A sink that did not wait for the device was handed the row before the reply came.
            same = self._sink.agrees(held, row) or self._sink.agrees(held, {**row, "reply": None})
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            words = f"{held.place} holds seq {seq} otherwise than the ledger"
            remedy = f"compare it with `markwatch replay --sink {self._name} --seq {seq}-{seq}`"
            if not getattr(self._sink, "replays_into_file", False):
                remedy = f"remove the file, then `markwatch replay --sink {self._name} --seq {seq}"
                remedy += f"-{seq}`"
            else:
                remedy += " -o FILE"
            yield Difference(self._where, words, remedy)

    def _missing(self) -> Iterator[Difference]:
        dead = {
            seq for (seq,) in self._db.execute("SELECT seq FROM dead WHERE sink=?", (self._name,))
        }
        told = subscriptions.of(self._db, self._name)
        there: Counter[str] = Counter()
        missing = []
        for seq, camera, status, read_at in self._db.execute(
            "SELECT seq, camera, status, read_at FROM rows WHERE seq > ? ORDER BY seq",
            (max(self._pruned, self._position.start),),
        ):
            if not self._position.done.has(seq) or seq in dead:
                continue
            if subscriptions.at(told, seq).takes(camera, status):
                there[read_at[:10]] += 1
                if not self._counts[seq - self._pruned]:
                    missing.append(seq)
        if missing:
            first, last = missing[0], missing[-1]
            aside = getattr(self._sink, "replays_into_file", False)
            file, then = (" -o FILE", ", then put its lines back") if aside else ("", "")
            yield Difference(
                self._where,
                f"{_ranges(missing)} delivered, but nowhere to be found",
                f"`markwatch replay --sink {self._name} --seq {first}-{last}{file}`{then}",
            )
        if self._pruned:
            yield from self._past(there)

    def _past(self, there: Counter[str]) -> Iterator[Difference]:
        """Rows that the ledger holds no more are held against the daily totals that it kept."""
        for day, delivered in self._db.execute(
            "SELECT day, SUM(delivered) FROM tallies WHERE sink=? GROUP BY day", (self._name,)
        ):
            owed = delivered - there[day]
            if self._old[day] != owed:
                yield Difference(
                    self._where,
                    f"{self._old[day]} of {owed} rows of {day} that are past ledger_days are there",
                    "restore that day's files from your own backup",
                )

    def _unexplained(self, later: sqlite3.Connection) -> Iterator[Difference]:
        """What was there though the ledger did not know it, and does not now either."""
        position = position_in(later, self._name)
        (head,) = later.execute("SELECT head FROM log").fetchone()
        planned = position.planned or (0, 0)

        def explained(seq: int) -> bool:
            return position.done.has(seq) or planned[0] < seq <= planned[1]

        early = [seq for seq in self._early if not explained(seq)]
        if early:
            yield Difference(
                self._where,
                f"{_ranges(early)} there already, but pending by the ledger",
                "stop watch, remove those rows, and start it again",
            )
        for file, rows in self._strangers.items():
            unknown = [
                held.seq
                for held in rows
                if not _is_known(later, held.id) or not explained(held.seq)
            ]
            if unknown:
                yield Difference(
                    self._where,
                    f"{file} holds {_ranges(unknown)} that this ledger does not know",
                    "an earlier ledger's, or a changed id: move them out of the folder",
                )
        for place in self._torn:
            # A delivery that is under way, or that the next start finishes.
            if not (position.planned or position.pending(head)):
                yield Difference(
                    self._where, f"{place} is not whole", "stop watch and remove the torn line"
                )


def _is_known(db: sqlite3.Connection, key: str) -> bool:
    return db.execute("SELECT 1 FROM rows WHERE id=?", (key,)).fetchone() is not None


def _stations(db: sqlite3.Connection, today: str) -> set[str]:
    """Every name that this station has had in the rows that are left, and today's."""
    found = db.execute(
        "SELECT DISTINCT json_extract(record, '$.station') FROM rows WHERE json_valid(record)"
    )
    return {today, *(name for (name,) in found if isinstance(name, str))}


def _ranges(seqs: Iterable[int]) -> str:
    spans = [
        str(to) if to == after + 1 else f"{after + 1}-{to}" for after, to in intervals(seqs).spans
    ]
    more = f" and {len(spans) - _MOST_RANGES} more" if len(spans) > _MOST_RANGES else ""
    return f"seq {', '.join(spans[:_MOST_RANGES])}{more}"
