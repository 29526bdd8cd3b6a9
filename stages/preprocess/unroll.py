"""Curved text laid out straight: what `unroll_polygon` and `unroll_arc` have in common.

The result holds the band of text alone; where the band leaves the picture, the picture's edge is
repeated. Both can find the band themselves (`fit`). Where nothing stands out there is nothing to
fit, and the picture stays as it is: a part without its mark is `unread`, not `failed`.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.errors import ImageError
from stages.preprocess.geometry import Size, moved, sized
from stages.records import Frame
from stages.transform import Transform, Warp

_MAX_SIDE_PX = 32_766
"""The longest side that `cv2.remap` takes."""

_ROWS_AT_ONCE = 256


def laid_out(frame: Frame, size: Size, *steps: Warp) -> Frame:
    """The frame after `steps`: each pixel's middle is looked up where it came from, bicubically.

    Raises:
        ImageError: the frame is too large.
    """
    warpable(frame.pixels.shape[1], frame.pixels.shape[0], "the picture has")
    back = Transform(steps)
    columns, rows = size
    pixels = np.empty((rows, columns, *frame.pixels.shape[2:]), np.uint8)
    for begin in range(0, rows, _ROWS_AT_ONCE):
        end = min(begin + _ROWS_AT_ONCE, rows)
        y, x = np.mgrid[begin:end, 0:columns] + 0.5
        places = back.to_original(np.column_stack([x.ravel(), y.ravel()])) - 0.5
        maps = places.astype(np.float32).reshape(end - begin, columns, 2)
        pixels[begin:end] = cv2.remap(
            frame.pixels, maps, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return moved(frame, pixels, *steps)


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
