"""The whole walk beside a bare loop of the same stages over the same pictures, and its latency.

The bare loop is what the walk cannot beat: decode to map, in one process, no watching, ledger,
sinks or Dask. The walk is `markwatch watch` as a process of its own, with MQTT, Parquet and CSV.
"""

from __future__ import annotations

import csv
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from flows import graph
from flows.cluster import cores
from flows.commands import site
from flows.commands.broker import EmbeddedBroker
from flows.commands.reading import image_of
from flows.commands.subscriber import Subscriber
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from flows.engines import ENGINES
from stages.errors import ConfigError
from stages.records import Failure

WAIT_SECONDS = 600.0
POLL_SECONDS = 0.005
COARSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample and its camera."""

    path: Path
    camera: str


def bench(pictures: int, drops: int) -> None:
    """Measure and print; `pictures` waiting for throughput, `drops` one at a time for latency."""
    checkout = Path(__file__).resolve().parents[2]
    samples = _samples(checkout / "data" / "samples")
    waiting = [samples[number % len(samples)] for number in range(pictures)]
    console = Console()
    console.print(f"{pictures} pictures waiting, {drops} dropped one at a time, {cores()} cores")
    with tempfile.TemporaryDirectory(prefix="markwatch-bench-") as folder:
        base = Path(folder)
        one = _bare(checkout, waiting, threads=1)
        every = _bare(checkout, waiting, threads=cores())
        table = Table("throughput", "pictures/s", "of the bare loop on as many threads", box=None)
        table.add_row("bare loop, 1 thread", f"{one:.1f}", "")
        table.add_row(f"bare loop, {cores()} threads", f"{every:.1f}", "")
        for scheduler in ("threads", "worker"):
            rate = _walk(base / f"walk-{scheduler}", checkout, waiting, scheduler)
            table.add_row(f"walk, scheduler: {scheduler}", f"{rate:.1f}", f"{rate / every:.2f}")
        console.print(table)
        table = Table("drop to MQTT message", "p50 ms", "p99 ms", "max ms", box=None)
        single = _single(checkout, samples)
        table.add_row("bare loop, one picture", f"{statistics.median(single):.0f}", "", "")
        for scheduler in ("threads", "worker"):
            for manner, drop in (("renamed in", _rename), ("written and closed", _write)):
                delays = _latency(
                    base / f"latency-{scheduler}-{manner[0]}",
                    checkout,
                    samples,
                    drops,
                    scheduler,
                    drop,
                )
                cuts = statistics.quantiles(delays, n=100, method="inclusive")
                head = f"{scheduler}, {manner}"
                table.add_row(head, f"{cuts[49]:.0f}", f"{cuts[98]:.0f}", f"{max(delays):.0f}")
        console.print(table)
    console.print("A file that is written and closed is tried after intake.quiet_seconds (300 ms).")


def _samples(folder: Path) -> list[Picture]:
    listing = folder / "expected.csv"
    if not listing.is_file():
        raise ConfigError(f"the benchmark needs the sample pictures in {folder}: run a checkout")
    with listing.open(newline="", encoding="utf-8") as file:
        return [Picture(folder / row["file"], row["camera"]) for row in csv.DictReader(file)]


def _plans(checkout: Path) -> tuple[settings.Settings, dict[str, recipes.Recipe]]:
    configured = settings.load(checkout)
    layout = Layout(checkout)
    names = recipes.names(layout)
    return configured, {name: recipes.load(layout, name, configured.recogniser) for name in names}


def _read(
    picture: Picture, plans: dict[str, recipes.Recipe], configured: settings.Settings
) -> None:
    """The bare loop's body: the graph's own functions, called one after another."""
    image = image_of(picture.path)
    if isinstance(image, Failure):
        raise ConfigError(f"{picture.path}: {image.reason}")
    plan = plans[picture.camera]
    graph.run_here([image], plan, configured.decode)


def _bare(checkout: Path, pictures: Sequence[Picture], threads: int) -> float:
    configured, plans = _plans(checkout)
    with ThreadPoolExecutor(threads) as pool:
        barrier = threading.Barrier(threads)

        def warm(_: int) -> None:
            barrier.wait()
            for picture in pictures[:2]:
                _read(picture, plans, configured)

        list(pool.map(warm, range(threads)))
        begin = time.perf_counter()
        list(pool.map(lambda picture: _read(picture, plans, configured), pictures))
        elapsed = time.perf_counter() - begin
    ENGINES.close()
    return len(pictures) / elapsed


def _single(checkout: Path, samples: Sequence[Picture]) -> list[float]:
    configured, plans = _plans(checkout)
    _read(samples[0], plans, configured)
    delays = []
    for picture in samples:
        begin = time.perf_counter()
        _read(picture, plans, configured)
        delays.append((time.perf_counter() - begin) * 1000)
    ENGINES.close()
    return delays


@contextmanager
def _watching(root: Path, scheduler: str, port: int) -> Iterator[None]:
    """A watch process in this root for as long as the block lasts."""
    environment = {
        **os.environ,
        "MARKWATCH__CLUSTER__SCHEDULER": scheduler,
        "MARKWATCH__SINKS__MQTT__HOST": "127.0.0.1",
        "MARKWATCH__SINKS__MQTT__PORT": str(port),
    }
    command = [sys.executable, "-c", "from flows.cli import main; main()", "watch"]
    with (root / "watch.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--root", str(root)], env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_SECONDS)


def _root(root: Path, checkout: Path) -> Layout:
    site.init(root)
    layout = Layout(root)
    shutil.copytree(checkout / "conf" / "recipes", layout.recipes, dirs_exist_ok=True)
    return layout


def _walk(root: Path, checkout: Path, pictures: Sequence[Picture], scheduler: str) -> float:
    """Pictures a second from the first claim to the last commit, by the ledger's own times."""
    layout = _root(root, checkout)
    for number, picture in enumerate(pictures):
        folder = layout.root / "data" / "inbox" / picture.camera
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture.path, folder / f"{number:05d}{picture.path.suffix}")
    with EmbeddedBroker(port=0) as broker, _watching(root, scheduler, broker.port):
        # The ledger tells the times: looking at it more often would only take from the walk.
        _until(lambda: _count(layout) == len(pictures), COARSE_SECONDS)
    with closing(_ledger(layout)) as db:
        first, last = db.execute(
            "SELECT (SELECT MIN(arrived_at) FROM images), (SELECT MAX(read_at) FROM rows)"
        ).fetchone()
    elapsed = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return len(pictures) / elapsed.total_seconds()


def _latency(
    root: Path,
    checkout: Path,
    samples: Sequence[Picture],
    drops: int,
    scheduler: str,
    drop: Callable[[Path, Path], float],
) -> list[float]:
    """Milliseconds from a drop to its message at a subscriber, one picture at a time."""
    layout = _root(root, checkout)
    for camera in {picture.camera for picture in samples}:
        (layout.root / "data" / "inbox" / camera).mkdir()
    delays = []
    with (
        EmbeddedBroker(port=0) as broker,
        Subscriber(broker.port) as subscriber,
        _watching(root, scheduler, broker.port),
    ):
        _until(subscriber.online.is_set)
        for number in range(drops + 3):
            picture = samples[number % len(samples)]
            folder = layout.root / "data" / "inbox" / picture.camera
            begin = drop(picture.path, folder / f"{number:05d}{picture.path.suffix}")
            _until(lambda number=number: len(subscriber.rows()) > number)
            # The first few find cold caches.
            if number >= 3:
                delays.append((time.perf_counter() - begin) * 1000)
    return delays


def _rename(source: Path, target: Path) -> float:
    partial = target.with_name(target.name + ".part")
    shutil.copyfile(source, partial)
    begin = time.perf_counter()
    partial.rename(target)
    return begin


def _write(source: Path, target: Path) -> float:
    shutil.copyfile(source, target)
    return time.perf_counter()


def _until(true: Callable[[], bool], poll_seconds: float = POLL_SECONDS) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"the walk did not finish within {WAIT_SECONDS:g} s")
        time.sleep(poll_seconds)


def _ledger(layout: Layout) -> sqlite3.Connection:
    return sqlite3.connect(f"{layout.ledger.as_uri()}?mode=ro", uri=True)


def _count(layout: Layout) -> int:
    if not layout.ledger.is_file():
        return 0
    with closing(_ledger(layout)) as db:
        try:
            return db.execute("SELECT COALESCE(SUM(reported), 0) FROM cameras").fetchone()[0]
        except sqlite3.OperationalError:
            return 0
