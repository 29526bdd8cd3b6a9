"""What lies around each pixel, and what stands out from it: strokes do, surfaces do not.

For the operations that compare a pixel with its ground, and for those that look for text.
"""

from __future__ import annotations

import cv2
import numpy as np

from stages.contrast import MIN_CONTRAST_GREY_LEVELS

_WINDOW_PX = 31
_SIDE_PX = 640


def surroundings(pixels: np.ndarray, window_px: float) -> np.ndarray:
    """Return the ground of (H, W[, 3]) uint8 pixels, of the same shape and type.

    It is the median of a neighbourhood of about `window_px`: strokes that fill less than half of
    that are not in it. Computed at a size at which the window has 31 pixels at most, so that wide
    windows cost no more.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, _WINDOW_PX / window_px)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    side = max(3, round(window_px * scale) | 1)
    small = cv2.GaussianBlur(cv2.medianBlur(small, side), (0, 0), side / 6)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def standing_out(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return a reduced grey picture, how far its pixels stand out, and by what it was reduced.

    (H, W[, 3]) uint8 pixels become (h, w) uint8, 640 pixels on the longer side or less, and (h, w)
    int16: the difference from the ground, 0 where it is no more than texture (Otsu 1979) or noise.
    """
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    scale = max(1.0, max(grey.shape) / _SIDE_PX)
    size = tuple(max(1, round(side / scale)) for side in grey.shape[::-1])
    grey = cv2.GaussianBlur(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    ground = cv2.medianBlur(grey, _WINDOW_PX)
    far = cv2.absdiff(grey, ground)
    level, _ = cv2.threshold(far, 0, 255, cv2.THRESH_OTSU)
    out = grey.astype(np.int16) - ground
    out[far <= max(level, MIN_CONTRAST_GREY_LEVELS)] = 0
    return grey, out, scale
