"""`python -m flows.bench.labelled LABELS.csv --format FORMAT`: what a format is worth on pictures.

Labelled crops (`file,text`), or whole pictures with `--whole`, are read by each recogniser and
mapped without a format, with it, and with it and `--check`. Of several `--format` a picture has the
first that takes its label, which tells it more than a camera would know; labels that none takes
are left out and counted. With `--root` the CSV names cameras and codes (`file,camera,code`), and
each picture is read by its camera's recipe of that root, without and with the recipe's format.
Letters count as capitals, spaces not at all. A code is right when the candidate is, given or not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from flows import graph, plugins
from flows.bench.mapping import RECOGNISERS, WAYS
from flows.commands.reading import image_of
from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import Engine, Recipe
from flows.configuration.settings import Layout
from flows.configuration.spreadsheets import read_rows
from flows.engines import ENGINES
from flows.evaluation.contenders import choose, within
from flows.evaluation.intervals import clopper_pearson
from flows.evaluation.labels import read_sets
from stages.decode import DecodeOptions
from stages.detect import DetectOptions
from stages.errors import ConfigError, MarkwatchError
from stages.map import MapOptions
from stages.records import Failure

_CASE, _STRIP = "upper", " "


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture, its code, and the recipe's map options by way."""

    path: Path
    code: str
    recipe: str
    ways: dict[str, MapOptions]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a picture in one way."""

    recogniser: str
    way: str
    truth: str
    candidate: str
    code: str | None
    file: str


def labelled(
    path: Path, formats: Sequence[str], scheme: str | None
) -> tuple[list[Picture], list[str]]:
    """The pictures of a label file whose label one of the formats takes, and the other labels.

    Raises:
        ConfigError: the file or a format is wrong.
    """
    options = [_options(each, scheme) for each in formats]
    pictures, left = [], []
    for label in read_sets([path])[0].labels:
        code = label.text.upper().replace(" ", "")
        chosen = next((each for each in options if each[WAYS[1]].constraint.accepts(code)), None)
        if chosen is None:
            left.append(label.text)
        else:
            pictures.append(Picture(label.path, code, recipes.DEFAULT, chosen))
    return pictures, left


def of_root(path: Path, root: Path) -> list[Picture]:
    """The pictures of a label file that names each one's camera, with its recipe's map options.

    Raises:
        ConfigError: the file or a recipe is wrong.
    """
    pictures = []
    for row in read_rows(path, ("file", "camera", "code")):
        camera = row.cells["camera"]
        plan = recipes.load(Layout(root), camera, choose(RECOGNISERS[0])).fields[0]
        free = MapOptions(strip=plan.map.strip, case=plan.map.case)
        ways = {WAYS[0]: free, WAYS[1]: plan.map}
        pictures.append(Picture(path.parent / row.cells["file"], row.cells["code"], camera, ways))
    return pictures


def _options(pattern: str, scheme: str | None) -> dict[str, MapOptions]:
    told: list[dict[str, object]] = [{}, {"format": pattern}]
    if scheme is not None:
        told.append({"format": pattern, "check_digits": [{"scheme": scheme}]})
    try:
        made = [MapOptions(strip=_STRIP, case=_CASE, **each) for each in told]
    except ValidationError as error:
        words = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"--format or --check: {words}") from error
    return dict(zip(WAYS, made, strict=False))


def run(pictures: Sequence[Picture], name: str, root: Path, *, whole: bool) -> Iterator[Outcome]:
    """Read each picture in each of its ways with a recogniser.

    Raises:
        MarkwatchError: an engine is not installed or does not load, or a picture cannot be read.
    """
    for picture in pictures:
        image = image_of(picture.path)
        if isinstance(image, Failure):
            raise ConfigError(f"{picture.path}: {image.reason}")
        for way, options in picture.ways.items():
            recipe = _recipe(picture.recipe, root, choose(name), options, whole)
            (report,) = graph.run_here([image], recipe, DecodeOptions())
            if isinstance(report, Failure):
                raise ConfigError(f"{picture.path}: {report.reason}")
            mark = report.marks[0]
            candidate = mark.candidate.upper().replace(" ", "") if mark.candidate else ""
            yield Outcome(name, way, picture.code, candidate, mark.code, picture.path.name)


def _recipe(
    name: str, root: Path, choice: RecogniserChoice, options: MapOptions, whole: bool
) -> Recipe:
    """A recipe of the root with other map options; for crops with the crop as its only line."""
    layout = Layout(root)
    made = within(name, recipes.load(layout, name, choice), choice, threads=1).reads
    plan = made.fields[0]
    detector, detect = plan.detector, plan.detect
    if not whole:
        detector = Engine("detector", "whole", plugins.load("detector", "whole").Options())
        detect = DetectOptions(turned="never")
    plan = replace(
        plan,
        detector=detector,
        detect=detect,
        map=options,
        constraint=options.constraint,
        steering=options.steering,
    )
    return replace(made, fields=(plan,))


def table(outcomes: Sequence[Outcome]) -> Table:
    """Accuracy, coverage and false reads of each recogniser and way."""
    made = Table(box=None, pad_edge=False)
    made.add_column("")
    for head in ("pictures", "right", "given out", "false", "95 % upper bound"):
        made.add_column(head, justify="right", no_wrap=True)
    for key in dict.fromkeys((each.recogniser, each.way) for each in outcomes):
        group = [each for each in outcomes if (each.recogniser, each.way) == key]
        given = [each for each in group if each.code is not None]
        false = sum(each.code != each.truth for each in given)
        right = sum(each.candidate == each.truth for each in group)
        made.add_row(
            ", ".join(key),
            str(len(group)),
            f"{right} ({right / len(group):.1%})",
            f"{len(given)} ({len(given) / len(group):.1%})",
            str(false),
            f"{clopper_pearson(false, len(given))[1]:.1%}",
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.bench.labelled", description=__doc__)
    parser.add_argument("labels", type=Path, help="CSV with file,text; of a root file,camera,code")
    parser.add_argument("--format", action="append", default=[], help="may be given several times")
    parser.add_argument("--check", help="scheme of the check digit over the whole code")
    parser.add_argument("--root", type=Path, help="read each camera's pictures by its recipe here")
    parser.add_argument("--whole", action="store_true", help="whole pictures, not crops")
    parser.add_argument("--recogniser", action="append", help="NAME or NAME:key=value")
    parser.add_argument("--wrong", action="store_true", help="list what is not given out right")
    given = parser.parse_args(arguments)
    if not given.format and given.root is None:
        parser.error("give --format, or --root for the recipes' own")
    outcomes: list[Outcome] = []
    left: list[str] = []
    try:
        if given.root is not None:
            pictures = of_root(given.labels, given.root)
        else:
            pictures, left = labelled(given.labels, given.format, given.check)
        if not pictures:
            raise ConfigError(f"{given.labels}: no label fits; change --format")
        root = given.root or Path(__file__).parents[2]
        whole = given.whole or given.root is not None
        for name in given.recogniser or RECOGNISERS:
            outcomes += run(pictures, name, root, whole=whole)
    except (MarkwatchError, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    finally:
        ENGINES.close()
    console = Console(markup=False, highlight=False, width=120)
    console.print(f"{given.labels}: {len(pictures)} pictures, {len(left)} labels fit no format")
    console.print(table(outcomes))
    for each in outcomes if given.wrong else ():
        if each.code != each.truth:
            console.print(*(getattr(each, name) for name in each.__slots__))
    return 0


if __name__ == "__main__":
    sys.exit(main())
