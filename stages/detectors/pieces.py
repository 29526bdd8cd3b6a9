"""Pieces of lines: rectangles round groups of points, and which of them are one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

_COMPACT = 1.5
"""A piece less elongated than this says nothing about the direction of its line."""

_HEIGHTS = 1.7
"""Pieces of one line differ in height by no more than this."""

_ASIDE = 0.4
"""How far the middle of one may lie beside the line of the other, in line heights."""

_LINE, _PLATE, _WITHIN = 3.0, 0.5, 0.9
"""A line is that many times wider than high; the plate that holds it, by so much, is higher."""

_SAME = 0.6
"""Pieces that cover each other by this share of the smaller one are the same thing twice."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Points (N, 2) and the smallest rectangle round them: (4, 2) corners, the long side first."""

    points: np.ndarray
    corners: np.ndarray
    score: float = 0.0

    @classmethod
    def around(cls, points: np.ndarray) -> Piece:
        """The piece that these points make."""
        corners = cv2.boxPoints(cv2.minAreaRect(points.astype(np.float32))).astype(np.float64)
        if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
            corners = np.roll(corners, -1, axis=0)
        return cls(points, corners)

    @property
    def width(self) -> float:
        """Of the long side."""
        return float(np.linalg.norm(self.corners[1] - self.corners[0]))

    @property
    def height(self) -> float:
        """Of the short side."""
        return float(np.linalg.norm(self.corners[2] - self.corners[1]))

    @property
    def middle(self) -> np.ndarray:
        """The rectangle's centre."""
        return self.corners.mean(axis=0)

    @property
    def along(self) -> np.ndarray:
        """The unit vector of the long side."""
        return (self.corners[1] - self.corners[0]) / max(self.width, 1e-9)

    def scored(self, score: float) -> Piece:
        """The same piece with this score."""
        return replace(self, score=score)

    def scaled(self, ratio: np.ndarray) -> Piece:
        """The same piece in a picture that is larger by `ratio` across and down."""
        return Piece.around(self.points * ratio).scored(self.score)


def joined(pieces: Sequence[Piece], gap_heights: float) -> list[Piece]:
    """Lines: pieces that lie end to end made one, and of things seen twice the better one.

    What holds a line of less than half its height is a plate, a label or a display, and no line.
    """
    lines = _once([each for each in pieces if not any(_holds(each, other) for other in pieces)])
    while True:
        pair = next(
            (
                (first, second)
                for first in range(len(lines))
                for second in range(first + 1, len(lines))
                if _in_line(lines[first], lines[second], gap_heights)
            ),
            None,
        )
        if pair is None:
            return _once(lines)
        second, first = lines.pop(pair[1]), lines.pop(pair[0])
        weights = first.width, second.width
        score = (first.score * weights[0] + second.score * weights[1]) / sum(weights)
        lines.append(Piece.around(np.concatenate([first.points, second.points])).scored(score))


def _in_line(first: Piece, second: Piece, gap_heights: float) -> bool:
    low, high = sorted((first.height, second.height))
    if high > _HEIGHTS * low:
        return False
    longer, other = (first, second) if first.width >= second.width else (second, first)
    apart = other.middle - longer.middle
    along = longer.along
    if longer.width < _COMPACT * longer.height:
        distance = float(np.linalg.norm(apart))
        if not distance:
            return True
        along = apart / distance
    beside = abs(float(along[0] * apart[1] - along[1] * apart[0]))
    if beside > _ASIDE * high:
        return False
    if other.width >= _COMPACT * other.height and abs(float(along @ other.along)) < 0.95:
        return False
    spans = [np.ptp(each.corners @ along) for each in (longer, other)]
    return abs(float(apart @ along)) - sum(spans) / 2 <= gap_heights * high


def _once(pieces: Sequence[Piece]) -> list[Piece]:
    """Without what lies within another piece, or is the same as one with a better score."""
    kept: list[Piece] = []
    for piece in sorted(pieces, key=lambda each: -each.width * each.score):
        if not any(_covered(piece, other) for other in kept):
            kept.append(piece)
    return kept


def _holds(piece: Piece, other: Piece) -> bool:
    if other.width < _LINE * other.height or other.height > _PLATE * piece.height:
        return False
    first, second = (each.corners.astype(np.float32) for each in (piece, other))
    return cv2.intersectConvexConvex(first, second)[0] >= _WITHIN * other.width * other.height


def _covered(piece: Piece, other: Piece) -> bool:
    first, second = (each.corners.astype(np.float32) for each in (piece, other))
    both, _ = cv2.intersectConvexConvex(first, second)
    smaller = min(piece.width * piece.height, other.width * other.height)
    return both > _SAME * max(smaller, 1e-9)
