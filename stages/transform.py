"""Where a frame's pixels came from: an invertible map back to the original picture.

A `Transform` is a chain of steps, each with `to_source` and `to_result`; projective steps are
folded into one matrix, and a warp that is no matrix (an unrolled arc) is a step of its own.
Coordinates are continuous: the first pixel covers (0, 0) to (1, 1). OpenCV's warps put integer
coordinates at pixel centres; `for_opencv` converts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Warp(Protocol):
    """One invertible step between a source and a result picture; points are (N, 2) float64."""

    def to_source(self, points: np.ndarray) -> np.ndarray: ...

    def to_result(self, points: np.ndarray) -> np.ndarray: ...


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

    def to_frame(self, points: np.ndarray) -> np.ndarray:
        """Map (N, 2) points of the original picture to the frame."""
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        for step in self.steps:
            points = step.to_result(points)
        return points


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


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    homogeneous = np.hstack([points, np.ones((len(points), 1))]) @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]
