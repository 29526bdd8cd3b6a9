"""A long run: memory and open files must stay where they are once the flow has warmed up.

First tiny pictures by the hundred thousand with the null recogniser, MQTT to a real broker; then
pictures of codes with the real recogniser. What grows is told per picture and per hour.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import poison
import psutil
from faults.account import account
from faults.gate import Figures, Gate, Trial
from faults.hearing import mosquitto
from faults.pictures import RECIPE, SITE, drop
from faults.progress import wait_on
from plants import Plant, run

PICTURES, READ_FOR_REAL = 200_000, 5_000
WARM_SHARE = 0.25
AHEAD = 1_000
"""So many pictures wait at most: a soak is no backlog."""

CAMERAS = 4
LOOK_SECONDS = 0.25
GROWTH_MB = 16.0
"""What the last fifth of the looks may have over the first: caches fill in steps of a few MB."""

MORE_FILES = 8
ENOUGH = 500
"""With fewer pictures what grows is the warming up."""

QUICK = f"log: {{level: warning}}\n{SITE}".replace("threads: 2", "threads: 2, max_chunk: 32")
REAL = QUICK.replace("recogniser: {use: scripted}", "")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process and its children."""

    at: float
    pictures: int
    mb: float
    own_mb: float
    files: int


def soak(trial: Trial) -> Figures:
    """Feed the plant steadily and look at it."""
    count, real = trial.of(PICTURES, 500), trial.of(READ_FOR_REAL, 0)
    with mosquitto(trial.folder) as broker:
        address = f"{{host: 127.0.0.1, port: {broker.start().port}}}"
        plant = trial.plant("plant", QUICK.replace("mqtt: null", f"mqtt: {address}"), RECIPE)
        dropped = []
        quick = _feed(
            plant,
            count,
            lambda number: dropped.append(drop(plant.inbox(f"cam-{number % CAMERAS}"), number)),
        )
        trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    account(plant, dropped).done()
    measured = _judge(trial, quick, count)
    if real:
        plant = trial.plant("real", REAL, "fields: [{detect: {use: whole}}]\n")
        found = _feed(plant, real, lambda number: _code(plant.inbox("cam"), number))
        trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
        audited = run("audit", "--root", str(plant.root))
        trial.expect(audited.returncode == 0, f"audit: {audited.stdout[-500:]}")
        told = _judge(trial, found, real)
        measured |= {f"real recogniser: {name}": value for name, value in told.items()}
    return Figures(size=f"{count:,} pictures, {real:,} with the real recogniser", measured=measured)


GATE = Gate(10, "soak", soak)


def _code(inbox: Path, number: int) -> None:
    partial = inbox / f"{number:06d}.part"
    partial.write_bytes(poison.encode(poison.draw(f"K{number:05d}"), "PNG"))
    partial.rename(partial.with_suffix(".png"))


def _feed(plant: Plant, count: int, act: Callable[[int], object]) -> list[Sample]:
    """Keep some pictures waiting until all are read; the looks after the warming up."""
    samples: list[Sample] = []
    over = threading.Event()
    plant.start()
    watcher = threading.Thread(target=_watch, args=(plant, samples, over))
    watcher.start()
    try:
        for number in range(count):
            if number % (AHEAD // 4) == 0:
                wait_on(
                    plant, lambda due=number - AHEAD: plant.reported() >= due, "reading steadily"
                )
            act(number)
        wait_on(plant, lambda: plant.reported() == count, "the last pictures")
    finally:
        over.set()
        watcher.join()
    return [sample for sample in samples if sample.pictures >= WARM_SHARE * count]


def _watch(plant: Plant, samples: list[Sample], over: threading.Event) -> None:
    assert plant.process is not None
    process = psutil.Process(plant.process.pid)
    while not over.wait(LOOK_SECONDS):
        family = [process, *process.children(recursive=True)]
        samples.append(
            Sample(
                time.monotonic(),
                plant.reported(),
                sum(one.memory_info().rss for one in family) / (1 << 20),
                sum(own_memory(one.pid) for one in family) / (1 << 20),
                sum(one.num_fds() for one in family),
            )
        )


def _judge(trial: Trial, samples: list[Sample], count: int) -> dict[str, float]:
    pictures = [sample.pictures / 100_000 for sample in samples]
    hours = [(sample.at - samples[0].at) / 3600 for sample in samples]
    memory = [sample.mb for sample in samples]
    own = [sample.own_mb for sample in samples]
    files = [sample.files for sample in samples]
    fifth = max(1, len(samples) // 5)
    growth, own_growth = (
        statistics.median(values[-fifth:]) - statistics.median(values[:fifth])
        for values in (memory, own)
    )
    if count > ENOUGH:
        trial.expect(growth <= GROWTH_MB, f"memory grew by {growth:.1f} MB after warming up")
    words = f"from {files[0]} to {max(files)} open files"
    trial.expect(max(files) <= files[0] + MORE_FILES, words)
    return {
        "MB": memory[-1],
        "grew by MB": growth,
        "of it anonymous": own_growth,
        "RSS slope, MB in 100,000 pictures": _slope(pictures, memory),
        "MB an hour": _slope(hours, memory),
        "open files": files[-1],
        "open files, slope in 100,000 pictures": _slope(pictures, files),
        "pictures/s": (samples[-1].pictures - samples[0].pictures) / (3600 * hours[-1]),
    }


def own_memory(pid: int) -> int:
    """The bytes of a process that no file backs, which the kernel cannot drop and read again.

    0 where it does not tell.
    """
    if not psutil.LINUX:
        return 0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    return 0


def _slope(over: Sequence[float], values: Sequence[float]) -> float:
    return statistics.linear_regression(over, values).slope
