"""From a drop to the MQTT message at a subscriber: one at a time, and at shares of the capacity.

A picture is renamed into the inbox; the subscriber is a client of a real mosquitto. The row's own
times part the delay: settling (drop to claim), reading (claim to commit), delivery (commit to
message). Under load pictures come open-loop, at random (Poisson, always the same numbers), whether
the ones before are done or not, so that waiting is not left out of the figures.
"""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from flows import vocabulary
from flows.bench.bare import Bare, Picture, samples
from flows.bench.figure import Figure, Say, Target
from flows.bench.pipeline import SCHEDULERS, ready, warm_up
from flows.bench.station import STILL_SECONDS, Station, mosquitto

PART = "latency"
AXIS = "load, % of capacity"
OVERHEAD_MS = {"threads": 15.0, "worker": 30.0}
_STEPS = ("settling", "reading", "delivery")
_SEED = 20261121


@dataclass(frozen=True, slots=True)
class Sizes:
    """Drops one at a time, pictures for the capacity; loads in percent, and drops at each of them,
    at most as many as come in `most_seconds`.
    """

    drops: int = 105
    capacity: int = 210
    loads: tuple[int, ...] = (2, 10, 50, 80)
    loaded: int = 210
    most_seconds: float = 60.0


FULL = Sizes(drops=350, loaded=500, most_seconds=1200.0)
QUICK = Sizes(drops=2, capacity=4, loads=(50,), loaded=4, most_seconds=20.0)


@dataclass(frozen=True, slots=True)
class Delay:
    """One picture's way, in milliseconds."""

    whole: float
    settling: float
    reading: float
    delivery: float


class Listener:
    """A subscriber that notes when the message of each picture came."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._heard: dict[str, tuple[float, vocabulary.Row]] = {}
        self._came = threading.Condition()

    def __enter__(self) -> Self:
        import paho.mqtt.client as mqtt

        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("markwatch/+/+", qos=1)
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        now = time.time()
        if message.topic.rsplit("/", 1)[1] in ("reading", "late", "failed"):
            row = vocabulary.from_json(message.payload.decode())
            with self._came:
                self._heard.setdefault(row["image"], (now, row))
                self._came.notify_all()

    def delay(self, name: str, dropped: float) -> Delay:
        """Wait for a picture's message.

        Raises:
            TimeoutError: none came.
        """
        with self._came:
            if not self._came.wait_for(lambda: name in self._heard, STILL_SECONDS):
                raise TimeoutError(f"no message of {name} came in {STILL_SECONDS:g} s")
            heard, row = self._heard[name]
        claimed, committed = row["arrived_at"].timestamp(), row["read_at"].timestamp()
        ways = ((dropped, heard), (dropped, claimed), (claimed, committed), (committed, heard))
        return Delay(*((end - begin) * 1000 for begin, end in ways))


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """Both schedulers: one at a time in turns with the bare loop, the capacity, then each load."""
    pictures = samples()
    for scheduler in SCHEDULERS:
        root = folder / f"latency-{scheduler}"
        root.mkdir()
        with mosquitto(root) as port, Listener(port) as listener, Bare() as bare:
            station = ready(root / "station", pictures, scheduler, port)
            with station.running():
                say(f"{scheduler}: one at a time")
                warm_up(station, pictures)
                drops = Drops(station, listener)
                yield from _one_at_a_time(scheduler, drops, bare, pictures, sizes.drops)
                say(f"{scheduler}: capacity")
                capacity = drops.capacity(pictures, sizes.capacity)
                yield Figure(PART, f"capacity, {scheduler}", "pictures/s", (capacity,))
                for load in sizes.loads:
                    rate = capacity * load / 100
                    count = max(2, min(sizes.loaded, int(rate * sizes.most_seconds)))
                    say(f"{scheduler}: {count} pictures at {load} % of {capacity:.1f}/s")
                    delays = drops.at_rate(pictures, count, rate)
                    yield from _loaded(scheduler, load, delays)
        shutil.rmtree(root)


class Drops:
    """Renames pictures into a running station's inboxes, each under a name of its own."""

    def __init__(self, station: Station, listener: Listener) -> None:
        self._station = station
        self._listener = listener
        self._numbers = itertools.count()
        self._staged = station.layout.root / "staged"
        self._staged.mkdir()

    def stage(self, picture: Picture) -> tuple[Path, Path]:
        """A copy, and where it is to go; both lie on one file system."""
        name = f"drop-{next(self._numbers):06d}{picture.path.suffix}"
        copy = self._staged / name
        shutil.copyfile(picture.path, copy)
        return copy, self._station.inbox(picture.camera) / name

    def one(self, picture: Picture) -> Delay:
        copy, target = self.stage(picture)
        dropped = time.time()
        copy.rename(target)
        return self._listener.delay(target.name, dropped)

    def capacity(self, pictures: Sequence[Picture], count: int) -> float:
        """Pictures a second when so many come at once, to the last message."""
        staged = [self.stage(pictures[number % len(pictures)]) for number in range(count)]
        begin = time.time()
        for copy, target in staged:
            copy.rename(target)
        whole = [self._listener.delay(target.name, begin).whole for _, target in staged]
        return count * 1000 / max(whole)

    def at_rate(self, pictures: Sequence[Picture], count: int, rate: float) -> list[Delay]:
        """The delays of pictures that come at random, on average so many a second."""
        staged = [self.stage(pictures[number % len(pictures)]) for number in range(count)]
        gaps = np.random.default_rng(_SEED).exponential(1 / rate, count)
        due, dropped = time.time(), []
        for (copy, target), gap in zip(staged, gaps, strict=True):
            due += float(gap)
            time.sleep(max(0.0, due - time.time()))
            # A drop that is late itself counts from when it was due.
            dropped.append(due)
            copy.rename(target)
        return [
            self._listener.delay(target.name, at)
            for (_, target), at in zip(staged, dropped, strict=True)
        ]


def _one_at_a_time(
    scheduler: str, drops: Drops, bare: Bare, pictures: Sequence[Picture], count: int
) -> Iterator[Figure]:
    bare.read(pictures[0])
    alone, delays = [], []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        alone.append(bare.read(picture))
        delays.append(drops.one(picture))
    whole = tuple(delay.whole for delay in delays)
    peer = f"bare loop, beside {scheduler}"
    yield Figure(PART, peer, "ms", tuple(alone))
    # Pictures differ: so much of it is theirs, whatever reads them.
    yield Figure(PART, f"p99 over p50, {peer}", "times", (_p99_over_p50(alone),))
    yield Figure(PART, f"one at a time, {scheduler}", "ms", whole, peer=peer, paired=True)
    yield Figure(
        PART,
        f"one at a time, {scheduler}, over the bare loop",
        "ms",
        tuple(one - other for one, other in zip(whole, alone, strict=True)),
        target=Target("value", at_most=OVERHEAD_MS[scheduler]),
    )
    for step in _STEPS:
        taken = tuple(getattr(delay, step) for delay in delays)
        yield Figure(PART, f"one at a time, {scheduler}: {step}", "ms", taken)


def _loaded(scheduler: str, load: int, delays: Sequence[Delay]) -> Iterator[Figure]:
    for step in ("whole", *_STEPS):
        words = "" if step == "whole" else f": {step}"
        taken = tuple(getattr(delay, step) for delay in delays)
        yield Figure(PART, f"under load, {scheduler}{words}", "ms", taken, axis=AXIS, at=load)
    yield Figure(
        PART,
        f"p99 over p50, {scheduler}",
        "times",
        (_p99_over_p50([delay.whole for delay in delays]),),
        axis=AXIS,
        at=load,
        peer=f"p99 over p50, bare loop, beside {scheduler}",
        target=Target("value", at_most=2.0) if load == 50 else None,
    )


def _p99_over_p50(taken: Sequence[float]) -> float:
    return float(np.percentile(taken, 99) / np.percentile(taken, 50))
