"""Looks at a crop: what a second glance at a doubtful line sees.

A crop in, a few crops out: as it is, and framed, focused and toned a little differently. None of
these changes what is written; where the network hesitates, they seldom err alike.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

WIDE = 0.3
"""Room left and right of the wide look, of the crop's height."""

TIGHT = 0.03, 0.06
"""What the tight look cuts off at each end and at top and bottom, of the crop's height."""

SOFT = 1 / 48
"""Standard deviation of the soft look's Gaussian, of the crop's height."""


def looks(crop: np.ndarray) -> list[np.ndarray]:
    """Return the looks at a (H, W) or (H, W, 3) uint8 crop, itself first."""
    return [crop, *(look(crop) for look in _LOOKS)]


def _wide(crop: np.ndarray) -> np.ndarray:
    room = round(WIDE * crop.shape[0])
    return cv2.copyMakeBorder(crop, 0, 0, room, room, cv2.BORDER_REPLICATE)


def _tight(crop: np.ndarray) -> np.ndarray:
    rows, columns = crop.shape[:2]
    across, down = (round(share * rows) for share in TIGHT)
    across = min(across, (columns - 1) // 2)
    down = min(down, (rows - 1) // 2)
    return crop[down : rows - down, across : columns - across]


def _soft(crop: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(crop, (0, 0), max(0.5, SOFT * crop.shape[0]))


def _inverted(crop: np.ndarray) -> np.ndarray:
    return 255 - crop


_LOOKS: tuple[Callable[[np.ndarray], np.ndarray], ...] = (_wide, _tight, _soft, _inverted)
