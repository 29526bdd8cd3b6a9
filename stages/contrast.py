"""Is there anything in the picture at all? A measure of local contrast that decides "blank".

In: pixels; out: grey levels. Used by the `whole` detector and by the recognisers, because a
recogniser that is shown an empty picture invents text.
"""

from __future__ import annotations

import cv2
import numpy as np

MIN_CONTRAST_GREY_LEVELS = 8.0
"""Below this a picture holds no text. The faintest of 826 real crops (thermal receipts, number
plates in low light) measures 39; noise of any strength, and brushed metal, 0 to 3."""

_TILE = 32
_MAX_TILES = 32
_NOISE_SHARE = 0.02
_MAX_SAMPLES = 256
"""Rows, and columns, that the grain is measured in."""

_MEDIAN_OF_SECONDS = 0.6745 * 6**0.5
"""Of the absolute second differences of normal noise with deviation 1."""

_LEFT_OF_NOISE, _LEFT_OF_STREAKS = 1.6, 3.0
"""What the blur leaves of grain with deviation 1: about 1.4 of noise, 2.7 of streaks, measured."""

_SLOPES = np.stack(
    [np.tile(np.linspace(-1, 1, _TILE), _TILE), np.repeat(np.linspace(-1, 1, _TILE), _TILE)]
)
_SLOPES = (_SLOPES / np.linalg.norm(_SLOPES, axis=1, keepdims=True)).astype(np.float32)
"""A slope across a tile and one down it, of length 1."""


def contrast(pixels: np.ndarray) -> float:
    """Return the largest local contrast of (H, W[, 3]) uint8 pixels, in grey levels, 0 to 255.

    The picture is divided into tiles of 32 x 32 pixels (a picture over 1024 pixels is reduced
    first); a tile's contrast is the distance between its 2nd and 98th percentile after a light
    blur, without its even slope, less what grain as fine as a pixel would leave there: noise or
    brushed metal stays blank however much a recipe lifts it. So shading across the picture, sensor
    noise and single hot pixels count for little, and one small line of text on a large empty
    surface counts in full.
    """
    height, width = pixels.shape[:2]
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grain = _grain(grey)
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
    level = tiles.astype(np.float32) - tiles.mean(axis=1, dtype=np.float32)[:, None]
    tiles = level - (level @ _SLOPES.T) @ _SLOPES
    rank = int(_NOISE_SHARE * _TILE * _TILE)
    ordered = np.partition(tiles, (rank, -1 - rank), axis=1)
    span = float(np.max(ordered[:, -1 - rank] - ordered[:, rank]))
    return max(span - grain, 0.0)


def _grain(grey: np.ndarray) -> float:
    """The contrast that the picture's grain alone leaves after the blur, in grey levels.

    Its deviation is that of second differences, of which flat parts and strokes have none; their
    median, since edges are few. The grain of brushed metal has a direction and is blurred less.
    """
    height, width = grey.shape
    rows, columns = (slice(None, None, max(side // _MAX_SAMPLES, 1)) for side in (height, width))
    across = _deviation(grey[rows])
    down = _deviation(grey[:, columns].T)
    low, high = sorted((across, down))
    return high * (_LEFT_OF_STREAKS if low < high / 2 else _LEFT_OF_NOISE)


def _deviation(grey: np.ndarray) -> float:
    if grey.shape[1] < 3:
        return 0.0
    values = grey.astype(np.int16)
    seconds = np.abs(values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:])
    # The median of small whole numbers: counting them takes half as long as `np.median`.
    counted = np.bincount(seconds.ravel()).cumsum()
    middle = np.searchsorted(counted, [(seconds.size + 1) // 2, seconds.size // 2 + 1])
    return float(middle.mean()) / _MEDIAN_OF_SECONDS
