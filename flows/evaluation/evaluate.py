"""The `evaluate` command: labelled pictures in, tables, a CSV of predictions and a picture out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from flows import telemetry
from flows.commands import reading
from flows.configuration import settings
from flows.configuration.recipes import Engine
from flows.configuration.settings import Layout
from flows.engines import ENGINES, warm
from flows.evaluation import contenders, pictures
from flows.evaluation.calibration import reliability
from flows.evaluation.complaints import Complaints
from flows.evaluation.contenders import Contender
from flows.evaluation.labels import LabelSet, limited, read_sets
from flows.evaluation.predictions import Prediction, PredictionWriter, predict
from flows.evaluation.report import Result, show
from flows.evaluation.risk import operating_points, risk_coverage
from flows.evaluation.scores import is_right, score
from stages.decode import DecodeOptions
from stages.errors import ConfigError, ImageError

_SEED = 0
"""Of the bootstrap, so that the same predictions give the same intervals."""

_LEAST_WIDTH = 130
"""Columns of text: a narrower terminal wraps the lines rather than losing figures."""


def evaluate(
    root: Path,
    labels: Sequence[Path],
    *,
    recognisers: Sequence[str],
    recipe: str | None,
    predictions: Path | None,
    curve: Path | None,
    threads: int,
    limit: int | None,
) -> int:
    """Measure and print; 0, or ImageError's status when a row or its picture is bad.

    Raises:
        MarkwatchError: a label file, a recogniser, its options or the recipe is wrong.
    """
    telemetry.configure(settings.LogOptions(level="error"))
    if curve is not None:
        pictures.require(curve)
    if predictions is not None:
        _require(predictions, labels)
    sets = list(limited(read_sets(labels), limit))
    chosen, options = _contenders(root, recognisers, recipe, threads)
    _use_threads(threads)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    complain = Complaints(lambda words: errors.print(f"markwatch: {words}"))
    for words in (words for each in sets for words in each.complaints):
        complain(words)
    try:
        # before a file is written over: an engine may not be there
        models = [f"{each.name}: {_what(each)}" for each in chosen]
        found = _predictions(sets, chosen, options, predictions, errors, complain)
    finally:
        ENGINES.close()
        complain.close()
    rng = np.random.default_rng(_SEED)
    results = [_result(name, own, rng) for name, rows in found for own in zip(*rows, strict=True)]
    if not results:
        raise ConfigError("no picture could be read; see the lines above")
    console = Console(markup=False)
    console.width = max(console.width, _LEAST_WIDTH)
    show(results, models, console)
    if curve is not None:
        pictures.draw_results(results, curve)
    return ImageError.exit_code if complain.count else 0


def _require(predictions: Path, labels: Sequence[Path]) -> None:
    """Find out before the work whether the predictions can be written here."""
    if predictions.resolve() in {path.resolve() for path in labels}:
        raise ConfigError(f"{predictions} is a label file; write the predictions elsewhere")
    if not predictions.parent.is_dir():
        raise ConfigError(f"no such folder: {predictions.parent}; make it, or choose another file")


def _contenders(
    root: Path, recognisers: Sequence[str], recipe: str | None, threads: int
) -> tuple[list[Contender], DecodeOptions]:
    """Who is measured, and how pictures are decoded: the root is asked only where it is needed."""
    named = contenders.names(recognisers)
    choices = [contenders.choose(text) for text in recognisers]
    if recipe is None and choices:
        pairs = zip(named, choices, strict=True)
        return [contenders.alone(name, choice, threads) for name, choice in pairs], DecodeOptions()
    site = settings.load(root)
    if recipe is None:
        own = contenders.alone(site.recogniser.use, site.recogniser, threads, Layout(root).root)
        return [own], site.decode
    whole = []
    for name, choice in zip(named or (recipe,), choices or (None,), strict=True):
        own = site.model_copy(update={"recogniser": choice} if choice else {})
        plan = reading.recipe_of(Layout(root), recipe, own)
        whole.append(contenders.within(name, plan, choice, threads))
    return whole, site.decode


def _use_threads(threads: int) -> None:
    """Bound the threads of what is not loaded yet (OpenMP, torch), and of OpenCV."""
    for name in ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT"):
        os.environ[name] = str(threads)
    cv2.setNumThreads(threads)


def _what(contender: Contender) -> str:
    """The model behind a name, or the recipe's version."""
    if isinstance(contender.reads, Engine):
        with ENGINES.use(contender.reads) as recogniser:
            return recogniser.model
    warm(contender.reads.engines)
    plan = contender.reads.fields[0]
    with ENGINES.use(plan.recogniser) as recogniser:
        return f"{recogniser.model} in recipe {contender.reads.version}"


def _predictions(
    sets: Sequence[LabelSet],
    chosen: Sequence[Contender],
    options: DecodeOptions,
    out: Path | None,
    errors: Console,
    complain: Callable[[str], None],
) -> list[tuple[str, list[tuple[Prediction, ...]]]]:
    """Each set's name and, for each of its pictures, one prediction a contender."""
    found: list[tuple[str, list[tuple[Prediction, ...]]]] = []
    with ExitStack() as stack:
        writer = None
        if out is not None:
            try:
                # by line, so that a stop keeps what was read
                opened = out.open("w", newline="", encoding="utf-8", buffering=1)
            except OSError as error:
                raise ConfigError(
                    f"{out} cannot be written: {error.strerror}; choose another file"
                ) from error
            file = stack.enter_context(opened)
            writer = PredictionWriter(file, sets=len(sets) > 1, contenders=len(chosen) > 1)
        progress = stack.enter_context(
            Progress(console=errors, transient=True, disable=not errors.is_terminal)
        )
        try:
            for each in sets:
                rows: list[tuple[Prediction, ...]] = []
                found.append((each.name, rows))
                tracked = progress.track(each.labels, description=each.name)
                for row in predict(tracked, chosen, options, complain):
                    rows.append(row)
                    for one in row if writer else ():
                        writer.write(each.name, one)
        except KeyboardInterrupt:
            done = sum(len(rows) for _, rows in found)
            every = sum(len(each.labels) for each in sets)
            kept = f"{out} holds them" if out else "`--predictions OUT.csv` would have kept them"
            errors.print(f"markwatch: stopped after {done} of {every} pictures; {kept}")
            raise
    return found


def _result(set_name: str, predictions: Sequence[Prediction], rng: np.random.Generator) -> Result:
    given = [each for each in predictions if each.confidence is not None]
    return Result(
        set_name=set_name,
        contender=predictions[0].contender,
        scores=score(predictions),
        curve=risk_coverage(predictions),
        points=operating_points(predictions, rng),
        reliability=reliability(
            [each.confidence for each in given], [is_right(each) for each in given]
        ),
    )
