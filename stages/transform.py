"""Where a frame's pixels came from: an invertible map back to the original picture.

A `Transform` is a chain of steps, each with `to_source` and `to_result`; projective steps are
folded into one matrix, and a warp that is no matrix (`Shift`, `Polar`) is a step of its own.
Coordinates are continuous: the first pixel covers (0, 0) to (1, 1). OpenCV's warps put integer
coordinates at pixel centres; `for_opencv` converts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

_STEPS_A_SIDE = 128


class Warp(Protocol):
    """One invertible step between a source and a result picture; points are (N, 2) float64."""

    def to_source(self, points: np.ndarray) -> np.ndarray: ...

    def to_result(self, points: np.ndarray) -> np.ndarray: ...

    def sources(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`to_source` of x and y that broadcast: a row and a column of a grid stay thin."""
        ...


@dataclass(frozen=True, slots=True)
class Projective:
    """A 3 x 3 matrix, row-major, that maps source to result points."""

    rows: tuple[tuple[float, float, float], ...]

    @property
    def matrix(self) -> np.ndarray:
        return np.array(self.rows, dtype=np.float64)

    def to_result(self, points: np.ndarray) -> np.ndarray:
        return _apply(self.matrix, points)

    def to_source(self, points: np.ndarray) -> np.ndarray:
        return _apply(np.linalg.inv(self.matrix), points)

    def sources(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        across, down, scale = (_sum(row, x, y) for row in np.linalg.inv(self.matrix))
        return across / scale, down / scale


@dataclass(frozen=True, slots=True)
class Shift:
    """Each column moved up or down, so that a polyline becomes the line y = 0.

    `xs` rise; beyond the first and the last the polyline goes on level.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]

    def to_result(self, points: np.ndarray) -> np.ndarray:
        return np.column_stack([points[:, 0], points[:, 1] - self._level(points)])

    def to_source(self, points: np.ndarray) -> np.ndarray:
        return np.column_stack(self.sources(*points.T))

    def sources(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x, y + np.interp(x, self.xs, self.ys)

    def _level(self, points: np.ndarray) -> np.ndarray:
        return np.interp(points[:, 0], self.xs, self.ys)


@dataclass(frozen=True, slots=True)
class Polar:
    """A ring laid out straight: its circle of `radius` becomes the line y = 0, at its own scale.

    x = 0 lies at `middle_degrees`, clockwise from 12 o'clock, and what is more than half a turn
    away on the other side of it. `clockwise` text runs that way round and has its top outside;
    other text runs the other way and has its top inside, so nothing is ever mirrored.
    """

    centre_x: float
    centre_y: float
    radius: float
    middle_degrees: float
    clockwise: bool

    def to_result(self, points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0] - self.centre_x, points[:, 1] - self.centre_y
        turn = np.arctan2(x, -y) - np.radians(self.middle_degrees)
        turn = np.remainder(turn + np.pi, 2 * np.pi) - np.pi
        return self._side * np.column_stack([turn * self.radius, self.radius - np.hypot(x, y)])

    def to_source(self, points: np.ndarray) -> np.ndarray:
        return np.column_stack(self.sources(*points.T))

    def sources(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        angle = np.radians(self.middle_degrees) + self._side * x / self.radius
        radius = self.radius - self._side * y
        return self.centre_x + radius * np.sin(angle), self.centre_y - radius * np.cos(angle)

    @property
    def _side(self) -> int:
        return 1 if self.clockwise else -1


@dataclass(frozen=True, slots=True)
class Transform:
    """From the original picture, through `steps` in order, to the frame at hand."""

    steps: tuple[Warp, ...] = ()

    def then(self, step: Warp) -> Transform:
        """Append a step; neighbouring projective steps become one."""
        if self.steps and isinstance(step, Projective) and isinstance(self.steps[-1], Projective):
            return Transform((*self.steps[:-1], projective(step.matrix @ self.steps[-1].matrix)))
        return Transform((*self.steps, step))

    def to_original(self, points: np.ndarray) -> np.ndarray:
        """Map (N, 2) points of the frame to the original picture."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        for step in reversed(self.steps):
            points = step.to_source(points)
        return points

    def sources(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`to_original` of x and y that broadcast, such as a row and a column."""
        for step in reversed(self.steps):
            x, y = step.sources(x, y)
        return x, y

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Map (N, 2) points of the original picture to the frame."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        for step in self.steps:
            points = step.to_result(points)
        return points

    def box(self, corners: np.ndarray) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 in the original picture of the frame's polygon with these (N, 2) corners.

        A side that a warp bends reaches further than its ends, so it is followed in small steps.
        """
        corners = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
        if not all(isinstance(step, Projective) for step in self.steps):
            ways = np.roll(corners, -1, axis=0) - corners
            parts = np.arange(_STEPS_A_SIDE)[:, None, None] / _STEPS_A_SIDE
            corners = (corners + parts * ways).reshape(-1, 2)
        mapped = self.to_original(corners)
        (x1, y1), (x2, y2) = mapped.min(axis=0).tolist(), mapped.max(axis=0).tolist()
        return x1, y1, x2, y2


def projective(matrix: np.ndarray) -> Projective:
    """Make a step from a 3 x 3 (or affine 2 x 3) source-to-result matrix.

    Raises:
        ValueError: the matrix cannot be inverted.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.shape == (2, 3):
        matrix = np.vstack([matrix, [0.0, 0.0, 1.0]])
    if matrix.shape != (3, 3) or abs(np.linalg.det(matrix)) < 1e-12:
        raise ValueError(f"not an invertible 3 x 3 matrix: {matrix.tolist()}")
    return Projective(tuple(tuple(float(value) for value in row) for row in matrix))


def translation(x: float, y: float) -> Projective:
    """The step of a crop whose top left corner lies at (-x, -y) in the source."""
    return projective(np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]))


def scaling(x: float, y: float) -> Projective:
    """The step of a resize by factors x and y."""
    return projective(np.diag([x, y, 1]))


def for_opencv(step: Projective) -> np.ndarray:
    """The same map with integer coordinates at pixel centres, as cv2.warpPerspective takes it."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ step.matrix @ half


def _sum(row: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """a x + b y + c; what is nothing is left out, so that x alone does not grow to a grid."""
    a, b, c = row
    if b == 0:
        return a * x + c if a else np.asarray(c)
    return a * x + b * y + c if a else b * y + c


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    # Written out: on a busy machine BLAS's threads wait for each other over so thin a product.
    x, y = points.T
    across, down, scale = (a * x + b * y + c for a, b, c in matrix)
    return np.column_stack([across / scale, down / scale])
