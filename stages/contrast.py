"""Is there anything in the picture at all? A measure of local contrast that decides "blank".

In: pixels; out: grey levels. Used by the `whole` detector and by the recognisers, because a
recogniser that is shown an empty picture invents text.
"""

from __future__ import annotations

import cv2
import numpy as np

MIN_CONTRAST_GREY_LEVELS = 8.0
"""Below this a picture holds no text. Sensor noise of sigma 5 measures 7; the faintest of 834 real
crops (thermal receipts, number plates in low light) 41."""

_TILE = 32
_MAX_TILES = 32
_NOISE_SHARE = 0.02


def contrast(pixels: np.ndarray) -> float:
    """Return the largest local contrast of (H, W[, 3]) uint8 pixels, in grey levels, 0 to 255.

    The picture is divided into tiles of 32 x 32 pixels (a picture over 1024 pixels is reduced
    first); a tile's contrast is the distance between its 2nd and 98th percentile after a light
    blur. So shading across the picture, sensor noise and single hot pixels count for little, and
    one small line of text on a large empty surface counts in full.
    """
    height, width = pixels.shape[:2]
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
    rows = min(max(round(height / _TILE), 1), _MAX_TILES)
    columns = min(max(round(width / _TILE), 1), _MAX_TILES)
    shrinks = rows * _TILE < height or columns * _TILE < width
    grey = cv2.resize(
        grey,
        (columns * _TILE, rows * _TILE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    tiles = grey.reshape(rows, _TILE, columns, _TILE).swapaxes(1, 2).reshape(-1, _TILE * _TILE)
    rank = int(_NOISE_SHARE * _TILE * _TILE)
    ordered = np.partition(tiles, (rank, -1 - rank), axis=1)
    return float(np.max(ordered[:, -1 - rank].astype(np.int16) - ordered[:, rank]))
