"""A crop as the same camera might have taken it on another day: box, lean, light, blur and noise.

Milder than `camera/photograph.py`, because the crop is a photograph already.
"""

from __future__ import annotations

import cv2
import numpy as np


def jittered(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return model input, `size` (rows, columns) uint8, of a grey crop (h, w) of 0 to 255."""
    rows, columns = size
    height, width = picture.shape
    left, top, right, bottom = rng.normal(0, _BOX, 4) * height
    lean, slant = np.radians(rng.normal(0, _LEAN_DEGREES)), rng.normal(0, _SLANT)
    across, down = (width + right - left) / columns, (height + bottom - top) / rows
    back = np.array(
        [
            [across, slant * down, left - slant * height / 2],
            [np.sin(lean) * across, down, top - np.sin(lean) * width / 2],
        ]
    )
    source = np.ascontiguousarray(picture, dtype=np.float32)
    if max(across, down) > _SHRINKS:
        # what is made smaller is blurred first, or thin strokes flicker
        spread = [max(0.01, 0.45 * (each - 0.6)) for each in (across, down)]
        source = cv2.GaussianBlur(source, (0, 0), sigmaX=spread[0], sigmaY=spread[1])
    seen = cv2.warpAffine(
        source,
        back,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mean = seen.mean()
    seen = (seen - mean) * np.exp(rng.normal(0, _CONTRAST)) + mean * np.exp(rng.normal(0, _LIGHT))
    if rng.random() < _BLURRED:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.3, 0.9))
    noise = rng.normal(0, abs(rng.normal(0, _NOISE_GREY_LEVELS)), seen.shape)
    return (seen + noise).clip(0, 255).round().astype(np.uint8)


_BOX = 0.05
_LEAN_DEGREES = 1.0
_SLANT = 0.06
_SHRINKS = 1.2
_CONTRAST = 0.25
_LIGHT = 0.1
_BLURRED = 0.3
_NOISE_GREY_LEVELS = 6.0
