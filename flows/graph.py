"""The only place that orders the stages: a chunk of pictures becomes one Dask graph.

A node is stage x chunk and its key is `stage-chunk-attempt`, so Dask's dashboard speaks the
folders' words. One bad picture never takes its neighbours along (`flows/parcel.py`). Tasks have no
side effects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from flows import vocabulary
from flows.cluster.place import PLAIN, Terms
from flows.configuration.recipes import FieldPlan, Recipe
from flows.engines import ENGINES
from flows.parcel import Parcel, carried, each, fail, milliseconds
from stages.decode import DecodeOptions, decode
from stages.detect import detect
from stages.map import map_readings
from stages.preprocess import Step, preprocess, stepwise
from stages.recognise import recognise
from stages.records import Failure, Frame, ImageRef, Mark, Reading, Region, Report, Stage

if TYPE_CHECKING:
    from dask.delayed import Delayed

Outcomes = list[Report | Failure]


@dataclass(frozen=True, slots=True)
class Found:
    """The regions or readings of one field on one page."""

    plan: FieldPlan
    page: int
    records: tuple[Region, ...] | tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """What each stage made of one picture: pages as decoded and prepared, regions, readings.

    From the stage on that failed they are empty. `regions` and `readings` match one by one.
    """

    frames: tuple[Frame, ...]
    prepared: tuple[Frame, ...]
    regions: tuple[Found, ...]
    readings: tuple[Found, ...]
    outcome: Report | Failure


def build(
    images: Sequence[ImageRef],
    recipe: Recipe,
    options: DecodeOptions,
    *,
    chunk: str,
    attempt: int,
    terms: Terms = PLAIN,
) -> Delayed:
    """The graph of one chunk; computing it gives `Outcomes`, one per picture and in order.

    Where the terms want the pictures' bytes in it, their files are read here.
    """
    import dask

    def node(stage: Stage, function: Callable[..., Any], *arguments: Any) -> Delayed:
        key = f"{stage}-{chunk}-{attempt}"
        wanted = terms.resources.get(stage)
        with dask.annotate(resources=dict(wanted)) if wanted else nullcontext():
            return dask.delayed(function, pure=False)(*arguments, dask_key_name=key)

    parcels = [Parcel(image, None) for image in images]
    if terms.carried:
        parcels = carried(parcels, options)
    decoded = node("decode", _decode, parcels, options)
    prepared = node("preprocess", _preprocess, decoded, recipe.preprocess)
    detected = node("detect", _detect, prepared, recipe.fields)
    recognised = node("recognise", _recognise, detected)
    return node("map", _map, recognised, recipe)


def run_here(images: Sequence[ImageRef], recipe: Recipe, options: DecodeOptions) -> Outcomes:
    """The same stages as plain calls in this thread: what the benchmark holds the walk against."""
    return map_here(read_here(images, recipe, options), recipe)


def read_here(images: Sequence[ImageRef], recipe: Recipe, options: DecodeOptions) -> list[Parcel]:
    """The stages up to recognise, for `map_here`: what is read once may be mapped many times."""
    parcels = [Parcel(image, None) for image in images]
    detected = _detect(_preprocess(_decode(parcels, options), recipe.preprocess), recipe.fields)
    return _recognise(detected)


def map_here(parcels: Sequence[Parcel], recipe: Recipe) -> Outcomes:
    """Map what was read under a recipe that may differ in how its fields are mapped."""
    plans = {plan.name: plan for plan in recipe.fields}

    def under(parcel: Parcel) -> Parcel:
        if parcel.failed:
            return parcel
        found, model = parcel.content
        own = tuple(replace(one, plan=plans[one.plan.name]) for one in found)
        return replace(parcel, content=(own, model))

    return _map([under(parcel) for parcel in parcels], recipe)


def trace(
    image: ImageRef,
    recipe: Recipe,
    options: DecodeOptions,
    see: Callable[[Frame, Step, float], None],
) -> Trace:
    """One picture through the same stages as plain calls, and what came out of each.

    `see` is shown the frame after each step of preprocess, with the step and its milliseconds.
    """
    decoded = _decode([Parcel(image, None)], options)
    prepared = each("preprocess", decoded, partial(_seen, recipe.preprocess, see))
    detected = _detect(prepared, recipe.fields)
    recognised = _recognise(detected)
    [outcome] = _map(recognised, recipe)
    frames, ready, regions = (
        () if parcel.failed else parcel.content for [parcel] in (decoded, prepared, detected)
    )
    readings = () if recognised[0].failed else recognised[0].content[0]
    return Trace(frames, ready, regions, readings, outcome)


def _seen(
    steps: tuple[Step, ...], see: Callable[[Frame, Step, float], None], frames: tuple[Frame, ...]
) -> tuple[Frame, ...]:
    done = []
    for frame in frames:
        after, begin = frame, time.perf_counter()
        for step, after in zip(steps, stepwise(frame, steps), strict=True):
            see(after, step, milliseconds(begin))
            begin = time.perf_counter()
        done.append(after)
    return tuple(done)


def _decode(parcels: Sequence[Parcel], options: DecodeOptions) -> list[Parcel]:
    done = []
    for parcel in parcels:
        stage = partial(decode, parcel.image, options)
        done.extend(each("decode", [parcel], stage))
    return done


def _preprocess(parcels: Sequence[Parcel], steps: tuple[Step, ...]) -> list[Parcel]:
    def stage(frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
        return tuple(preprocess(frame, steps) for frame in frames)

    return each("preprocess", parcels, stage)


def _detect(parcels: Sequence[Parcel], plans: tuple[FieldPlan, ...]) -> list[Parcel]:
    def stage(frames: tuple[Frame, ...]) -> tuple[Found, ...]:
        found = []
        for plan in plans:
            with ENGINES.use(plan.detector) as detector:
                found.extend(
                    Found(plan, frame.page, detect(frame, plan.name, detector, plan.detect))
                    for frame in frames
                )
        return tuple(found)

    return each("detect", parcels, stage)


def _recognise(parcels: Sequence[Parcel]) -> list[Parcel]:
    """Read the crops of the whole chunk, one call per engine."""
    begin = time.perf_counter()
    open_parcels = [parcel for parcel in parcels if not parcel.failed]
    everything = [found for parcel in open_parcels for found in parcel.content]
    read: dict[int, tuple[Reading, ...]] = {}
    models: dict[tuple[str, str, str], str] = {}
    try:
        for engine in {
            found.plan.recogniser.key: found.plan.recogniser for found in everything
        }.values():
            mine = [found for found in everything if found.plan.recogniser.key == engine.key]
            regions = [region for found in mine for region in found.records]
            constraints = [found.plan.steering for found in mine for _ in found.records]
            with ENGINES.use(engine) as recogniser:
                readings = iter(recognise(regions, constraints, recogniser))
                models[engine.key] = recogniser.model
            for found in mine:
                read[id(found)] = tuple(next(readings) for _ in found.records)
    except Exception as error:
        return [parcel if parcel.failed else fail(parcel, "recognise", error) for parcel in parcels]
    share = milliseconds(begin) / max(1, len(open_parcels))
    return [
        parcel
        if parcel.failed
        else replace(
            parcel,
            content=(
                tuple(replace(found, records=read[id(found)]) for found in parcel.content),
                "+".join(dict.fromkeys(models[f.plan.recogniser.key] for f in parcel.content)),
            ),
            timings_ms=(*parcel.timings_ms, ("recognise", share)),
        )
        for parcel in parcels
    ]


def _map(parcels: Sequence[Parcel], recipe: Recipe) -> Outcomes:
    done = []
    for parcel in parcels:

        def stage(
            content: tuple[tuple[Found, ...], str], image: ImageRef = parcel.image
        ) -> tuple[tuple[Mark, ...], str]:
            found, model = content
            return tuple(mark for one in found for mark in _marks(one, image)), model

        done.extend(each("map", [parcel], stage))
    outcomes: Outcomes = []
    for parcel in done:
        timings = dict(parcel.timings_ms)
        if parcel.failed:
            outcomes.append(replace(parcel.content, recipe=recipe.version, timings_ms=timings))
        else:
            marks, model = parcel.content
            hours = recipe.duplicate_hours
            report = Report(parcel.image, marks, recipe.version, model, timings, hours)
            outcomes.append(_writable(report))
    return outcomes


def _writable(report: Report) -> Report | Failure:
    """The report, unless a plug-in put something into it that no row can hold."""
    try:
        at = report.image.arrived_at
        for row in vocabulary.rows(report, station="", first_seq=1, read_at=at):
            vocabulary.to_json(row).encode("utf-8")
    except (TypeError, ValueError) as error:
        words = f"a plug-in returned what cannot be written: {error}"
        return Failure(report.image, "map", words, retryable=False, recipe=report.recipe)
    return report


def _marks(found: Found, image: ImageRef) -> tuple[Mark, ...]:
    return map_readings(
        found.records,
        field=found.plan.name,
        page=found.page,
        options=found.plan.map,
        constraint=found.plan.constraint,
        threshold=found.plan.threshold,
        take=found.plan.take,
        expected=image.expected or found.plan.expected,
        captured_at=image.captured_at,
        lexicon=found.plan.lexicon,
    )
