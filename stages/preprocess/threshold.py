"""Frame -> Frame, black and white: threshold, over the whole picture or by the neighbourhood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.options import Options
from stages.preprocess.filters import OddPixels
from stages.records import Frame

_DYNAMIC_RANGE = 128.0
"""Sauvola's R: the largest standard deviation that grey values can have."""


class ThresholdOptions(Options):
    """By what a pixel is judged."""

    method: Literal["otsu", "sauvola"] = Field(
        "otsu",
        description="otsu: one threshold for the picture, for even light; sauvola: one for each "
        "neighbourhood, for dark text under any light",
    )
    window_px: OddPixels = Field(
        25, description="sauvola: side of the neighbourhood, odd; about the height of a letter"
    )
    k: float = Field(
        0.2, ge=-1, le=1, description="sauvola: more gives thinner strokes and fewer specks"
    )


def threshold(frame: Frame, options: ThresholdOptions) -> Frame:
    """Make a grey picture of 0 and 255 only.

    A picture without contrast becomes white, so that noise does not turn into specks. Otsu (1979)
    as `cv2.threshold` has it; Sauvola and Pietikäinen (2000).
    """
    grey = frame.pixels
    if grey.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
    if contrast(grey) < MIN_CONTRAST_GREY_LEVELS:
        return replace(frame, pixels=np.full_like(grey, 255))
    return replace(frame, pixels=_METHODS[options.method](grey, options))


def _otsu(grey: np.ndarray, options: ThresholdOptions) -> np.ndarray:
    return cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1]


def _sauvola(grey: np.ndarray, options: ThresholdOptions) -> np.ndarray:
    side = (options.window_px, options.window_px)
    mean = cv2.boxFilter(grey, cv2.CV_64F, side, borderType=cv2.BORDER_REFLECT)
    square = cv2.sqrBoxFilter(grey, cv2.CV_64F, side, borderType=cv2.BORDER_REFLECT)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    level = mean * (1 + options.k * (deviation / _DYNAMIC_RANGE - 1))
    return np.where(grey > level, 255, 0).astype(np.uint8)


_METHODS: dict[str, Callable[[np.ndarray, ThresholdOptions], np.ndarray]] = {
    "otsu": _otsu,
    "sauvola": _sauvola,
}
