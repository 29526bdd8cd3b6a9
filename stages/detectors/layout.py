"""Corners and lines: which corner of a box is the text's top left, which line is read first.

For detectors that find boxes without knowing how the text in them lies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import fmean

from stages.records import Detection, Outline


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


def reading_order(detections: Iterable[Detection]) -> list[Detection]:
    """Sort boxes as a page is read: lines from top to bottom, in a line from left to right.

    Boxes share a line when their middles differ by less than half the lower one's height.
    """
    lines: list[list[tuple[float, float, float, Detection]]] = []
    for entry in sorted(map(_placed, detections), key=lambda entry: entry[:2]):
        line = lines[-1] if lines else []
        if line and entry[0] - fmean(each[0] for each in line) < min(entry[2], line[0][2]) / 2:
            line.append(entry)
        else:
            lines.append([entry])
    return [each[3] for line in lines for each in sorted(line, key=lambda entry: entry[1])]


def _placed(detection: Detection) -> tuple[float, float, float, Detection]:
    """Middle y, left x, the shorter side, and the detection."""
    x, y = zip(*detection.outline, strict=True)
    return fmean(y), min(x), min(size(detection.outline)), detection
