"""Frame -> Frame, taking the darkest or brightest of a square neighbourhood: erode, dilate."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from pydantic import Field

from stages.options import Options
from stages.preprocess.filters import OddPixels
from stages.records import Frame


class MorphologyOptions(Options):
    """How far the dark or the bright grows: half the kernel's side, each time."""

    kernel_px: OddPixels = Field(3, description="side of the square neighbourhood, odd")
    iterations: int = Field(1, ge=1, le=100, description="how many times over")


def erode(frame: Frame, options: MorphologyOptions) -> Frame:
    """Let the dark grow: dark strokes thicken, bright specks vanish (`cv2.erode`)."""
    pixels = cv2.erode(frame.pixels, _square(options), iterations=options.iterations)
    return replace(frame, pixels=pixels)


def dilate(frame: Frame, options: MorphologyOptions) -> Frame:
    """Let the bright grow: bright strokes thicken, dark specks vanish (`cv2.dilate`)."""
    pixels = cv2.dilate(frame.pixels, _square(options), iterations=options.iterations)
    return replace(frame, pixels=pixels)


def _square(options: MorphologyOptions) -> np.ndarray:
    return np.ones((options.kernel_px, options.kernel_px), np.uint8)
