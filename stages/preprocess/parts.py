"""Only what later steps look at: which part of a picture an operation reads for a part of its
result, and how an operation is done to that part alone. The result is the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from stages.preprocess.geometry import Part, Size
from stages.records import Frame

Reads = Callable[[Any, Size, Part], Part]
"""Options, the source's size and a part of the result to what is read of the source."""

PartApply = Callable[[Frame, Any, Part], Frame]
"""The operation with only that part of its result worked out; the rest may hold anything."""


def read_in_place(options: Any, size: Size, part: Part) -> Part:
    """Each pixel depends on the one in its place."""
    return part


def reading_around(reach_px: Callable[[Any], int]) -> Reads:
    """Each pixel depends on those at most so far away."""

    def reads(options: Any, size: Size, part: Part) -> Part:
        reach = reach_px(options)
        width, height = size
        x1, y1, x2, y2 = part
        return (
            max(0, x1 - reach),
            max(0, y1 - reach),
            min(width, x2 + reach),
            min(height, y2 + reach),
        )

    return reads


def on_part(apply: Callable[[Frame, Any], Frame], reads: Reads) -> PartApply:
    """An operation that keeps the size, done to what is read and laid into its place."""

    def partly(frame: Frame, options: Any, part: Part) -> Frame:
        height, width = frame.pixels.shape[:2]
        x1, y1, x2, y2 = reads(options, (width, height), part)
        if (x1, y1, x2, y2) == (0, 0, width, height):
            return apply(frame, options)
        done = apply(replace(frame, pixels=frame.pixels[y1:y2, x1:x2]), options).pixels
        # Pages of zeros that nobody writes to cost nothing.
        pixels = np.zeros((height, width, *done.shape[2:]), np.uint8)
        pixels[y1:y2, x1:x2] = done
        return replace(frame, pixels=pixels)

    return partly
