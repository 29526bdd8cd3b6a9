"""Specks of a picture, and the line or centre about which they fall into the fewest distances.

Specks are the places that stand out from their surroundings: strokes do, surfaces and broad edges
do not. Where a line or a centre is the text's own, their distances from it fall together: the count
of them is sharpest. That is the projection profile of Postl (1986), with bent lines too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.preprocess.surroundings import standing_out

_MIN_SPECKS, _FEW_SPECKS, _MAX_SPECKS = 60, 1_000, 4_000
_BINS_PX = (8.0, 4.0, 2.0, 1.0)
_STARTS = 8

Distances = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(parameters, x, y) -> distances of the points from the line or centre that these give."""


@dataclass(frozen=True, slots=True)
class Specks:
    """Places x and y that stand out in `grey`, a picture that was reduced by `scale`."""

    x: np.ndarray
    y: np.ndarray
    grey: np.ndarray
    scale: float

    @property
    def half(self) -> tuple[float, float]:
        """Half the reduced picture's width and height: its middle."""
        return self.grey.shape[1] / 2, self.grey.shape[0] / 2


def specks_of(pixels: np.ndarray) -> Specks | None:
    """What stands out in (H, W[, 3]) uint8 pixels; None if hardly anything does."""
    if contrast(pixels) < MIN_CONTRAST_GREY_LEVELS:
        return None
    grey, out, scale = standing_out(pixels)
    rows, columns = np.nonzero(out)
    if len(rows) < _MIN_SPECKS:
        return None
    chosen = slice(None, None, -(-len(rows) // _MAX_SPECKS))
    return Specks(columns[chosen] + 0.5, rows[chosen] + 0.5, grey, scale)


def sharpness(distances: np.ndarray, bin_px: float = _BINS_PX[-1]) -> float:
    """How few distances there are: the sum of the squared counts, of neighbouring bins together."""
    bins = ((distances - distances.min()) / bin_px).astype(np.int64)
    counts = np.convolve(np.bincount(bins), (0.5, 1, 0.5))
    return float((counts**2).sum() / bin_px)


def sharpest(
    distances: Distances,
    specks: Specks,
    starts: np.ndarray,
    step: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """The parameters (K,) with the sharpest count, from the best of the `starts` (N, K).

    `step` (K,) changes a distance by about a pixel; between the `limits` (K,) the search goes on
    by ever smaller steps and finer counts.
    """
    few = slice(None, None, max(1, len(specks.x) // _FEW_SPECKS))
    x, y = specks.x[few], specks.y[few]
    coarse = [sharpness(distances(start, x, y), _BINS_PX[0]) for start in starts]
    ends = []
    for index in np.argsort(coarse, kind="stable")[: -_STARTS - 1 : -1]:
        place = starts[index]
        for bin_px in _BINS_PX:

            def score(trial: np.ndarray, bin_px: float = bin_px) -> float:
                return sharpness(distances(trial, specks.x, specks.y), bin_px)

            place, reached = _climb(score, place, step * bin_px, limits)
        ends.append((reached, place))
    return max(ends, key=lambda end: end[0])[1]


def _climb(
    score: Callable[[np.ndarray], float],
    place: np.ndarray,
    step: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, float]:
    """Hooke and Jeeves (1961): along each parameter as long as it helps, then half the step."""
    reached = score(place)
    for _ in range(3):
        for _ in range(8):
            before = reached
            for axis in range(len(place)):
                for side in (-1, 1):
                    trial = place.copy()
                    trial[axis] += side * step[axis]
                    trial = np.clip(trial, *limits)
                    found = score(trial)
                    if found > reached:
                        place, reached = trial, found
            if reached == before:
                break
        step = step / 2
    return place, reached
