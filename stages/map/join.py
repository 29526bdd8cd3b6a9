"""Readings that a detector cut from one line of text -> that line, joined again.

Neighbours belong together when they run in the same direction (15 degrees), are of similar height
(0.6 to 1.67 times), lie on one line (half of the lower height overlaps) and are less than 1.0
heights apart. All geometry is in original pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.records import Reading, Transcript

_MOST_PARTS = 4
_MOST_GAP_HEIGHTS = 1.0
_MOST_OVERLAP_HEIGHTS = 0.5
_LEAST_HEIGHT_RATIO = 0.6
_LEAST_LINE_OVERLAP = 0.5
_LEAST_COSINE = math.cos(math.radians(15))


@dataclass(frozen=True, slots=True)
class _Line:
    """An outline as (4, 2) corners, its unit vector along the text, and its height."""

    corners: np.ndarray
    along: np.ndarray
    height: float


def joined_lines(readings: Sequence[Reading]) -> list[Reading]:
    """Every run of two to four neighbours on one line as one reading, in the text's direction."""
    lines = [_line(reading) for reading in readings]
    following = [_next(line, lines) for line in lines]
    joined = []
    for first in range(len(readings)):
        run = [first]
        while len(run) < _MOST_PARTS:
            after = following[run[-1]]
            if after is None or after in run:
                break
            run.append(after)
            joined.append(_join([readings[index] for index in run], lines[first].along))
    return joined


def whole_lines(readings: Sequence[Reading]) -> list[Reading]:
    """The readings with all neighbours on a line joined, each in one line only, in order."""
    lines = [_line(reading) for reading in readings]
    following = [_next(line, lines) for line in lines]
    joined = []
    left = set(range(len(readings)))
    firsts = [at for at in range(len(readings)) if at not in following]
    for first in [*firsts, *range(len(readings))]:
        run = []
        at: int | None = first
        while at is not None and at in left:
            left.remove(at)
            run.append(at)
            at = following[at]
        if run:
            parts = [readings[index] for index in run]
            joined.append(
                (min(run), parts[0] if len(run) == 1 else _join(parts, lines[first].along))
            )
    return [reading for _, reading in sorted(joined, key=lambda each: each[0])]


def one_text(readings: Sequence[Reading]) -> Reading:
    """All readings as one, in the order given, in the direction of the first."""
    if len(readings) == 1:
        return readings[0]
    return _join(readings, _line(readings[0]).along)


def text_height(reading: Reading) -> float:
    """The height of a reading's line in original pixels, across the direction of the text."""
    return _line(reading).height


def _line(reading: Reading) -> _Line:
    top_left, top_right, bottom_right, bottom_left = corners = np.array(reading.outline, float)
    along = (top_right + bottom_right) - (top_left + bottom_left)
    length = float(np.hypot(*along))
    unit = along / length if length > 0 else np.array([1.0, 0.0])
    sides = (bottom_left - top_left, bottom_right - top_right)
    return _Line(corners, unit, float(np.mean([np.hypot(*side) for side in sides])))


def _across(along: np.ndarray) -> np.ndarray:
    return np.array([-along[1], along[0]])


def _gap(first: _Line, second: _Line) -> float | None:
    """Pixels from the end of one line to the start of the next; None if they are no neighbours."""
    lower, higher = sorted((first.height, second.height))
    if lower <= 0 or lower / higher < _LEAST_HEIGHT_RATIO:
        return None
    if float(first.along @ second.along) < _LEAST_COSINE:
        return None
    down = _across(first.along)
    one, other = first.corners @ down, second.corners @ down
    if min(one.max(), other.max()) - max(one.min(), other.min()) < _LEAST_LINE_OVERLAP * lower:
        return None
    gap = float((second.corners @ first.along).min() - (first.corners @ first.along).max())
    return gap if -_MOST_OVERLAP_HEIGHTS * lower <= gap <= _MOST_GAP_HEIGHTS * higher else None


def _next(line: _Line, lines: Sequence[_Line]) -> int | None:
    """The index of the nearest neighbour that follows, if there is one."""
    gaps = [(_gap(line, other), index) for index, other in enumerate(lines) if other is not line]
    return min(((gap, index) for gap, index in gaps if gap is not None), default=(0, None))[1]


def _join(parts: Sequence[Reading], along: np.ndarray) -> Reading:
    corners = np.vstack([np.array(part.outline, float) for part in parts])
    axes = np.stack([along, _across(along)])
    (left, top), (right, bottom) = (corners @ axes.T).min(axis=0), (corners @ axes.T).max(axis=0)
    outline = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ axes
    boxes = np.array([part.box for part in parts], float)
    transcripts = [part.transcript for part in parts]
    return Reading(
        field=parts[0].field,
        page=parts[0].page,
        box=(*map(float, boxes[:, :2].min(axis=0)), *map(float, boxes[:, 2:].max(axis=0))),
        outline=tuple((float(x), float(y)) for x, y in outline),
        transcript=Transcript(
            text="".join(transcript.text for transcript in transcripts),
            characters=tuple(each for transcript in transcripts for each in transcript.characters),
        ),
        model=parts[0].model,
    )
