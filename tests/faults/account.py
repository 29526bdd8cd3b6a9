"""The account that every gate closes with: what was dropped against what came out.

A picture is lost when it is neither delivered, nor in `failed/`, nor pending in the ledger (or
still in its inbox). It is known by its bytes, which no other has. The ledger, both trees of files
and the sinks' rows are held against each other, and `seq` must be gapless.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faults.gate import BrokenError
from faults.pictures import Dropped
from plants import Plant

from flows.commands import status


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the pictures; `lost` and `repeated` name them."""

    delivered: int
    failed: int
    pending: int
    lost: tuple[str, ...]
    repeated: tuple[str, ...]
    wrong: tuple[str, ...]
    left: tuple[str, ...]

    def insist(self) -> Account:
        """Raises `BrokenError` unless nothing was lost, nothing repeated and nothing is wrong."""
        for what, names in (("lost", self.lost), ("repeated", self.repeated)):
            if names:
                raise BrokenError(f"{len(names)} pictures {what}: {', '.join(names[:5])}")
        if self.wrong:
            raise BrokenError("; ".join(self.wrong[:5]))
        return self

    def done(self) -> Account:
        """`insist`, and that nothing is left to do."""
        if self.insist().pending:
            raise BrokenError(f"{self.pending} pictures are still pending")
        if self.left:
            raise BrokenError(f"work/ still holds {self.left[0]}")
        return self


def account(plant: Plant, dropped: Iterable[Dropped]) -> Account:
    """Close the account of a plant whose process has ended."""
    wanted = {one.sha256: one.name for one in dropped}
    states: dict[str, list[str]] = {}
    wrong: list[str] = []
    unhashed: set[str] = set()
    for name, state, sha256, target, reason in plant.query(
        "SELECT name, state, sha256, target, reason FROM images"
    ):
        if sha256 is None:
            unhashed.add(name)
        states.setdefault(sha256 or name, []).append(
            "failed" if reason and state == "archived" else state
        )
        if sha256 and sha256 not in wanted:
            wrong.append(f"{name}: other bytes were read than were dropped")
        if state == "archived":
            wrong.extend(_misfiled(plant, name, target.decode(), sha256))
    inbox = {hashlib.sha256(path.read_bytes()).hexdigest() for path in plant.filed("inbox")}
    known = states.keys() | inbox
    accounted = known | unhashed
    lost = [name for key, name in wanted.items() if not {key, name} & accounted]
    repeated = [wanted.get(key, key) for key, found in states.items() if len(found) > 1]
    repeated += [wanted[key] for key in inbox & states.keys() & wanted.keys()]
    every = Counter(state for found in states.values() for state in found)
    pending = sum(every[state] for state in ("intended", "claimed", "reported"))
    return Account(
        delivered=every["archived"],
        failed=every["failed"],
        pending=pending + len(inbox & wanted.keys()),
        lost=tuple(lost),
        repeated=tuple(repeated),
        wrong=(*wrong, *_rows_differ(plant)),
        left=tuple(path.name for path in plant.filed("work")),
    )


def status_of(plant: Plant) -> dict[str, Any]:
    """What `markwatch status --json` tells, without starting a process for it."""
    return status.status(plant.layout, datetime.now(UTC))


def _misfiled(plant: Plant, name: str, target: str, sha256: str | None) -> Iterable[str]:
    path = Path(plant.root, target)
    if not path.is_file():
        yield f"{name}: not at {target}"
    elif sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        yield f"{name}: {target} holds other bytes than were read"


def _rows_differ(plant: Plant) -> Iterable[str]:
    """What the sinks that write files hold against the ledger: each row once, in order."""
    ledger = plant.query("SELECT seq, id FROM rows ORDER BY seq")
    if [seq for seq, _ in ledger] != list(range(1, len(ledger) + 1)):
        yield "seq has a gap"
    sinks = status_of(plant)["sinks"]
    owed = {name: found["pending"] for name, found in sinks.items()}
    for sink, rows in (("parquet", plant.parquet_rows()), ("csv", plant.csv_rows())):
        held = [(int(row["seq"]), row["id"]) for row in rows]
        if repeats := [key for key, count in Counter(held).items() if count > 1]:
            yield f"{sink} holds {repeats[0]} twice"
        elif extra := set(held) - set(ledger):
            yield f"{sink} holds {min(extra)}, which the ledger does not"
        elif len(ledger) - len(held) != owed.get(sink, 0):
            yield f"{sink} holds {len(held)} of {len(ledger)} rows, {owed.get(sink)} pending"
