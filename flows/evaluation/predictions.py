"""What the contenders read in labelled pictures: by a recogniser alone, or by a whole recipe.

A picture is shown to every contender before the next one is, so that a machine that slows down
for a while slows them all. Each reads one picture a call, in this thread.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from flows import graph
from flows.commands.reading import image_of
from flows.configuration.recipes import Engine, Recipe
from flows.engines import ENGINES
from flows.evaluation.contenders import Contender
from flows.evaluation.labels import Label
from stages.decode import DecodeOptions, decode
from stages.errors import ImageError, RecogniserError
from stages.map.likelihood import confidence
from stages.records import Failure, Report


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a contender read in a picture whose truth is `text`.

    `confidence` is None where no text was read. `ms` leaves out the decoding of the file; None
    where the engine failed.
    """

    contender: str
    file: str
    text: str
    predicted: str
    confidence: float | None
    ms: float | None


def predict(
    labels: Iterable[Label],
    contenders: Sequence[Contender],
    options: DecodeOptions,
    complain: Callable[[str], None],
) -> Iterator[tuple[Prediction, ...]]:
    """One prediction a contender for each picture; none for a picture that cannot be decoded.

    Every contender reads the first picture twice, since the first time also warms it up. Where an
    engine fails on a picture it has read nothing. Both are told to `complain`, one line each.

    Raises:
        PluginError: an engine is not installed or does not load.
    """
    cold = True
    for label in labels:
        try:
            if cold:
                for contender in contenders:
                    _predict(label, contender, options)
                cold = False
            yield tuple(_predict(label, each, options, complain) for each in contenders)
        except ImageError as error:
            complain(f"{label.place}: {label.file}: {error}")


def _predict(
    label: Label,
    contender: Contender,
    options: DecodeOptions,
    complain: Callable[[str], None] = lambda _: None,
) -> Prediction:
    read = _by_recipe if isinstance(contender.reads, Recipe) else _by_recogniser
    try:
        text, trust, ms = read(label, contender.reads, options)
    except RecogniserError as error:
        complain(f"{label.place}: {label.file}: {contender.name}: {error}")
        text, trust, ms = "", None, None
    return Prediction(contender.name, label.file, label.text, text, trust, ms)


def _by_recogniser(
    label: Label, engine: Engine, options: DecodeOptions
) -> tuple[str, float | None, float]:
    image = image_of(label.path)
    if isinstance(image, Failure):
        raise ImageError(image.reason)
    crop = decode(image, options)[0].pixels
    with ENGINES.use(engine) as recogniser:
        begin = time.perf_counter()
        (transcript,) = recogniser.read([crop], [None])
        ms = (time.perf_counter() - begin) * 1000
    return transcript.text, confidence(transcript) if transcript.text else None, ms


def _by_recipe(
    label: Label, recipe: Recipe, options: DecodeOptions
) -> tuple[str, float | None, float]:
    """The code of the recipe's first field, if it was given out: the surest, of several."""
    image = image_of(label.path)
    outcome: Report | Failure = (
        image if isinstance(image, Failure) else graph.run_here([image], recipe, options)[0]
    )
    if isinstance(outcome, Failure):
        kind = RecogniserError if outcome.retryable else ImageError
        raise kind(outcome.reason)
    ms = sum(spent for stage, spent in outcome.timings_ms.items() if stage != "decode")
    marks = [each for each in outcome.marks if each.field == recipe.fields[0].name and each.code]
    best = max(marks, key=lambda mark: mark.confidence or 0.0, default=None)
    return (best.code or "", best.confidence, ms) if best else ("", None, ms)


class PredictionWriter:
    """Writes predictions into a CSV as they come.

    The columns are file, text, predicted, confidence and ms, and before them the set and the
    recogniser where there are several.
    """

    def __init__(self, file: TextIO, *, sets: bool, contenders: bool) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        self._sets, self._contenders = sets, contenders
        self._write("set", "recogniser", "file", "text", "predicted", "confidence", "ms")

    def write(self, set_name: str, one: Prediction) -> None:
        trust = "" if one.confidence is None else f"{one.confidence:.6f}"
        ms = "" if one.ms is None else f"{one.ms:.3f}"
        self._write(set_name, one.contender, one.file, one.text, one.predicted, trust, ms)

    def _write(self, set_name: str, contender: str, *cells: str) -> None:
        own = ([set_name] if self._sets else []) + ([contender] if self._contenders else [])
        self._rows.writerow([*own, *cells])
