"""A line of text bent by a warp, as it lies on a turned part: with its marks, noise and shading."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from lettering import lettering

CODE = "TB26K04815"


def bent(
    to_text: Callable[[np.ndarray], np.ndarray],
    size: tuple[int, int],
    *,
    cap_px: float = 34,
    ink: float = 0.45,
    seed: int = 0,
) -> tuple[np.ndarray, tuple[float, float]]:
    """(H, W) pixels, and the half width and half height of the text, whose middle is (0, 0).

    `to_text` maps (N, 2) points of the picture, of `size` W, H, to the text's own coordinates.
    `ink` is what the mark reflects of the ground's light: over 1 it is lighter.
    """
    width, height = size
    strip = lettering(CODE, (round(4 * cap_px), round(14 * cap_px)), cap_px).astype(np.float32)
    rows, columns = np.nonzero(strip)
    half = np.ptp(columns) / 2 + 0.5, np.ptp(rows) / 2 + 0.5
    middle = columns.min() + half[0], rows.min() + half[1]
    y, x = np.mgrid[:height, :width] + 0.5
    places = to_text(np.column_stack([x.ravel(), y.ravel()]))
    maps = (places + middle - 0.5).astype(np.float32).reshape(height, width, 2)
    mark = cv2.remap(strip, maps, None, cv2.INTER_LINEAR)
    # Turning marks run along the text.
    ground = 125 + 30 * x / width + 7 * np.sin(places[:, 1].reshape(height, width) / 1.7)
    noise = np.random.default_rng(seed).normal(0, 5, (height, width))
    pixels = ground * (1 + mark * (ink - 1)) + noise
    return np.clip(pixels, 0, 255).astype(np.uint8), half
