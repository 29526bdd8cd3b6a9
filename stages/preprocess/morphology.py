"""Frame -> Frame, by the darkest and brightest of a square neighbourhood: erode, dilate, open,
close, and what open and close take away (top_hat, black_hat).
"""

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
    pixels = cv2.erode(frame.pixels, _square(options.kernel_px), iterations=options.iterations)
    return replace(frame, pixels=pixels)


def dilate(frame: Frame, options: MorphologyOptions) -> Frame:
    """Let the bright grow: bright strokes thicken, dark specks vanish (`cv2.dilate`)."""
    pixels = cv2.dilate(frame.pixels, _square(options.kernel_px), iterations=options.iterations)
    return replace(frame, pixels=pixels)


def reach(options: MorphologyOptions) -> int:
    """How far away a pixel may lie that still counts."""
    return options.iterations * (options.kernel_px // 2)


def reach_of_two(options: MorphologyOptions) -> int:
    """The same for an erosion and a dilation, one after the other."""
    return 2 * reach(options)


def opening(frame: Frame, options: MorphologyOptions) -> Frame:
    """Erode, then dilate as often: bright specks and threads vanish, the rest keeps its size."""
    return dilate(erode(frame, options), options)


def closing(frame: Frame, options: MorphologyOptions) -> Frame:
    """Dilate, then erode as often: dark specks and threads vanish, the rest keeps its size."""
    return erode(dilate(frame, options), options)


class HatOptions(Options):
    """How thin is thin."""

    kernel_px: OddPixels = Field(
        31, description="side of the square neighbourhood, odd; wider than the strokes"
    )


def top_hat(frame: Frame, options: HatOptions) -> Frame:
    """What an opening takes away: bright strokes thinner than the kernel, on black."""
    pixels = cv2.morphologyEx(frame.pixels, cv2.MORPH_TOPHAT, _square(options.kernel_px))
    return replace(frame, pixels=pixels)


def black_hat(frame: Frame, options: HatOptions) -> Frame:
    """What a closing takes away: dark strokes thinner than the kernel, bright on black."""
    pixels = cv2.morphologyEx(frame.pixels, cv2.MORPH_BLACKHAT, _square(options.kernel_px))
    return replace(frame, pixels=pixels)


def _square(side: int) -> np.ndarray:
    return np.ones((side, side), np.uint8)
