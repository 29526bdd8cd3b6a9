"""What reading both ways is worth and costs: labelled upright crops, as they are and on their head.

    python -m flows.bench.turning LABELS.csv...

A crop on its head is what a camera that hangs the other way gives, and half of all lines that run
up or down a picture. Prints, for each way to turn, what is right, given out (the product of the
confidences reaches the default threshold), false, read twice, and milliseconds a line.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.bench.recognition import decoded
from flows.configuration.recipes import FieldRecipe
from flows.evaluation.labels import limited, read_sets
from flows.evaluation.scores import plain
from stages.errors import MarkwatchError
from stages.map.likelihood import confidence
from stages.ports import Recogniser
from stages.recognise import recognise
from stages.recognisers.trocr import TrocrRecogniser
from stages.records import Region, Transcript, Turned

BATCH = 16
"""Lines in one call: about a chunk."""

WAYS: tuple[Turned, ...] = get_args(Turned)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a set of lines was read: counts, and milliseconds of all of them."""

    lines: int
    right: int
    given: int
    false: int
    twice: int
    milliseconds: float


class Counted:
    """A recogniser, and how many crops it was shown."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser
        self.model = recogniser.model
        self.crops = 0

    def read(self, crops: Sequence[np.ndarray], constraints: Sequence[object]) -> list[Transcript]:
        self.crops += len(crops)
        return self._recogniser.read(crops, constraints)


def measure(
    crops: Sequence[np.ndarray], texts: Sequence[str], recogniser: Recogniser, turned: Turned
) -> Outcome:
    """Read upright crops, `BATCH` in a call, and count."""
    threshold = FieldRecipe.model_fields["threshold"].default
    counted = Counted(recogniser)
    begin = time.perf_counter()
    readings = [
        reading
        for start in range(0, len(crops), BATCH)
        for reading in _read(crops[start : start + BATCH], counted, turned)
    ]
    spent = (time.perf_counter() - begin) * 1000
    right = [plain(each.text) == plain(text) for each, text in zip(readings, texts, strict=True)]
    given = [bool(each.text) and confidence(each) >= threshold for each in readings]
    false = sum(out and not good for out, good in zip(given, right, strict=True))
    twice = counted.crops - len(crops)
    return Outcome(len(crops), sum(right), sum(given), false, twice, spent)


def _read(crops: Sequence[np.ndarray], recogniser: Counted, turned: Turned) -> list[Transcript]:
    regions = []
    for crop in crops:
        height, width = map(float, crop.shape[:2])
        outline = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
        regions.append(Region("code", 1, (0, 0, width, height), outline, 1.0, crop, turned))
    return [each.transcript for each in recognise(regions, [None] * len(regions), recogniser)]


def table(outcomes: Sequence[tuple[str, str, Turned, Outcome]]) -> Table:
    """One row for each set, way that the lines stand, and way to turn."""
    made = Table(box=None, pad_edge=False)
    made.add_column("")
    for head in ("lines", "right", "given out", "false", "read twice", "ms a line"):
        made.add_column(head, justify="right", no_wrap=True)
    for name, standing, turned, each in outcomes:
        made.add_row(
            f"{name}, {standing}, {turned}",
            str(each.lines),
            f"{each.right / each.lines:.1%}",
            f"{each.given / each.lines:.1%}",
            str(each.false),
            f"{each.twice / each.lines:.1%}",
            f"{each.milliseconds / each.lines:.1f}",
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.bench.turning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("labels", type=Path, nargs="+", help="file,text of upright crops")
    parser.add_argument("--limit", type=int, help="pictures of a set; all if left out")
    given = parser.parse_args(arguments)
    outcomes: list[tuple[str, str, Turned, Outcome]] = []
    try:
        sets = list(limited(read_sets(given.labels), given.limit))
        with TrocrRecogniser(TrocrRecogniser.Options()) as recogniser:
            for each in sets:
                crops = decoded([each])
                texts = [label.text for label in each.labels]
                over = [np.ascontiguousarray(crop[::-1, ::-1]) for crop in crops]
                recogniser.read(crops[:BATCH], [None] * len(crops[:BATCH]))
                for standing, shown in (("upright", crops), ("on its head", over)):
                    for turned in WAYS:
                        outcome = measure(shown, texts, recogniser, turned)
                        outcomes.append((each.name, standing, turned, outcome))
    except (MarkwatchError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 110)
    console.print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
