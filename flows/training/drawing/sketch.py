"""A canvas to draw the surroundings of a line on: filled polygons, boxes, discs, frames."""

from __future__ import annotations

import cv2
import numpy as np

from flows.training.drawing.layout import CANVAS

CIRCLE = np.column_stack(
    (np.cos(np.linspace(0, 2 * np.pi, 24, False)), np.sin(np.linspace(0, 2 * np.pi, 24, False)))
)
"""Corners of a polygon that stands for the unit circle (24, 2), anticlockwise from the right."""

_SHIFT_BITS = 4
_CORNERS = (((1, -1), 18), ((1, 1), 0), ((-1, 1), 6), ((-1, -1), 12))


class Sketch:
    """A canvas to draw on, by `matrix` (2, 3) from the coordinates used to the canvas.

    The functions here expect a crop's natural ones.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self.picture = np.zeros(CANVAS, np.uint8)
        self._matrix = matrix

    def polygon(self, points: np.ndarray, strength: int) -> None:
        placed = points @ self._matrix[:, :2].T + self._matrix[:, 2] - 0.5
        whole = np.rint(placed * (1 << _SHIFT_BITS)).astype(np.int32)
        cv2.fillPoly(self.picture, [whole], strength, cv2.LINE_AA, _SHIFT_BITS)

    def box(self, left: float, top: float, right: float, bottom: float, strength: int) -> None:
        self.polygon(
            np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), strength
        )

    def disc(self, x: float, y: float, radius: float, strength: int) -> None:
        self.polygon(CIRCLE * radius + (x, y), strength)

    def frame(
        self,
        box: tuple[float, float, float, float],
        thickness: float,
        radius: float,
        strength: int,
    ) -> None:
        """A frame around `box` (left, top, right, bottom), rounded inside by `radius`."""
        left, top, right, bottom = box
        outer = (left - thickness, top - thickness, right + thickness, bottom + thickness)
        kept = self.picture
        self.picture = np.zeros(CANVAS, np.uint8)
        self.polygon(rounded(outer, radius + thickness * (radius > 0)), strength)
        self.polygon(rounded(box, radius), 0)
        self.picture = np.maximum(kept, self.picture)


def rounded(box: tuple[float, float, float, float], radius: float) -> np.ndarray:
    left, top, right, bottom = box
    radius = min(radius, (right - left) / 2, (bottom - top) / 2)
    if radius <= 0:
        return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    parts = []
    for (to_right, to_bottom), first in _CORNERS:
        centre = (
            right - radius if to_right > 0 else left + radius,
            bottom - radius if to_bottom > 0 else top + radius,
        )
        turn = np.arange(first, first + 7) % 24
        parts.append(CIRCLE[turn] * radius + centre)
    return np.concatenate(parts)
