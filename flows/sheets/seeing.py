"""What a person is to see of one picture on its way: a trace of the graph -> `Seen`.

Everything comes from the stages themselves: the pixels after each step, the regions and their
crops, the readings, and what `map` made of them. Pictures are reduced as they come, since an
8-megapixel picture with a dozen steps would fill the memory of a small machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flows import graph
from flows.configuration.recipes import FieldPlan, Recipe
from flows.graph import Found, Trace
from flows.sheets.pictures import fitted
from stages.decode import DecodeOptions
from stages.map.clean import cleaner, positions
from stages.map.likelihood import likely_texts
from stages.map.trim import trimmed
from stages.preprocess import Step
from stages.records import Failure, Frame, ImageRef, Mark, Reading, Region, Report

PICTURE_PX = (1120, 900)
STEP_PX = (1120, 272)
_LIKELY = 4
_PARTS_A_SIDE = 24

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """The picture after a step: reduced RGB pixels, its true size, and the step as typed."""

    page: int
    name: str
    options: str
    ms: float
    pixels: np.ndarray
    size: Size


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text that was found and read: its number on the page, its crop as it was read.

    `shape` is its outline in original pixels, (N, 2) and bent where a step had straightened it;
    `shape_ready` in those that the detector was shown.
    """

    number: int
    field: str
    crop: np.ndarray
    shape: np.ndarray
    shape_ready: np.ndarray
    reading: Reading


@dataclass(frozen=True, slots=True)
class Likely:
    """A text that the mark may bear, its probability 0 to 1, whether it fits the field's format."""

    text: str
    probability: float
    fits: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """A mark, the lines that it was read from, and how the text became the code.

    `stages` are (what was done, the text then); `legal` are the texts that the recogniser found by
    decoding under the format, `likely` those that it read before any format was imposed.
    """

    mark: Mark
    plan: FieldPlan
    lines: tuple[Line, ...]
    stages: tuple[tuple[str, str], ...]
    likely: tuple[Likely, ...]
    legal: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page: as decoded and as the detector was shown it (None where it did not come so far)."""

    number: int
    pixels: np.ndarray
    size: Size
    steps: tuple[Stepped, ...]
    ready: np.ndarray | None
    ready_size: Size
    lines: tuple[Line, ...]
    decided: tuple[Decided, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture and everything that was made of it; no pages where it could not be decoded."""

    outcome: Report | Failure
    recipe: Recipe
    pages: tuple[Page, ...]


def see(
    image: ImageRef, recipe: Recipe, options: DecodeOptions, *, step_px: Size = STEP_PX
) -> Seen:
    """Read a picture by the graph's own stages, in this thread, and keep what there is to see.

    The picture after each step is kept as large as it fits into `step_px`.
    """
    steps: list[Stepped] = []

    def keep(frame: Frame, step: Step, ms: float) -> None:
        pixels = fitted(frame.pixels, *step_px)
        words = options_in_words(step.options.model_dump(mode="json", exclude_unset=True))
        steps.append(Stepped(frame.page, step.name, words, ms, pixels, _size(frame)))

    trace = graph.trace(image, recipe, options, keep)
    marks = trace.outcome.marks if isinstance(trace.outcome, Report) else ()
    pages = tuple(_page(frame, trace, steps, marks) for frame in trace.frames)
    return Seen(trace.outcome, recipe, pages)


def options_in_words(options: Mapping[str, Any]) -> str:
    """A step's options as the recipe has them; a list of points by how many there are."""
    return ", ".join(f"{name} {_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
        return f"({len(value)} points)"
    if isinstance(value, list | tuple):
        return " ".join(map(_value, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _size(frame: Frame) -> Size:
    return frame.pixels.shape[1], frame.pixels.shape[0]


def _page(frame: Frame, trace: Trace, steps: Sequence[Stepped], marks: Sequence[Mark]) -> Page:
    ready = next((each for each in trace.prepared if each.page == frame.page), None)
    lines = _lines(frame.page, ready, trace.regions, trace.readings)
    plans = {found.plan.name: found.plan for found in trace.readings}
    return Page(
        number=frame.page,
        pixels=fitted(frame.pixels, *PICTURE_PX),
        size=_size(frame),
        steps=tuple(step for step in steps if step.page == frame.page),
        ready=None if ready is None else fitted(ready.pixels, *PICTURE_PX),
        ready_size=(1, 1) if ready is None else _size(ready),
        lines=lines,
        decided=tuple(
            _decided(mark, plans[mark.field], lines) for mark in marks if mark.page == frame.page
        ),
    )


def _lines(
    page: int, ready: Frame | None, regions: Sequence[Found], readings: Sequence[Found]
) -> tuple[Line, ...]:
    """The lines of a page; what two fields found at one place has one number."""
    numbers: dict[tuple[tuple[int, int], ...], int] = {}
    lines = []
    for found, read in zip(regions, readings, strict=False):
        for region, reading in zip(found.records, read.records, strict=True):
            if found.page != page or ready is None:
                continue
            place = tuple((round(x), round(y)) for x, y in region.outline)
            number = numbers.setdefault(place, len(numbers) + 1)
            lines.append(_line(number, ready, region, reading))
    return tuple(lines)


def _line(number: int, ready: Frame, region: Region, reading: Reading) -> Line:
    turned = not np.allclose(region.outline[0], reading.outline[0])
    corners = ready.transform.to_frame(np.array(reading.outline))
    parts = np.linspace(0, 1, _PARTS_A_SIDE, endpoint=False)[:, None, None]
    shape_ready = corners + parts * (np.roll(corners, -1, axis=0) - corners)
    shape_ready = shape_ready.transpose(1, 0, 2).reshape(-1, 2)
    return Line(
        number=number,
        field=region.field,
        crop=np.rot90(region.crop, 2) if turned else region.crop,
        shape=ready.transform.to_original(shape_ready),
        shape_ready=shape_ready,
        reading=reading,
    )


def _decided(mark: Mark, plan: FieldPlan, lines: Sequence[Line]) -> Decided:
    if mark.reading is None:
        return Decided(mark, plan, (), (), (), ())
    transcript = mark.reading.transcript
    clean = cleaner(plan.map.strip, plan.map.case)
    evidence = positions(transcript, clean, plan.map.pairs.table())
    cleaned = _text(evidence)
    for anchor in plan.map.trim:
        evidence = trimmed(evidence, anchor)
    stages = [("as read", transcript.text)]
    if cleaned != transcript.text:
        stages.append(("cleaned", cleaned))
    if (left := _text(evidence)) != cleaned:
        stages.append(("trimmed", left))
    if mark.candidate is not None and mark.candidate != left:
        stages.append(("made to fit the format", mark.candidate))
    likely = [
        _likely("".join(glyph.char for glyph in glyphs), log, plan)
        for log, glyphs in likely_texts(evidence, _LIKELY)
    ]
    # two that differ in what is cleaned off are one code
    chances: dict[str, float] = {}
    for each in transcript.candidates:
        code = "".join(map(clean, each.text))
        chances[code] = chances.get(code, 0.0) + math.exp(min(0.0, each.log_probability))
    legal = [Likely(code, min(1.0, chance), True) for code, chance in chances.items()][:_LIKELY]
    own = tuple(line for line in lines if _is_of(line, mark))
    return Decided(mark, plan, own, tuple(stages), tuple(likely), tuple(legal))


def _text(evidence: Sequence[tuple[Any, ...]]) -> str:
    return "".join(position[0].char for position in evidence)


def _likely(text: str, log_probability: float, plan: FieldPlan) -> Likely:
    fits = plan.constraint is None or (
        plan.constraint.accepts(text) and plan.constraint.complaint(text) is None
    )
    return Likely(text, math.exp(min(0.0, log_probability)), fits)


def _is_of(line: Line, mark: Mark) -> bool:
    """Whether a mark was read from this line: the line itself, or one of those that were joined."""
    if mark.reading is None or line.field != mark.field:
        return False
    if line.reading.outline == mark.reading.outline:
        return True
    if line.reading.transcript.text not in mark.reading.transcript.text:
        return False
    x1, y1, x2, y2 = line.reading.box
    left, top, right, bottom = mark.reading.box
    inside = left - 1 <= x1 and top - 1 <= y1 and x2 <= right + 1 and y2 <= bottom + 1
    return inside and len(line.reading.transcript.text) < len(mark.reading.transcript.text)
