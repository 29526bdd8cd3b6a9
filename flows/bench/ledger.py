"""What a longer ledger costs: its start-up, a commit, `status` and `audit`, at each length.

A commit is everything that the ledger is told of a picture: the intent, the claim, the attempt, the
report and the filing, in groups as `watch` makes them, each transaction synced to the disk.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uuid_utils

from flows import vocabulary
from flows.bench.figure import Figure, Say, Target
from flows.bench.filling import STATION, fill, report
from flows.commands import site
from flows.configuration.settings import Layout
from flows.ledger.log import Claim, Ledger, Outcome
from stages.errors import ConfigError
from stages.records import ImageRef

PART = "ledger"
AXIS = "rows in the ledger"
LEAST_READINGS_PER_SECOND = 2_000
BYTES_PER_ROW = 3_000
"""What a row takes on the disk with its picture and indexes, and something over."""

_TRANSACTIONS = 5
_LIMIT = "limit: append and sync a picture"
_SITE = "sinks: {mqtt: null, parquet: null, csv: null, scada: {use: mqtt, host: 127.0.0.1}}\n"
_COMMAND = (sys.executable, "-c", "from flows.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Sizes:
    """The lengths; pictures of a group, groups a round, rounds; audits of each length."""

    rows: tuple[int, ...] = (10_000, 100_000)
    groups: tuple[int, ...] = (8, 64)
    groups_a_round: int = 20
    rounds: int = 5
    audits: int = 1


FULL = Sizes(rows=(10_000, 100_000, 1_000_000, 10_000_000))
QUICK = Sizes(rows=(50, 200), groups=(8,), groups_a_round=2, rounds=1)


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """Make all ledgers, then measure them in turns.

    Raises:
        ConfigError: the disk is too small for the longest.
    """
    now = datetime.now(UTC)
    layouts = {}
    for rows in sizes.rows:
        free = shutil.disk_usage(folder).free
        if free < rows * BYTES_PER_ROW:
            raise ConfigError(
                f"a ledger of {rows:,} rows takes {rows * BYTES_PER_ROW / 1e9:.0f} GB, and"
                f" {folder} has {free / 1e9:.0f} GB free; set TMPDIR, or ask for fewer rows"
            )
        say(f"making a ledger of {rows:,} rows")
        layouts[rows] = made_root(folder / f"ledger-{rows}", rows, now)
    least = min(sizes.rows)
    for rows, layout in layouts.items():
        say(f"auditing {rows:,} rows")
        seconds = [_command(layout, "audit") for _ in range(sizes.audits)]
        yield _figure("audit", "s", rows, least, seconds)
        yield _figure("audit, a row", "us", rows, least, [each / rows * 1e6 for each in seconds])
    say(f"start-up, status and commits, {sizes.rounds} rounds")
    taken: dict[tuple[str, int], list[float]] = {}
    for _, (rows, layout) in itertools.product(range(sizes.rounds), layouts.items()):
        for name, value in _round(layout, sizes):
            taken.setdefault((name, rows), []).append(value)
    for (name, rows), samples in sorted(taken.items()):
        yield _figure(name, "ms", rows, least, samples)
        if name.startswith("commit"):
            yield Figure(
                PART,
                name.replace("commit a picture", "committed readings"),
                "1/s",
                tuple(1000 / each for each in samples),
                axis=AXIS,
                at=rows,
                target=Target("value", at_least=LEAST_READINGS_PER_SECOND),
            )


def made_root(root: Path, rows: int, now: datetime) -> Layout:
    """A new root with a ledger of so many rows."""
    site.init(root)
    layout = Layout(root)
    (layout.conf / "markwatch.yaml").write_text(_SITE, encoding="utf-8")
    fill(layout, rows, now)
    return layout


def _round(layout: Layout, sizes: Sizes) -> Iterator[tuple[str, float]]:
    begin = time.perf_counter()
    with Ledger(layout.ledger, lambda: datetime.now(UTC), root=layout.root) as ledger:
        ledger.unfinished()
        yield "open", (time.perf_counter() - begin) * 1000
        for group in sizes.groups:
            spent = synced = 0.0
            for _ in range(sizes.groups_a_round):
                made = _outcomes(layout, group)
                begin = time.perf_counter()
                _tell(ledger, made)
                spent += time.perf_counter() - begin
                synced += _append(layout, made)
            pictures = sizes.groups_a_round * group
            yield f"commit a picture, {group} at once", spent * 1000 / pictures
            yield f"{_LIMIT}, {group} at once", synced * 1000 / pictures
    yield "status, a process", _command(layout, "status", "--json") * 1000


def _outcomes(layout: Layout, count: int) -> list[Outcome]:
    """New pictures with their reports; none has a file."""
    at = datetime.now(UTC)
    outcomes = []
    for number in range(count):
        key = str(uuid_utils.uuid7())
        done = report(number, key, str(layout.root / "data" / "work" / f"{key}.png"), at)
        outcomes.append(Outcome(done, f"data/archive/{done.image.camera}/{key}.png"))
    return outcomes


def _tell(ledger: Ledger, outcomes: list[Outcome]) -> None:
    """Take pictures all the way, as `watch` tells the ledger of them."""
    images = [outcome.result.image for outcome in outcomes]
    keys = [image.id for image in images]
    ledger.intend(
        Claim(image.id, f"/inbox/{image.name}", f"data/work/{image.id}.png", *_about(image))
        for image in images
    )
    ledger.claimed(images)
    ledger.attempt(keys, alone=False)
    ledger.commit(outcomes, STATION)
    ledger.archived(keys)


def _about(image: ImageRef) -> tuple[str, str, int, int]:
    return image.camera, image.name, image.size, 0


def _append(layout: Layout, outcomes: list[Outcome]) -> float:
    """Seconds to append the records to a plain file, synced as often as the ledger syncs."""
    now = datetime.now(UTC)
    records = [
        vocabulary.to_json(row).encode()
        for outcome in outcomes
        for row in vocabulary.rows(outcome.result, station=STATION, first_seq=1, read_at=now)
    ]
    with (layout.state / "appended").open("ab") as file:
        begin = time.perf_counter()
        for _ in range(_TRANSACTIONS - 1):
            file.write(b"0" * 100 * len(outcomes))
            file.flush()
            os.fsync(file.fileno())
        file.writelines(records)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - begin


def _command(layout: Layout, *arguments: str) -> float:
    """Seconds that a command takes, from its start to its end."""
    begin = time.perf_counter()
    done = subprocess.run(
        [*_COMMAND, *arguments, "--root", str(layout.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or done.stderr:
        raise ConfigError(
            f"`markwatch {arguments[0]}` failed: {(done.stderr or done.stdout)[-500:]}"
        )
    return time.perf_counter() - begin


def _figure(name: str, unit: str, rows: int, least: int, samples: list[float]) -> Figure:
    is_cost = name.startswith("commit")
    peer = name if rows != least else None
    if is_cost and rows == least:
        peer = name.replace("commit a picture", _LIMIT)
    return Figure(
        PART,
        name,
        unit,
        tuple(samples),
        axis=AXIS,
        at=rows,
        peer=peer,
        peer_at=least,
        paired=True,
        target=Target("ratio", at_most=1.2) if is_cost and rows != least else None,
    )
