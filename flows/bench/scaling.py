"""More workers of a Dask cluster: two real ones beside one, and hundreds that only wait.

The real ones read the samples, each with one thread on one core. In the simulation a recogniser
sleeps, so that two cores can play any number of workers; what is left is the scheduler's processor
time a picture, the bytes that move, and how near the rate comes to that of the sleeping alone.
Pictures go by path, and to two workers also as bytes. One client sends, with two chunks for each
worker in flight, as `watch` does.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import graph
from flows.bench.bare import CHECKOUT, samples
from flows.bench.farm import cpu_seconds, farm, sent
from flows.bench.figure import Figure, Say, Target
from flows.bench.pretending import NAME, known_here, picture, plugin_folder
from flows.cluster.place import PLAIN, Terms
from flows.commands.reading import image_of
from flows.configuration import recipes, settings
from flows.configuration.recipes import Recipe
from flows.configuration.settings import Layout, Settings
from flows.evaluation.contenders import within
from stages.errors import ConfigError
from stages.records import Failure, ImageRef

if TYPE_CHECKING:
    from distributed import Client

PART = "cluster"
AXIS = "workers"
READING = "workers that read"
_WAITING_HOSTS = 2
_IDLE_SECONDS = 2.0
_RECIPE = """\
fields:
  - detect: {{use: whole, turned: never}}
    recogniser: {{use: {name}, crop_ms: {crop_ms:g}}}
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Pictures a round of the real workers; counts of those that wait, what a crop takes them."""

    pictures: int = 140
    rounds: int = 4
    chunk: int = 8
    workers: tuple[int, ...] = (4, 16, 64)
    crop_ms: float = 1000.0
    pictures_a_worker: int = 16
    chunks: tuple[int, ...] = (1, 8)


FULL = Sizes(workers=(4, 16, 64, 256))
QUICK = Sizes(
    pictures=2, rounds=1, chunk=1, workers=(2,), crop_ms=20.0, pictures_a_worker=4, chunks=(2,)
)


@dataclass(frozen=True, slots=True)
class Load:
    """What one round took."""

    pictures_per_second: float
    scheduler_cpu_ms: float
    client_cpu_ms: float
    kilobytes: float


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """One and two real workers in turns; then each count of waiting ones, with each chunk size."""
    site = settings.load(CHECKOUT)
    say("one and two workers that read")
    yield from _real(site, sizes, folder)
    plugin = plugin_folder(folder)
    with known_here(plugin):
        for count in sizes.workers:
            say(f"{count} workers that wait")
            yield from _waiting(site, sizes, count, folder, plugin)


def _real(site: Settings, sizes: Sizes, folder: Path) -> Iterator[Figure]:
    layout, pictures = Layout(CHECKOUT), samples()
    cameras = {each.camera for each in pictures}
    plans = {
        camera: within(camera, recipes.load(layout, camera, site.recogniser), None, 1).reads
        for camera in cameras
    }
    jobs = []
    for each in itertools.islice(itertools.cycle(pictures), sizes.pictures):
        jobs.append((_image(each.path), plans[each.camera]))
    jobs.sort(key=lambda job: job[0].camera)
    # One core each: a worker that spreads over both would leave nothing for the second.
    alone = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
    taken: dict[tuple[int, bool], list[Load]] = {(1, False): [], (2, False): [], (2, True): []}
    place = folder / "real"
    place.mkdir()
    with farm(place, [1, 1], alone) as client:
        addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])
        for turn in range(sizes.rounds + 1):
            for (count, carried), loads in taken.items():
                name = f"real{turn}-{count}{'b' * carried}"
                chunks = _chunks(jobs, sizes.chunk, name)
                load = _run(
                    client, chunks, site, 2 * count, addresses[:count], Terms(carried=carried)
                )
                # Before that the engines are loaded.
                if turn:
                    loads.append(load)
    for (count, carried), loads in taken.items():
        if carried:
            yield from _figures(f"{READING}, sent the bytes", count, loads, None, READING)
        else:
            yield from _figures(READING, count, loads, 1, at_least=1.7)


def _waiting(
    site: Settings, sizes: Sizes, count: int, folder: Path, plugin: Path
) -> Iterator[Figure]:
    place = folder / f"waiting-{count}"
    place.mkdir()
    recipe_path = place / "recipe.yaml"
    recipe_path.write_text(_RECIPE.format(name=NAME, crop_ms=sizes.crop_ms), encoding="utf-8")
    recipe = recipes.load_files(Layout(CHECKOUT), "waiting", [recipe_path], site.recogniser)
    file = place / "picture.png"
    file.write_bytes(picture())
    image = _image(file)
    jobs = [(image, recipe)] * (count * sizes.pictures_a_worker)
    hosts = [count // _WAITING_HOSTS, count - count // _WAITING_HOSTS]
    paths = os.pathsep.join(filter(None, [str(plugin), os.environ.get("PYTHONPATH", "")]))
    ideal = count * 1000 / sizes.crop_ms
    with farm(place, hosts, {"PYTHONPATH": paths}) as client:
        for size in sizes.chunks:
            warm = _chunks(jobs[:count], 1, f"warm{size}")
            _run(client, warm, site, 2 * count, None)
            load = _run(client, _chunks(jobs, size, f"wait{size}"), site, 2 * count, None)
            series = f"chunks of {size}, sleeping {sizes.crop_ms:g} ms"
            limit = f"limit: {series}"
            yield Figure(PART, limit, "pictures/s", (ideal,), axis=AXIS, at=count)
            yield from _figures(series, count, [load], None, limit)


def _figures(
    series: str,
    count: int,
    loads: Sequence[Load],
    peer_at: int | None,
    limit: str | None = None,
    *,
    at_least: float | None = None,
) -> Iterator[Figure]:
    quantities = (
        ("pictures/s", "pictures_per_second"),
        ("scheduler CPU ms a picture", "scheduler_cpu_ms"),
        ("client CPU ms a picture", "client_cpu_ms"),
        ("kB moved a picture", "kilobytes"),
    )
    for unit, name in quantities:
        is_rate = unit == "pictures/s"
        compared = count != peer_at and is_rate
        target = None
        if compared and at_least is not None:
            target = Target("ratio", at_least=at_least)
        if unit.startswith("scheduler") and limit not in (None, READING):
            target = Target("value", at_most=2.0)
        yield Figure(
            PART,
            series,
            unit,
            tuple(getattr(load, name) for load in loads),
            axis=AXIS,
            at=count,
            peer=(limit or series) if compared else None,
            peer_at=peer_at,
            paired=True,
            target=target,
        )


Chunk = tuple[str, list[ImageRef], Recipe]


def _chunks(jobs: Sequence[tuple[ImageRef, Recipe]], size: int, name: str) -> list[Chunk]:
    """Pictures of one recipe together, at most so many."""
    found: list[Chunk] = []
    for _, alike in itertools.groupby(jobs, key=lambda job: id(job[1])):
        together = list(alike)
        for first in range(0, len(together), size):
            part = together[first : first + size]
            images = [image for image, _ in part]
            found.append((f"{name}-{len(found)}", images, part[0][1]))
    return found


def _run(
    client: Client,
    chunks: Sequence[Chunk],
    site: Settings,
    in_flight: int,
    workers: Sequence[str] | None,
    terms: Terms = PLAIN,
) -> Load:
    """Send all chunks, so many in flight, and wait for what comes back."""
    pictures = sum(len(images) for _, images, _ in chunks)
    before = _counters(client)
    begin = time.perf_counter()
    open_: set[Future[Any]] = set()
    for name, images, recipe in chunks:
        if len(open_) >= in_flight:
            done, open_ = wait(open_, return_when=FIRST_COMPLETED)
            _check(done)
        built = graph.build(images, recipe, site.decode, chunk=name, attempt=1, terms=terms)
        open_.add(_landing(client.compute(built, workers=workers)))
    _check(open_)
    elapsed = time.perf_counter() - begin
    after = _counters(client)
    # What heartbeats of so many workers cost in that time anyway is not the pictures'.
    time.sleep(_IDLE_SECONDS)
    idle = [now - then for now, then in zip(_counters(client), after, strict=True)]
    scheduler, mine, moved = (
        max(0.0, now - then - still * elapsed / _IDLE_SECONDS)
        for now, then, still in zip(after, before, idle, strict=True)
    )
    return Load(
        pictures / elapsed,
        scheduler * 1000 / pictures,
        mine * 1000 / pictures,
        moved / 1000 / pictures,
    )


def _landing(dask_future: Any) -> Future[Any]:
    """What Dask's future becomes; it is let go then, so that nothing stays on the cluster."""
    result: Future[Any] = Future()

    def land(done: Any) -> None:
        if done.cancelled():
            result.cancel()
        elif (error := done.exception()) is not None:
            result.set_exception(error)
        else:
            result.set_result(done.result())

    dask_future.add_done_callback(land)
    return result


def _check(done: set[Future[Any]]) -> None:
    for future in done:
        for outcome in future.result():
            if isinstance(outcome, Failure):
                raise ConfigError(f"{outcome.image.name}: {outcome.reason}")


def _counters(client: Client) -> tuple[float, float, float]:
    """Processor seconds of the scheduler and of this process, and bytes that all have sent."""
    # Of a process with hundreds of workers one is asked.
    hosts = {
        str(about["name"]).split("-")[0]: address
        for address, about in client.scheduler_info(n_workers=-1)["workers"].items()
    }
    moved = sum(client.run(sent, workers=list(hosts.values())).values())
    moved += client.run_on_scheduler(sent) + sent()
    return client.run_on_scheduler(cpu_seconds), time.process_time(), float(moved)


def _image(path: Path) -> ImageRef:
    image = image_of(path)
    if isinstance(image, Failure):
        raise ConfigError(f"{path}: {image.reason}")
    return image
