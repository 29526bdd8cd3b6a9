"""Where text lies in pictures, as steps that a recipe may take: the part to keep, the lean.

All in pixels of the original pictures, which is what a first `crop` and then a `rotate` work on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from flows.proposing.trials import Line, Picture, step
from stages.preprocess import Step

LEAST_PICTURES = 3
"""Fewer do not show how far the text moves from part to part."""

_MOST_OF_PICTURE = 0.6
_MARGIN_HEIGHTS = 2.0
_LEAST_LEAN_DEGREES = 1.5
_SAME_LEAN_DEGREES = 2.0
_MOST_LINES = 0.75


def part_to_keep(lines: Sequence[Line], pictures: Sequence[Picture]) -> tuple[Step | None, str]:
    """A crop that holds every line with a safe margin, or None; and why, in words.

    `lines` has one line a picture. The margin is twice the text's height, and as far again as the
    text moved between the pictures: of n pictures the next lies outside their range twice in n + 1.
    """
    if len(lines) < LEAST_PICTURES:
        return None, f"{_count(len(lines), 'picture')} with text do not show how far it moves"
    boxes = [_box(line, picture) for line, picture in zip(lines, pictures, strict=True)]
    moved_x = _spread([(x1 + x2) / 2 for x1, _, x2, _ in boxes])
    moved_y = _spread([(y1 + y2) / 2 for _, y1, _, y2 in boxes])
    heights = [
        (
            _MARGIN_HEIGHTS * line.height / picture.width,
            _MARGIN_HEIGHTS * line.height / picture.height,
        )
        for line, picture in zip(lines, pictures, strict=True)
    ]
    margin_x = moved_x + max(x for x, _ in heights)
    margin_y = moved_y + max(y for _, y in heights)
    part = (
        max(0.0, min(x1 for x1, *_ in boxes) - margin_x),
        max(0.0, min(y1 for _, y1, *_ in boxes) - margin_y),
        min(1.0, max(x2 for *_, x2, _ in boxes) + margin_x),
        min(1.0, max(y2 for *_, y2 in boxes) + margin_y),
    )
    share = (part[2] - part[0]) * (part[3] - part[1])
    if share > _MOST_OF_PICTURE:
        return None, f"the text moves over {share:.0%} of the picture, with a safe margin"
    words = (
        f"holds the text of {_count(len(lines), 'picture')} with a safe margin, {share:.0%} of it"
    )
    sizes = {(picture.width, picture.height) for picture in pictures}
    if len(sizes) > 1:
        return step("crop", box_fraction=_outwards(part)), words
    [(width, height)] = sizes
    x1, y1 = math.floor(part[0] * width), math.floor(part[1] * height)
    x2, y2 = math.ceil(part[2] * width), math.ceil(part[3] * height)
    return step("crop", box_px=[x1, y1, x2, y2]), words


def mounting(lines: Sequence[Line]) -> tuple[Step | None, str]:
    """A turn by quarters for a camera under which text stands upright or on its head, or None.

    Nearly all lines must run that way, for a camera hangs as it hangs.
    """
    quarters = [round(_lean(line) / 90) % 4 for line in lines]
    if not quarters:
        return None, "no text was found"
    common = max(sorted(set(quarters)), key=quarters.count)
    if common == 0 or quarters.count(common) < _MOST_LINES * len(quarters):
        return None, "the text runs from left to right, or not the same way everywhere"
    ways = {1: "downwards", 2: "upside down", 3: "upwards"}
    return step("rotate", degrees=90 * common), f"the text runs {ways[common]}"


def turn_upright(lines: Sequence[Line]) -> tuple[Step | None, str]:
    """A turn that levels the text, by one angle if all lean alike, else each by its own."""
    if not lines:
        return None, "no text was found"
    leans = [_lean(line) for line in lines]
    middle = median(leans)
    if max(map(abs, leans)) < _LEAST_LEAN_DEGREES:
        return None, f"the text lies level, within {max(map(abs, leans)):.1f} degrees"
    if max(abs(lean - middle) for lean in leans) <= _SAME_LEAN_DEGREES:
        # image coordinates run down: text that falls to the right has a positive lean
        return step("rotate", degrees=round(middle, 1)), f"the text leans by {middle:.1f} degrees"
    words = f"the text leans by {min(leans):.1f} to {max(leans):.1f} degrees"
    if max(map(abs, leans)) > 45:
        return None, f"{words}: no one angle"
    return step("deskew", max_degrees=min(45, math.ceil(max(map(abs, leans)) + 5))), words


def _lean(line: Line) -> float:
    (x1, y1), (x2, y2), *_ = line.outline
    return math.degrees(math.atan2(y2 - y1, x2 - x1))


def _box(line: Line, picture: Picture) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 as shares of the picture."""
    x, y = zip(*line.outline, strict=True)
    return (
        min(x) / picture.width,
        min(y) / picture.height,
        max(x) / picture.width,
        max(y) / picture.height,
    )


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _outwards(part: tuple[float, float, float, float]) -> list[float]:
    """To three digits, never inwards."""
    x1, y1, x2, y2 = (value * 1000 for value in part)
    return [
        math.floor(x1) / 1000,
        math.floor(y1) / 1000,
        math.ceil(x2) / 1000,
        math.ceil(y2) / 1000,
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
