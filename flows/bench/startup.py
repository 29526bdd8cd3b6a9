"""From the start to the first reading, stage by stage, and `markwatch --help`.

A picture waits in the inbox when `watch` starts. The process tells when it has its imports and its
settings; its log says when the engines are loaded and when it watches; the row has the times of the
claim and of the commit. Each stage is the time since the one before it.
"""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from flows.bench.bare import samples
from flows.bench.figure import Figure, Say, Target, interleaved
from flows.bench.pipeline import LABELS, SCHEDULERS, ready
from flows.bench.station import Station, mosquitto

PART = "startup"
HELP_SECONDS = 0.4
FIRST_READING_SECONDS = 8.0
STAGES = ("interpreter", "imports", "settings", "worker and models", "watching", "claim", "reading")
_TOLD = """\
import sys, time
def tell(event):
    print('{"event": "%s", "timestamp": %r}' % (event, time.time()), file=sys.stderr, flush=True)
tell("interpreter")
from flows.cli import main
from flows.commands import running
tell("imports")
from pathlib import Path
from flows.configuration import settings
settings.load(Path(sys.argv[-1]))
tell("settings")
main()
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often each has its turn; one more goes before, so that the disk's cache is warm."""

    rounds: int = 5
    help_rounds: int = 11


QUICK = Sizes(rounds=1, help_rounds=1)


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """`--help` beside a bare interpreter, then both schedulers in turns."""
    say("markwatch --help")
    taken = interleaved(
        sizes.help_rounds,
        {
            "bare": _process("-c", "pass"),
            "help": _process("-c", "from flows.cli import main; main()", "--help"),
        },
    )
    yield Figure(PART, "python -c pass", "s", taken["bare"])
    yield Figure(
        PART,
        "markwatch --help",
        "s",
        taken["help"],
        peer="python -c pass",
        paired=True,
        target=Target("value", at_most=HELP_SECONDS),
    )

    def start(scheduler: str) -> dict[str, float]:
        return started(folder / "startup", scheduler)

    runs: dict[str, list[dict[str, float]]] = {scheduler: [] for scheduler in SCHEDULERS}
    for turn, scheduler in itertools.product(range(sizes.rounds + 1), SCHEDULERS):
        say(f"{scheduler}, start {turn + 1} of {sizes.rounds + 1}")
        times = start(scheduler)
        # The first one finds cold caches.
        if turn:
            runs[scheduler].append(times)
    for scheduler, found in runs.items():
        yield from _figures(scheduler, found)


def _process(*arguments: str) -> Callable[[], float]:
    def once() -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin

    return once


def started(root: Path, scheduler: str) -> dict[str, float]:
    """Seconds from the start to the end of each stage, and `cpu`: of the processor till then."""
    picture = next(each for each in samples() if each.camera == LABELS)
    root.mkdir()
    try:
        with mosquitto(root) as port:
            station = ready(root / "station", [picture], scheduler, port, program=_TOLD)
            shutil.copyfile(picture.path, station.inbox(picture.camera) / picture.path.name)
            began = time.time()
            with station.running():
                station.wait(lambda: station.reported() == 1)
                cpu = station.cost().cpu_seconds
                at = moments(station)
    finally:
        shutil.rmtree(root)
    return {"cpu": cpu, **{stage: at[stage] - began for stage in STAGES}}


def moments(station: Station) -> Mapping[str, float]:
    lines = [json.loads(line) for line in station.log().splitlines() if line.startswith("{")]
    at: dict[str, float] = {}
    for line in lines:
        stamp = line["timestamp"]
        event = "worker and models" if line["event"] == "loaded" else line["event"]
        moment = stamp if isinstance(stamp, float) else datetime.fromisoformat(stamp).timestamp()
        at.setdefault(event, moment)
    ((claimed, committed),) = station.query(
        "SELECT arrived_at, read_at FROM images JOIN rows ON rows.image = images.id"
        " ORDER BY seq LIMIT 1"
    )
    at["claim"] = datetime.fromisoformat(claimed).timestamp()
    at["reading"] = datetime.fromisoformat(committed).timestamp()
    return at


def _figures(scheduler: str, runs: list[dict[str, float]]) -> Iterator[Figure]:
    yield Figure(
        PART,
        f"start to first reading, {scheduler}",
        "s",
        tuple(run["reading"] for run in runs),
        target=Target("value", at_most=FIRST_READING_SECONDS),
    )
    spent = tuple(run["cpu"] for run in runs)
    yield Figure(PART, f"{scheduler}: processor time till then", "s", spent)
    before: str | None = None
    for stage in STAGES:
        yield Figure(
            PART,
            f"{scheduler}: {stage}",
            "s",
            tuple(run[stage] - (run[before] if before else 0.0) for run in runs),
        )
        before = stage
