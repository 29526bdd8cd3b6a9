"""Recall and precision of the detectors: on the samples by where, on labelled pictures by text.

    python -m flows.bench.detection [LABELS.csv...]

On `data/samples` a line counts as found when a region covers it: they share at least half of what
they cover together, or the region holds nine tenths of the line and is at most three times as
large. In the pictures of a `LABELS.csv` (file,text), whose places nobody wrote down, a label counts
as found when a region reads as it (capitals and digits). A region is right when it finds
something. `read` is the share of labels that a region reads as, everywhere.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from flows import plugins
from flows.commands.reading import image_of
from flows.evaluation.labels import limited, read_sets
from flows.evaluation.scores import plain
from stages.decode import DecodeOptions, decode
from stages.detect import DetectOptions, detect
from stages.errors import ImageError, MarkwatchError
from stages.ports import Detector, Recogniser
from stages.recognise import recognise
from stages.recognisers.trocr import TrocrRecogniser
from stages.records import Failure, Frame, Reading

DETECTORS = ("whole", "contours", "neural")
"""Those that need no place to be told: `boxes` finds what it is given."""

SAMPLES = Path("data/samples")
_OVERLAP = 0.5
_HELD = 0.9
_LARGE = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    """What stands in a picture: its text, and its (4, 2) corners where they are known."""

    text: str
    corners: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and the lines of text that are to be found in it."""

    path: Path
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Counts over a set's pictures: lines, those found and read; regions, those that found one."""

    lines: int
    found: int
    read: int
    regions: int
    right: int
    pictures: int
    milliseconds: float


def samples(folder: Path = SAMPLES) -> list[Picture]:
    """The sample pictures with the outlines of their lines.

    Raises:
        OSError: they are not there.
    """
    rows: list[tuple[str, Line]] = []
    for name in ("outlines.csv", "hard-turning.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            rows += [
                (row["file"], Line(row["text"], np.array(json.loads(row["outline"]))))
                for row in csv.DictReader(file)
            ]
    return [
        Picture(folder / name, tuple(line for own, line in rows if own == name))
        for name in dict.fromkeys(name for name, _ in rows)
    ]


def measure(
    pictures: Iterable[Picture], detector: Detector, options: DetectOptions, recogniser: Recogniser
) -> Outcome:
    """Search each picture, read what is found, and count.

    Raises:
        ImageError: a picture does not open.
    """
    lines = found = read = regions = right = count = 0
    spent = 0.0
    for picture in pictures:
        frame = _frame(picture.path)
        begin = time.perf_counter()
        seen = detect(frame, "code", detector, options)
        spent += (time.perf_counter() - begin) * 1000
        readings = recognise(seen, [None] * len(seen), recogniser)
        matches: Callable[[Line, Reading], bool] = _covers
        if any(line.corners is None for line in picture.lines):
            matches = _reads
        lines += len(picture.lines)
        found += sum(any(matches(line, one) for one in readings) for line in picture.lines)
        read += sum(any(_reads(line, one) for one in readings) for line in picture.lines)
        regions += len(readings)
        right += sum(any(matches(line, one) for line in picture.lines) for one in readings)
        count += 1
    return Outcome(lines, found, read, regions, right, count, spent)


def covers(line: np.ndarray, region: np.ndarray) -> bool:
    """Whether a region finds a line; both (4, 2) corners, as this module's docstring says."""
    first, second = (np.asarray(each, dtype=np.float32) for each in (line, region))
    areas = [cv2.contourArea(each) for each in (first, second)]
    both = cv2.intersectConvexConvex(first, second)[0]
    together = areas[0] + areas[1] - both
    if together > 0 and both >= _OVERLAP * together:
        return True
    return both >= _HELD * areas[0] > 0 and areas[1] <= _LARGE * areas[0]


def _covers(line: Line, reading: Reading) -> bool:
    return line.corners is not None and covers(line.corners, np.array(reading.outline))


def _reads(line: Line, reading: Reading) -> bool:
    return plain(reading.transcript.text) == plain(line.text)


def _frame(path: Path) -> Frame:
    image = image_of(path)
    if isinstance(image, Failure):
        raise ImageError(f"{path}: {image.reason}")
    return decode(image, DecodeOptions())[0]


def table(outcomes: Sequence[tuple[str, str, Outcome]]) -> Table:
    """One row for each set and detector."""
    made = Table(box=None, pad_edge=False)
    made.add_column("")
    for head in ("pictures", "lines", "recall", "precision", "read", "regions", "ms a picture"):
        made.add_column(head, justify="right", no_wrap=True)
    for name, detector, each in outcomes:
        made.add_row(
            f"{name}, {detector}",
            str(each.pictures),
            str(each.lines),
            _share(each.found, each.lines),
            _share(each.right, each.regions),
            _share(each.read, each.lines),
            str(each.regions),
            f"{each.milliseconds / max(each.pictures, 1):.1f}",
        )
    return made


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m flows.bench.detection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("labels", type=Path, nargs="*", help="file,text of whole pictures")
    parser.add_argument("--limit", type=int, help="pictures of a labelled set; all if left out")
    parser.add_argument("--samples", type=Path, default=SAMPLES, metavar="DIR")
    parser.add_argument("--detector", action="append", choices=DETECTORS)
    given = parser.parse_args(arguments)
    outcomes = []
    cv2.setNumThreads(1)
    try:
        sets = [("samples", samples(given.samples))]
        for each in limited(read_sets(given.labels), given.limit):
            sets.append((each.name, [Picture(x.path, (Line(x.text),)) for x in each.labels]))
        with TrocrRecogniser(TrocrRecogniser.Options()) as recogniser:
            for name, pictures in sets:
                for chosen in given.detector or DETECTORS:
                    plugin = plugins.load("detector", chosen)
                    with plugin(plugin.Options()) as detector:
                        outcome = measure(pictures, detector, DetectOptions(), recogniser)
                    outcomes.append((name, chosen, outcome))
    except (MarkwatchError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, 110)
    console.print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
