"""`python -m flows.bench.mapping PICTURES --material MATERIAL`: what formats and checks are worth.

Unseen marks with a check digit, rendered from typefaces that are never trained with, are read by
each recogniser and mapped three ways: without a format, with it, with it and its check digit. Codes
given out at the default thresholds are counted, and those of them that are wrong. A folder of
pictures that is there is used as it is; `--seed` draws others.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from flows.bench.coded import SCHEMES, labelled, render
from flows.configuration.recipes import FieldRecipe
from flows.engines import ENGINES
from flows.evaluation.contenders import alone, choose
from flows.evaluation.intervals import clopper_pearson
from stages.errors import MarkwatchError
from stages.map import MapOptions, map_readings
from stages.ports import Recogniser
from stages.records import Mark, Reading, Transcript

WAYS = ("no format", "format", "format and check digit")
RECOGNISERS = ("trocr", "trocr:opinion=rapidocr", "rapidocr")
STEERED = frozenset({"trocr"})
"""Those that read under a format."""

COUNT = 180
"""Pictures of a scheme and tier."""

SEED = 2027
"""Another one than those of training, of validation and of the shipped evaluation set. What the map
stage believes was chosen by it: figures are reported of others."""

_CHUNK = 64


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one picture: the right code, and the mark that it gave."""

    recogniser: str
    way: str
    scheme: str
    tier: str
    file: str
    truth: str
    mark: Mark

    @property
    def is_given(self) -> bool:
        return self.mark.code is not None

    @property
    def is_false(self) -> bool:
        return self.mark.code is not None and self.mark.code != self.truth


def bench(folder: Path, recognisers: Sequence[str]) -> list[Outcome]:
    """Read and map every picture of a folder, and print the tables.

    Raises:
        MarkwatchError: a recogniser is not installed or does not load.
    """
    console = Console(markup=False, highlight=False, width=120)
    outcomes: list[Outcome] = []
    for name in recognisers:
        engine = alone(name, choose(name), threads=1).reads
        try:
            with ENGINES.use(engine) as recogniser:
                outcomes += run(folder, name, recogniser, console)
        finally:
            ENGINES.close()
    console.print(table(outcomes))
    console.print(tiers(outcomes))
    return outcomes


def run(folder: Path, name: str, recogniser: Recogniser, console: Console) -> Iterator[Outcome]:
    """Read every picture, and map what was read in each way.

    A steered recogniser reads anew under the check digit; without a format its candidates are left
    out, and the evidence is the same.
    """
    spent = {way: [0.0, 0.0] for way in WAYS}
    pictures = labelled(folder)
    for (scheme, tier), labels in pictures.items():
        options = next(each.options for each in SCHEMES if each.name == scheme)
        for start in range(0, len(labels), _CHUNK):
            chunk = labels[start : start + _CHUNK]
            crops = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path, _ in chunk]
            transcripts: list[Transcript] = []
            for way in (WAYS[1], WAYS[0], WAYS[2]):
                chosen = _way(options, way)
                begin = time.process_time()
                if way == WAYS[0]:
                    transcripts = [replace(each, candidates=()) for each in transcripts]
                elif way == WAYS[1] or name.partition(":")[0] in STEERED:
                    transcripts = recogniser.read(crops, [chosen.steering] * len(crops))
                read = time.process_time()
                for (path, truth), crop, transcript in zip(chunk, crops, transcripts, strict=True):
                    (mark,) = _marks(_reading(crop, transcript, recogniser.model), chosen)
                    yield Outcome(name, way, scheme, tier, str(path), truth, mark)
                spent[way][0] += read - begin
                spent[way][1] += time.process_time() - read
    total = sum(map(len, pictures.values()))
    reading = spent[WAYS[2] if name.partition(":")[0] in STEERED else WAYS[1]][0]
    console.print(
        f"{name}, {recogniser.model}: {1000 * reading / total:.1f} ms of CPU a crop to read,"
        f" {1000 * spent[WAYS[2]][1] / total:.2f} ms to map (format and check digit)"
    )


def _way(options: MapOptions, way: str) -> MapOptions:
    if way == "no format":
        return MapOptions(strip=options.strip, case=options.case)
    if way == "format":
        return options.model_copy(update={"check_digits": ()})
    return options


def _reading(crop: np.ndarray, transcript: Transcript, model: str) -> Reading:
    height, width = crop.shape[:2]
    box = (0.0, 0.0, float(width), float(height))
    outline = ((0.0, 0.0), (box[2], 0.0), (box[2], box[3]), (0.0, box[3]))
    return Reading("code", 1, box, outline, transcript, model)


def _marks(reading: Reading, options: MapOptions) -> tuple[Mark, ...]:
    defaults = FieldRecipe()
    return map_readings(
        [reading],
        field=defaults.name,
        page=1,
        options=options,
        constraint=options.constraint,
        threshold=defaults.threshold,
        take=defaults.take,
        expected=None,
    )


def table(outcomes: Sequence[Outcome]) -> Table:
    """Coverage and false reads of each recogniser and way; right: the candidate, given or not."""
    made = Table(box=None, pad_edge=False)
    made.add_column("")
    for head in ("pictures", "right", "given out", "false", "of given", "95 % upper bound"):
        made.add_column(head, justify="right", no_wrap=True)
    for name in dict.fromkeys(each.recogniser for each in outcomes):
        for way in WAYS:
            group = [each for each in outcomes if (each.recogniser, each.way) == (name, way)]
            made.add_row(f"{name}, {way}", *_figures(group))
    return made


def tiers(outcomes: Sequence[Outcome]) -> Table:
    """The same of each scheme and tier, with format and check digit."""
    made = Table(box=None, pad_edge=False)
    made.add_column("with check digit")
    for head in ("pictures", "right", "given out", "false", "of given", "95 % upper bound"):
        made.add_column(head, justify="right", no_wrap=True)
    checked = [each for each in outcomes if each.way == WAYS[-1]]
    keys = dict.fromkeys([each.scheme for each in checked] + [each.tier for each in checked])
    for name in dict.fromkeys(each.recogniser for each in outcomes):
        for key in keys:
            group = [
                each
                for each in checked
                if each.recogniser == name and key in (each.scheme, each.tier)
            ]
            made.add_row(f"{name}, {key}", *_figures(group))
    return made


def _figures(group: Sequence[Outcome]) -> list[str]:
    given = sum(each.is_given for each in group)
    false = sum(each.is_false for each in group)
    right = sum(each.mark.candidate == each.truth for each in group)
    upper = clopper_pearson(false, given)[1]
    return [
        str(len(group)),
        f"{right / len(group):.1%}",
        f"{given / len(group):.1%}",
        str(false),
        f"{false / given:.2%}" if given else "-",
        f"{upper:.2%}",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.mapping", description=__doc__)
    parser.add_argument("pictures", type=Path, help="folder of the pictures, rendered at need")
    parser.add_argument("--material", type=Path, help="filled by flows.training.material.fetch")
    parser.add_argument("--count", type=int, default=COUNT, help="pictures of a scheme and tier")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--recogniser", action="append", help="NAME or NAME:key=value")
    parser.add_argument("--false", action="store_true", help="list the false reads")
    given = parser.parse_args(arguments)
    try:
        if given.material is not None:
            render(given.material, given.pictures, given.count, given.seed)
        outcomes = bench(given.pictures, given.recogniser or RECOGNISERS)
    except (MarkwatchError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    for each in outcomes if given.false else ():
        if each.is_false and each.way == WAYS[-1]:
            print(each.recogniser, each.file, each.truth, each.mark.code)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
