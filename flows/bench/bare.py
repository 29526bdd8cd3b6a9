"""The bare loop: the stages of the samples' recipes as plain calls, with nothing around them.

No watching, ledger, sinks or Dask: what no walk can beat. Also where the pictures of the walk's
benches come from.
"""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from flows import graph
from flows.commands.reading import image_of
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from flows.engines import ENGINES
from stages.errors import ConfigError
from stages.records import Failure

CHECKOUT = Path(__file__).resolve().parents[2]
RING = "ring"
"""The camera of the 8-megapixel picture, whose recipe is the example's."""

RING_RECIPE = "hard-turning.example"


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample and its camera."""

    path: Path
    camera: str


def samples() -> list[Picture]:
    """The labelled samples of the checkout, small ones of six cameras.

    Raises:
        ConfigError: this is no checkout.
    """
    folder = CHECKOUT / "data" / "samples"
    listing = folder / "expected.csv"
    if not listing.is_file():
        raise ConfigError(f"the benchmark needs the sample pictures in {folder}: run a checkout")
    with listing.open(newline="", encoding="utf-8") as file:
        return [Picture(folder / row["file"], row["camera"]) for row in csv.DictReader(file)]


def ring() -> Picture:
    """The 8-megapixel picture of a hard-turned ring."""
    return Picture(CHECKOUT / "data" / "samples" / "hard-turning.png", RING)


def recipe_file(camera: str) -> Path:
    """The recipe of a camera in the checkout."""
    name = RING_RECIPE if camera == RING else camera
    return CHECKOUT / "conf" / "recipes" / f"{name}.yaml"


class Bare:
    """The loop with its engines, which are unloaded at the end of the block."""

    def __enter__(self) -> Self:
        self._settings = settings.load(CHECKOUT)
        layout = Layout(CHECKOUT)
        engine = self._settings.recogniser
        self._recipes = {name: recipes.load(layout, name, engine) for name in recipes.names(layout)}
        self._recipes[RING] = recipes.load(layout, RING_RECIPE, engine)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        ENGINES.close()

    def read(self, picture: Picture) -> float:
        """Read one picture in this thread; milliseconds."""
        begin = time.perf_counter()
        image = image_of(picture.path)
        if isinstance(image, Failure):
            raise ConfigError(f"{picture.path}: {image.reason}")
        graph.run_here([image], self._recipes[picture.camera], self._settings.decode)
        return (time.perf_counter() - begin) * 1000

    def rate(self, pictures: Sequence[Picture], threads: int) -> tuple[float, float]:
        """Pictures a second on so many threads, and processor milliseconds a picture."""
        with ThreadPoolExecutor(threads) as pool:
            barrier = threading.Barrier(threads)

            def warm(_: int) -> None:
                barrier.wait()
                for picture in pictures[:2]:
                    self.read(picture)

            list(pool.map(warm, range(threads)))
            begin, spent = time.perf_counter(), _cpu_seconds()
            list(pool.map(self.read, pictures))
            elapsed, used = time.perf_counter() - begin, _cpu_seconds() - spent
        return len(pictures) / elapsed, used * 1000 / len(pictures)


def _cpu_seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system
