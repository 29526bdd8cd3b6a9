"""The way of the original program, step by step as a newcomer would write it, beside the recipe.

`conf/recipes/hard-turning.example.yaml` says what is done to the 8-megapixel picture of a ring;
here the same is written with Pillow, NumPy and OpenCV from those words alone, one column of the
unrolled band after the other, then `generate`, a regular expression and a CSV line.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image, ImageEnhance

from flows import graph
from flows.bench.figure import Figure, Say, Target, interleaved
from flows.bench.recognition import Stock, use_threads
from flows.cluster.place import cores
from flows.commands.reading import image_of, recipe_of
from flows.configuration import settings
from flows.configuration.recipes import Recipe
from flows.configuration.settings import Layout, Settings
from flows.engines import ENGINES
from stages.decode import decode
from stages.errors import ConfigError
from stages.preprocess import preprocess, stepwise
from stages.recognisers.checkpoint import locate, open_checkpoint
from stages.records import Failure, Frame, ImageRef

T = TypeVar("T")

PART = "original"
RECIPE = "hard-turning.example.yaml"
MOST_MEAN_GREY_LEVELS = 2.0
"""How far the two pictures may differ, on average over all pixels: the newcomer's columns are
whole pixels and his rotation is to the nearest one, the recipe's are interpolated."""

LEAST_CORRELATION = 0.99
_CODE = re.compile(r"[A-Z]{2}\d{8}[A-Z]{2}\d{5}")
_CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often each way goes; `threads` are those of OpenCV and torch in a call."""

    rounds: int = 20
    reading_rounds: int = 8
    threads: tuple[int, ...] = tuple(sorted({1, cores()}))


QUICK = Sizes(rounds=2, reading_rounds=1, threads=(1,))


class Newcomer:
    """The program; each step is timed under its name in `milliseconds`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.milliseconds: dict[str, float] = {}

    def picture(self) -> np.ndarray:
        """The picture that is to be read: 575 x 160, grey."""
        step = self._step
        image = step("read", lambda: Image.open(self._path).convert("L"))
        image = step("crop", lambda: image.crop((1100, 0, image.width, image.height)))
        image = step("rotate", lambda: image.rotate(-45, expand=True, fillcolor=255))
        band = step("unroll", lambda: self.unroll(np.array(image)))
        band = step("crop again", lambda: band[40:-40, 50:-60])
        band = step(
            "contrast",
            lambda: np.array(ImageEnhance.Contrast(Image.fromarray(band)).enhance(3)),
        )
        band = step("blur", lambda: cv2.GaussianBlur(band, (15, 15), 0))
        band = step("bilateral", lambda: cv2.bilateralFilter(band, 15, 75, 75))
        kernel = np.ones((5, 5), np.uint8)
        band = step("erode", lambda: cv2.erode(band, kernel, iterations=2))
        band = step("dilate", lambda: cv2.dilate(band, kernel, iterations=2))
        return step("resize", lambda: cv2.resize(band, (575, 160), interpolation=cv2.INTER_AREA))

    def read(self, reader: Stock, out: Path) -> str:
        """The code of the picture, which is also a line of a CSV file."""
        picture = self.picture()
        text = self._step("generate", lambda: reader([picture])[0])
        code = self._step("map", lambda: self._code(text))
        self._step("csv", lambda: self._write(out, text, code))
        return code

    @staticmethod
    def unroll(pixels: np.ndarray) -> np.ndarray:
        """Move each column of the band up until its upper edge is level, one after the other."""
        upper_x = [340, 707, 1073, 1440, 1807, 2173, 2540]
        upper_y = [1204, 1307, 1364, 1382, 1365, 1311, 1210]
        columns = []
        for x in range(340, 2540):
            top = round(np.interp(x, upper_x, upper_y))
            columns.append(pixels[top : top + 335, x])
        return np.stack(columns, axis=1)

    @staticmethod
    def _code(text: str) -> str:
        found = _CODE.search(text.upper().replace(" ", ""))
        return found.group() if found else ""

    def _write(self, out: Path, text: str, code: str) -> None:
        with out.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([self._path.name, text, code])

    def _step(self, name: str, do: Callable[[], T]) -> T:
        begin = time.perf_counter()
        done = do()
        self.milliseconds[name] = (time.perf_counter() - begin) * 1000
        return done


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the two pictures are: their mean difference in grey levels, and correlation."""

    mean_grey_levels: float
    correlation: float

    @property
    def same(self) -> bool:
        """Whether they show the same."""
        close = self.mean_grey_levels <= MOST_MEAN_GREY_LEVELS
        return close and self.correlation >= LEAST_CORRELATION


def likeness(one: np.ndarray, other: np.ndarray) -> Likeness:
    """Compare two grey pictures of the same size.

    Raises:
        ValueError: their sizes differ.
    """
    if one.shape != other.shape:
        raise ValueError(f"pictures of {one.shape} and {other.shape}")
    first, second = one.astype(np.float64), other.astype(np.float64)
    flat = 0.0 in (first.std(), second.std())
    correlation = 0.0 if flat else np.corrcoef(first.ravel(), second.ravel())[0, 1]
    return Likeness(float(np.abs(first - second).mean()), float(correlation))


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """Both ways in turns, first up to the picture, then up to the code.

    Raises:
        ConfigError: this is no checkout, or the two ways make different pictures.
    """
    path = _CHECKOUT / "data" / "samples" / "hard-turning.png"
    if not path.is_file():
        raise ConfigError(f"the benchmark needs {path}: run a checkout")
    site = settings.load(_CHECKOUT)
    recipe = recipe_of(Layout(_CHECKOUT), str(_CHECKOUT / "conf" / "recipes" / RECIPE), site)
    image = image_of(path)
    if isinstance(image, Failure):
        raise ConfigError(f"{path}: {image.reason}")
    mine = preprocess(decode(image, site.decode)[0], recipe.preprocess).pixels
    found = likeness(Newcomer(path).picture(), mine)
    say(
        f"the two pictures differ by {found.mean_grey_levels:.2f} grey levels on average"
        f" (correlation {found.correlation:.4f})"
    )
    if not found.same:
        raise ConfigError(
            f"the two ways make different pictures: {found.mean_grey_levels:.1f} grey levels apart,"
            f" correlation {found.correlation:.3f}; is {RECIPE} still the original's process?"
        )
    for threads in sizes.threads:
        use_threads(threads)
        say(f"up to the picture, {_on(threads)}")
        yield from _to_the_picture(image, recipe, site, sizes.rounds, threads)
        say(f"up to the code, {_on(threads)}")
        yield from _to_the_code(image, recipe, site, sizes.reading_rounds, threads, folder)


def _to_the_picture(
    image: ImageRef, recipe: Recipe, site: Settings, rounds: int, threads: int
) -> Iterator[Figure]:
    newcomer = Newcomer(Path(image.path))
    steps: dict[str, dict[str, list[float]]] = {"original": {}, "recipe": {}}
    frame = decode(image, site.decode)[0]

    def theirs() -> float:
        begin = time.perf_counter()
        newcomer.picture()
        whole = (time.perf_counter() - begin) * 1000
        _keep(steps["original"], newcomer.milliseconds)
        return whole - newcomer.milliseconds["read"]

    def ours() -> float:
        return _milliseconds(lambda: preprocess(frame, recipe.preprocess))

    def ours_stepwise() -> float:
        timed = _stepwise(frame, recipe)
        _keep(steps["recipe"], {"read": _milliseconds(lambda: decode(image, site.decode)), **timed})
        return sum(timed.values())

    taken = interleaved(
        rounds, {"original": theirs, "recipe": ours, "recipe, step by step": ours_stepwise}
    )
    on = _on(threads)
    yield Figure(PART, f"recipe, picture made, {on}", "ms", taken["recipe"])
    yield Figure(
        PART,
        f"original, picture made, {on}",
        "ms",
        taken["original"],
        peer=f"recipe, picture made, {on}",
        paired=True,
        target=Target("ratio", at_least=10),
    )
    for name in steps["original"]:
        for whose in ("recipe", "original"):
            yield Figure(
                PART,
                f"{whose}: {name}, {on}",
                "ms",
                tuple(steps[whose][name][-rounds:]),
                peer=None if whose == "recipe" else f"recipe: {name}, {on}",
                paired=True,
            )


def _to_the_code(
    image: ImageRef, recipe: Recipe, site: Settings, rounds: int, threads: int, folder: Path
) -> Iterator[Figure]:
    newcomer, out = Newcomer(Path(image.path)), folder / "original.csv"
    options = recipe.fields[0].recogniser.options
    stock = open_checkpoint(locate(options.checkpoint, False), options.checkpoint)
    reader = Stock(stock)
    codes: dict[str, str] = {}

    def theirs() -> float:
        begin = time.perf_counter()
        codes["original"] = newcomer.read(reader, out)
        return (time.perf_counter() - begin) * 1000

    def ours() -> float:
        begin = time.perf_counter()
        [outcome] = graph.run_here([image], recipe, site.decode)
        if isinstance(outcome, Failure):
            raise ConfigError(f"{image.path}: {outcome.reason}")
        codes["recipe"] = outcome.marks[0].code or f"({outcome.marks[0].candidate})"
        return (time.perf_counter() - begin) * 1000

    try:
        taken = interleaved(rounds, {"original": theirs, "recipe": ours})
    finally:
        ENGINES.close()
    on = _on(threads)
    yield Figure(
        PART, f"recipe, code read, {on}", "ms", taken["recipe"], note=f"code: {codes['recipe']}"
    )
    yield Figure(
        PART,
        f"original, code read, {on}",
        "ms",
        taken["original"],
        peer=f"recipe, code read, {on}",
        paired=True,
        note=f"code: {codes['original'] or 'none'}",
    )


def _stepwise(frame: Frame, recipe: Recipe) -> dict[str, float]:
    taken: dict[str, float] = {}
    begin = time.perf_counter()
    names = {"unroll_polygon": "unroll"}
    for step, _ in zip(recipe.preprocess, stepwise(frame, recipe.preprocess), strict=True):
        name = names.get(step.name, step.name)
        taken[f"{name} again" if name in taken else name] = (time.perf_counter() - begin) * 1000
        begin = time.perf_counter()
    return taken


def _keep(steps: dict[str, list[float]], taken: Mapping[str, float]) -> None:
    for name, milliseconds in taken.items():
        steps.setdefault(name, []).append(milliseconds)


def _milliseconds(do: Callable[[], object]) -> float:
    begin = time.perf_counter()
    do()
    return (time.perf_counter() - begin) * 1000


def _on(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"
