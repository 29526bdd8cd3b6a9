"""Where a line lies in its crop: neighbouring lines, slant, stretch, turn and margins.

In: lines of a writer, a `Placing`. Out: a `Crop`, whose matrices lead from a page of lines, or from
natural pixels, to the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flows.training.drawing.lines import Line

CANVAS = (48, 384)
"""Rows and columns of every strip: crops of any aspect are stretched to it."""

ASPECTS = (0.5, 20.0)
"""Smallest and largest width of a crop by its height."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How a line lies in its crop; margins in heights of the line, negative ones cut into it.

    `shear` is columns a row, rightward at the top; `stretch` of widths; `angle` in degrees,
    counter-clockwise. `room` keeps the margins above and below whatever the angle.
    """

    top: float = 0.125
    bottom: float = 0.125
    left: float = 0.1
    right: float = 0.1
    angle: float = 0.0
    shear: float = 0.0
    stretch: float = 1.0
    room: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """Lines that intrude: what is `above`, `below`, `left` and `right`, and how far off, in pixels.

    `shift` moves the upper and lower one sideways.
    """

    above: Line | None = None
    below: Line | None = None
    left: Line | None = None
    right: Line | None = None
    gaps: tuple[int, int, int, int] = (0, 0, 0, 0)
    shifts: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Crop:
    """A line's crop.

    `ink` (2, 3) leads from the line's picture to the canvas, `natural` (2, 3) from natural pixels:
    upright, with the line's box from (0, 0) to `size` (width, height). `margins` are left, top,
    right, bottom in natural pixels, `scale` is canvas rows a natural pixel.
    """

    ink: np.ndarray
    natural: np.ndarray
    size: tuple[float, float]
    margins: tuple[float, float, float, float]
    aspect: float
    scale: float
    fill: float


def crop_of(line: Line, placing: Placing) -> Crop:
    """The crop around `line`, its aspect within `ASPECTS` by narrower letters or wider margins."""
    height, width = line.picture.shape
    slant = abs(placing.shear) * height
    margins = placing.top + placing.bottom
    limit = 0.9 * ASPECTS[1] * height * max(1.0, 1 + margins)
    stretch = min(placing.stretch, limit / (width + slant))
    upright = np.array(
        [
            [stretch, -stretch * placing.shear, stretch * max(0.0, placing.shear * height)],
            [0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
        ]
    )
    box = np.array([stretch * (width + slant), float(height)])
    sine, cosine = abs(np.sin(np.radians(placing.angle))), np.cos(np.radians(placing.angle))
    turned = np.array([box[0] * cosine + box[1] * sine, box[1] * cosine + box[0] * sine])
    size = turned + height * np.array([placing.left + placing.right, 0.0])
    size[1] = height * (1 + margins)
    if placing.room:
        size[1] += 0.5 * (turned[1] - height)
    elif margins >= 0:
        size[1] = max(size[1], turned[1])
    size[0] = max(size[0], ASPECTS[0] * size[1])
    size[1] = max(size[1], size[0] / ASPECTS[1])
    share = np.array(
        [_share(placing.left, placing.right, 0.05), _share(placing.top, placing.bottom, 0.0)]
    )
    centre = turned / 2 + (size - turned) * share
    natural = np.diag([CANVAS[1] / size[0], CANVAS[0] / size[1], 1.0]) @ _turned(
        placing.angle, box / 2, centre
    )
    start = centre - box / 2
    end = size - start - box
    return Crop(
        ink=(natural @ upright)[:2],
        natural=natural[:2],
        size=(float(box[0]), float(box[1])),
        margins=(float(start[0]), float(start[1]), float(end[0]), float(end[1])),
        aspect=float(size[0] / size[1]),
        scale=float(CANVAS[0] / size[1]),
        fill=float(height / size[1]),
    )


def _share(before: float, after: float, least: float) -> float:
    """The part of the free length that lies before the line; half where there is hardly any."""
    total = before + after
    return min(max(before / total, 0.0), 1.0) if total > least else 0.5


def _turned(angle: float, middle: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The matrix (3, 3) that turns by `angle` degrees and moves `middle` to `centre`."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[cosine, sine], [-sine, cosine]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    matrix[:2, 2] = centre - turn @ middle
    return matrix


def page_of(line: Line, beside: Beside) -> tuple[np.ndarray, tuple[int, int]]:
    """The line with its neighbours on one page, and the line's (left, top) on it."""
    height, width = line.picture.shape
    above, below, to_left, to_right = beside.gaps
    pad_left = pad_right = 0
    pad_top = pad_bottom = 0
    if beside.left is not None:
        pad_left = to_left + beside.left.picture.shape[1]
    if beside.right is not None:
        pad_right = to_right + beside.right.picture.shape[1]
    if beside.above is not None:
        pad_top = above + beside.above.picture.shape[0]
    if beside.below is not None:
        pad_bottom = below + beside.below.picture.shape[0]
    for other, shift in ((beside.above, beside.shifts[0]), (beside.below, beside.shifts[1])):
        if other is not None:
            pad_left = max(pad_left, -shift)
            pad_right = max(pad_right, shift + other.picture.shape[1] - width)
    page = np.zeros((pad_top + height + pad_bottom, pad_left + width + pad_right), np.uint8)
    page[pad_top : pad_top + height, pad_left : pad_left + width] = line.picture
    if beside.above is not None:
        _put(page, beside.above, pad_left + beside.shifts[0], 0)
    if beside.below is not None:
        _put(page, beside.below, pad_left + beside.shifts[1], pad_top + height + below)
    if beside.left is not None:
        _put(page, beside.left, 0, pad_top + line.baseline - beside.left.baseline)
    if beside.right is not None:
        at = pad_left + width + to_right
        _put(page, beside.right, at, pad_top + line.baseline - beside.right.baseline)
    return page, (pad_left, pad_top)


def _put(page: np.ndarray, line: Line, x: int, y: int) -> None:
    cut = max(0, -y)
    target = page[y + cut : y + line.picture.shape[0], x : x + line.picture.shape[1]]
    np.maximum(target, line.picture[cut : cut + target.shape[0]], out=target)


def warped(page: np.ndarray, origin: tuple[int, int], matrix: np.ndarray) -> np.ndarray:
    """`page` on the canvas, by `matrix` from the coordinates of a line at `origin` on the page.

    What shrinks is averaged first, so that thin strokes do not alias.
    """
    across = min(1.0, 1.15 * float(np.hypot(matrix[0, 0], matrix[1, 0])))
    down = min(1.0, 1.15 * float(np.hypot(matrix[0, 1], matrix[1, 1])))
    rows, columns = page.shape
    small = (max(1, round(columns * across)), max(1, round(rows * down)))
    if small != (columns, rows):
        page = cv2.resize(page, small, interpolation=cv2.INTER_AREA)
    step = np.array([columns / small[0], rows / small[1]])
    shrunk = matrix[:, :2] * step
    moved = matrix[:, 2] - matrix[:, :2] @ np.array(origin) + shrunk @ (0.5, 0.5) - 0.5
    whole = np.column_stack((shrunk, moved))
    return cv2.warpAffine(page, whole, CANVAS[::-1], flags=cv2.INTER_LINEAR)
