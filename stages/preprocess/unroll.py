"""Curved text laid out straight: what `unroll_polygon` and `unroll_arc` have in common.

The result holds the band of text alone; where the band leaves the picture, the picture's edge is
repeated. Both can find the band themselves (`fit`). Where nothing stands out there is nothing to
fit, and the picture stays as it is: a part without its mark is `unread`, not `failed`.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from stages.errors import ImageError
from stages.preprocess.geometry import Part, Size, moved, sized
from stages.records import Frame
from stages.transform import Transform, Warp

_MAX_SIDE_PX = 32_766
"""The longest side that `cv2.remap` takes."""

_ROWS_AT_ONCE = 256

_REACH_PX = 3
"""What a bicubic look-up reads beside a place, and more than its rounding."""


def laid_out(frame: Frame, size: Size, *steps: Warp, part: Part | None = None) -> Frame:
    """The frame after `steps`: each pixel's middle is looked up where it came from, bicubically.

    With a `part` the rest stays black, and is not worked out.

    Raises:
        ImageError: the frame is too large.
    """
    warpable(frame.pixels.shape[1], frame.pixels.shape[0], "the picture has")
    back = Transform(steps)
    columns, rows = size
    left, top, right, bottom = part or (0, 0, columns, rows)
    # Pages of zeros that nobody writes to cost nothing.
    pixels = np.zeros((rows, columns, *frame.pixels.shape[2:]), np.uint8)
    x = np.arange(left, right)[None, :] + 0.5
    for begin in range(top, bottom, _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, bottom)
        places = back.sources(x, np.arange(begin, end)[:, None] + 0.5)
        maps = np.empty((end - begin, right - left, 2), np.float32)
        for axis, place in enumerate(places):
            maps[..., axis] = place - 0.5
        cv2.remap(
            frame.pixels,
            maps,
            None,
            cv2.INTER_CUBIC,
            dst=pixels[begin:end, left:right],
            borderMode=cv2.BORDER_REPLICATE,
        )
    return moved(frame, pixels, *steps)


def read_for(part: Part, size: Size, *steps: Warp) -> Part:
    """What `laid_out` reads, of a picture of that size, for a part of its result.

    Along a column places go straight, so the ends of all columns hold what is between them.
    """
    left, top, right, bottom = part
    ends = np.array([[top + 0.5], [bottom - 0.5]])
    places = Transform(steps).sources(np.arange(left, right)[None, :] + 0.5, ends)
    spans = []
    for place, length in zip(places, size, strict=True):
        first = min(max(math.floor(place.min()) - _REACH_PX, 0), length - 1)
        last = min(max(math.ceil(place.max()) + _REACH_PX, first + 1), length)
        spans.append((first, last))
    (x1, x2), (y1, y2) = spans
    return x1, y1, x2, y2


def warpable(width: int, height: int, what: str = "the result would have") -> Size:
    """The size, if OpenCV can warp pictures of it.

    Raises:
        ImageError: it has more than 500 megapixels, or a side over 32,766.
    """
    if max(width, height) > _MAX_SIDE_PX:
        raise ImageError(
            f"{what} {width} x {height} pixels, more than {_MAX_SIDE_PX} on a side: "
            "crop or resize first"
        )
    return sized(width, height)
