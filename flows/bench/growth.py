"""Growth: what more files in the inbox, and more cameras, cost a `watch`.

With a recogniser that takes no time, what is left is markwatch itself. The cost must not depend on
how much waits: the inbox is the buffer. Files are laid before a `watch` as it is shipped too, whose
memory is mostly its model's.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.bench.figure import Figure, Say, Target
from flows.bench.pretending import NAME, RECIPE, picture, plugin_folder
from flows.bench.station import Station

PART = "growth"
CAMERAS = 8
SITE = f"""
cluster: {{scheduler: threads, threads: 2}}
recogniser: {{use: {NAME}}}
sinks: {{mqtt: null, parquet: null}}
log: {{level: warning}}
"""
SHIPPED = """
sinks: {mqtt: null, parquet: null}
log: {level: warning}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many files wait, at how many cameras; `reports` end a run; each goes `rounds` times.

    `readings` end a run with the shipped recogniser.
    """

    files: tuple[int, ...] = (1_000, 10_000)
    cameras: tuple[int, ...] = (1, 10, 50)
    files_of_cameras: int = 2_000
    reports: int = 5_000
    readings: int = 300
    rounds: int = 3


FULL = Sizes(files=(1_000, 10_000, 100_000), cameras=(1, 10, 50, 200))
QUICK = Sizes(files=(20, 60), cameras=(1, 4), files_of_cameras=20, reports=20, readings=5, rounds=1)


@dataclass(frozen=True, slots=True)
class Run:
    """One `watch` from its start: seconds to the first result, then the rate, cost and memory."""

    first_seconds: float
    pictures_per_second: float
    cpu_ms_a_picture: float
    peak_mb: float


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """Files, then cameras, then files before the shipped recogniser; each size has its turn."""
    plugin = plugin_folder(folder)
    for axis, site, numbers, reports in (
        ("files waiting", SITE, sizes.files, sizes.reports),
        ("cameras", SITE, sizes.cameras, sizes.reports),
        ("files waiting", SHIPPED, sizes.files, sizes.readings),
    ):
        by = f"by {axis}{', as shipped' if site is SHIPPED else ''}"
        runs: dict[int, list[Run]] = {number: [] for number in numbers}
        for turn in range(sizes.rounds):
            for number in numbers:
                files = number if axis == "files waiting" else sizes.files_of_cameras
                cameras = CAMERAS if axis == "files waiting" else number
                say(f"{by}: {number:,}, round {turn + 1} of {sizes.rounds}")
                root = folder / "growth"
                runs[number].append(
                    run(Station(root, site, RECIPE, plugin=plugin), files, cameras, reports)
                )
                shutil.rmtree(root)
        yield from _figures(axis, by, runs)


def run(station: Station, files: int, cameras: int, reports: int) -> Run:
    """Lay the files there, start `watch`, and stop it after so many reports."""
    inboxes = [station.inbox(f"cam-{number:03d}") for number in range(cameras)]
    for number in range(files):
        (inboxes[number % cameras] / f"{number:07d}.png").write_bytes(picture(number))
    wanted = min(files, reports)
    began = time.time()
    with station.running():
        station.wait(lambda: station.reported() > 0)
        begin, spent = time.monotonic(), station.cost().cpu_seconds
        already = station.reported()
        station.wait(lambda: station.reported() >= wanted)
        seconds, cost = time.monotonic() - begin, station.cost()
        done = station.reported()
        ((first,),) = station.query("SELECT read_at FROM rows WHERE seq = 1")
    counted = max(1, done - already)
    return Run(
        datetime.fromisoformat(first).timestamp() - began,
        counted / seconds,
        1000 * (cost.cpu_seconds - spent) / counted,
        cost.peak_mb,
    )


def _figures(axis: str, by: str, runs: dict[int, list[Run]]) -> Iterator[Figure]:
    quantities = (
        (f"time to the first result {by}", "s", "first_seconds", None),
        (f"rate {by}", "pictures/s", "pictures_per_second", None),
        (f"processor time a picture {by}", "ms", "cpu_ms_a_picture", None),
        (f"peak RSS {by}", "MB", "peak_mb", Target("ratio", at_most=1.2)),
    )
    least = min(runs)
    for series, unit, name, target in quantities:
        for number, taken in runs.items():
            yield Figure(
                PART,
                series,
                unit,
                tuple(getattr(each, name) for each in taken),
                axis=axis,
                at=number,
                peer=None if number == least else series,
                peer_at=least,
                paired=True,
                target=None if number == least else target,
            )
