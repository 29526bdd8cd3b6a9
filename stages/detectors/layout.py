"""Corners and lines: which corner of a box is the text's top left, which line is read first.

For detectors that find boxes without knowing how the text in them lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from stages.records import Detection, Outline

_ALIKE = math.radians(15)


def turned(outline: Outline, tall_ratio: float) -> Outline:
    """Return the corners from the text's top left, for a box whose corners start at its own.

    A box taller than `tall_ratio` times its width holds a line that runs downwards: its top left
    is the box's top right. After `get_rotate_crop_image` of PaddleOCR, which uses 1.5.
    """
    width, height = size(outline)
    if height > tall_ratio * width:
        return outline[1], outline[2], outline[3], outline[0]
    return outline


def size(outline: Outline) -> tuple[float, float]:
    """Width along the text and height across it, the longer of the two opposite sides each."""
    one, two, three, four = outline
    return (
        max(math.dist(one, two), math.dist(four, three)),
        max(math.dist(one, four), math.dist(two, three)),
    )


def clockwise(corners: np.ndarray) -> Outline:
    """Return the (4, 2) corners of a rectangle from the text's top left, the long side first.

    Text runs to the right; where it is steeper than 45 degrees, downwards.
    """
    (ax, ay), (bx, by), (cx, cy), _ = corners.tolist()
    if (bx - ax) * (cy - by) - (by - ay) * (cx - bx) < 0:
        corners = corners[::-1]
    one, two, three, four = (tuple(corner) for corner in corners.tolist())
    if math.dist(one, two) < math.dist(two, three):
        one, two, three, four = two, three, four, one
    across, down = two[0] - one[0], two[1] - one[1]
    backwards = down < 0 if abs(down) > abs(across) else across < 0
    return (three, four, one, two) if backwards else (one, two, three, four)


def reading_order(detections: Iterable[Detection]) -> list[Detection]:
    """Sort boxes as a page is read: lines from top to bottom, in a line from left to right.

    A page that leans or is turned is read as its text lies: along the direction of most of it.
    Boxes share a line when their middles differ by less than half the lower one's height.
    """
    found = list(detections)
    radians = _direction(found)
    placed = (_placed(each, radians) for each in found)
    lines: list[list[tuple[float, float, float, Detection]]] = []
    for entry in sorted(placed, key=lambda entry: entry[:2]):
        line = lines[-1] if lines else []
        if line and entry[0] - fmean(each[0] for each in line) < min(entry[2], line[0][2]) / 2:
            line.append(entry)
        else:
            lines.append([entry])
    return [each[3] for line in lines for each in sorted(line, key=lambda entry: entry[1])]


def _direction(detections: Sequence[Detection]) -> float:
    """The direction of most of the text, in radians clockwise from the right; 0 for none.

    Of the lines' own directions the one that most length agrees with, and the mean of those.
    """
    lines = []
    for outline in (each.outline for each in detections):
        (x1, y1), (x2, y2) = outline[:2]
        width, height = size(outline)
        # A short box's direction is hardly more than a guess.
        lines.append((math.atan2(y2 - y1, x2 - x1), width * width / max(width + height, 1e-9)))

    def agreeing(radians: float) -> float:
        return math.fsum(
            length
            for other, length in lines
            if abs(math.remainder(other - radians, math.tau)) < _ALIKE
        )

    best = max((each for each, _ in lines), key=lambda r: (agreeing(r), -abs(r), r), default=0.0)
    alike = [
        (math.remainder(other - best, math.tau), length)
        for other, length in lines
        if abs(math.remainder(other - best, math.tau)) < _ALIKE
    ]
    total = math.fsum(length for _, length in alike)
    return best + math.fsum(turn * length for turn, length in alike) / total if total else best


def _placed(detection: Detection, radians: float) -> tuple[float, float, float, Detection]:
    """Middle y, left x and the shorter side, on the page turned back, and the detection."""
    cos, sin = math.cos(radians), math.sin(radians)
    x = [cos * x + sin * y for x, y in detection.outline]
    y = [cos * y - sin * x for x, y in detection.outline]
    return fmean(y), min(x), min(size(detection.outline)), detection
