"""The whole walk beside the bare loop of the same stages over the same pictures, waiting.

The walk is `markwatch watch` as a process of its own, with MQTT (mosquitto), Parquet and CSV. It is
running and warm when the pictures come, all at once; its time is the ledger's own, from the first
claim to the last commit, its processor time and memory that of all its processes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.bench.bare import Bare, Picture, recipe_file, ring, samples
from flows.bench.figure import Figure, Say, Target
from flows.bench.station import PROGRAM, Station, mosquitto
from flows.cluster.place import cores

PART = "pipeline"
SCHEDULERS = ("threads", "worker")
LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pictures that wait, small ones and of 8 megapixels; how often each way has its turn."""

    pictures: int = 200
    large: int = 100
    rounds: int = 3


FULL = Sizes(pictures=500, large=500, rounds=5)
QUICK = Sizes(pictures=4, large=1, rounds=1)


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """The bare loop and both schedulers in turns, for each set of pictures."""
    small = [picture for picture in samples() if picture.camera == LABELS]
    sets = {
        "small labels": [small[number % len(small)] for number in range(sizes.pictures)],
        "8 megapixels": [ring()] * sizes.large,
    }
    for name, pictures in sets.items():
        taken: dict[tuple[str, str], list[float]] = {}
        for turn in range(sizes.rounds):
            say(f"{len(pictures)} pictures ({name}), round {turn + 1} of {sizes.rounds}")
            with Bare() as bare:
                rate, cpu = bare.rate(pictures, cores())
                keep(taken, f"bare loop, {cores()} threads", rate=rate, cpu=cpu)
                if turn == 0:
                    rate, cpu = bare.rate(pictures, 1)
                    keep(taken, "bare loop, 1 thread", rate=rate, cpu=cpu)
            for scheduler in SCHEDULERS:
                root = folder / f"pipeline-{scheduler}"
                rate, cpu, peak = walk(root, pictures, scheduler)
                keep(taken, f"walk, {scheduler}", rate=rate, cpu=cpu, peak=peak)
                shutil.rmtree(root)
        yield from _figures(name, taken)


def keep(taken: dict[tuple[str, str], list[float]], who: str, **values: float) -> None:
    """Add a sample to each quantity of a contender."""
    for what, value in values.items():
        taken.setdefault((who, what), []).append(value)


def _figures(name: str, taken: dict[tuple[str, str], list[float]]) -> Iterator[Figure]:
    bare = f"bare loop, {cores()} threads, {name}"
    targets = {
        "rate": ("pictures/s", Target("ratio", at_least=0.9)),
        "cpu": ("CPU ms a picture", Target("ratio", at_most=1.15)),
        "peak": ("MB peak RSS", None),
    }
    for (who, what), samples_ in taken.items():
        unit, target = targets[what]
        is_walk = who.startswith("walk")
        yield Figure(
            PART,
            f"{who}, {name}",
            unit,
            tuple(samples_),
            peer=bare if is_walk and what != "peak" else None,
            paired=True,
            target=target if is_walk else None,
        )


def walk(root: Path, pictures: Sequence[Picture], scheduler: str) -> tuple[float, float, float]:
    """Pictures a second, processor milliseconds a picture, and peak memory in MB."""
    root.mkdir()
    with mosquitto(root) as port:
        station = ready(root / "station", pictures, scheduler, port)
        waiting = station.layout.root / "waiting"
        waiting.mkdir()
        named = [
            (waiting / f"{number:05d}{picture.path.suffix}", picture)
            for number, picture in enumerate(pictures)
        ]
        for path, picture in named:
            shutil.copyfile(picture.path, path)
        with station.running():
            warmed = warm_up(station, pictures)
            before = station.cost()
            for path, picture in named:
                path.rename(station.inbox(picture.camera) / path.name)
            station.wait(lambda: station.reported() == warmed + len(pictures), 0.2)
            cost = station.cost()
        # Of the pictures that waited: those of the warm-up were claimed before.
        ((first, last),) = station.query(
            "SELECT (SELECT MIN(arrived_at) FROM images WHERE name NOT LIKE 'warm%'),"
            " (SELECT MAX(read_at) FROM rows)"
        )
    elapsed = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    count = len(pictures)
    return count / elapsed, (cost.cpu_seconds - before.cpu_seconds) * 1000 / count, cost.peak_mb


def ready(
    root: Path, pictures: Sequence[Picture], scheduler: str, port: int, program: str = PROGRAM
) -> Station:
    """A station with the recipes of these pictures' cameras, and this broker."""
    site = (
        f"sinks: {{mqtt: {{host: 127.0.0.1, port: {port}}}}}\ncluster: {{scheduler: {scheduler}}}\n"
    )
    station = Station(root, site, "fields: [{}]\n", program=program)
    for camera in {picture.camera for picture in pictures}:
        shutil.copyfile(recipe_file(camera), station.layout.recipes / f"{camera}.yaml")
        station.inbox(camera)
    return station


def warm_up(station: Station, pictures: Sequence[Picture]) -> int:
    """Let it read two pictures of each camera, so that nothing is loaded later; how many."""
    count = 0
    for picture in {picture.camera: picture for picture in pictures}.values():
        for number in range(2):
            name = f"warm-{number}{picture.path.suffix}"
            partial = station.layout.root / name
            shutil.copyfile(picture.path, partial)
            partial.rename(station.inbox(picture.camera) / name)
            count += 1
    station.wait(lambda: station.reported() == count)
    return count
