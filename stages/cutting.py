"""Four corners of a frame -> the upright crop: top left first, text running right."""

from __future__ import annotations

import math

import cv2
import numpy as np

from stages.detectors.layout import size
from stages.errors import ImageError
from stages.records import Outline
from stages.transform import for_opencv, projective

_STRAIGHT_PX = 0.01


def widened(outline: Outline, margin: float, shape: tuple[int, ...]) -> np.ndarray:
    """Return the (4, 2) corners moved out by `margin` line heights, each side as far as it can.

    A side stops where its first corner would leave the frame of `shape` (H, W, ...).
    """
    corners = np.array(outline, dtype=np.float64)
    reach = margin * size(outline)[1]
    if reach:
        limits = np.array([shape[1], shape[0]], dtype=np.float64)
        # (corner, corner, the corner that lies behind it): left, right, top, bottom
        for pairs in (((0, 1), (3, 2)), ((1, 0), (2, 3)), ((0, 3), (1, 2)), ((3, 0), (2, 1))):
            steps = [_unit(corners[near] - corners[far]) for near, far in pairs]
            free = min(
                _room(corners[near], step, limits)
                for (near, _), step in zip(pairs, steps, strict=True)
            )
            for (near, _), step in zip(pairs, steps, strict=True):
                corners[near] += step * min(reach, free)
    return corners


def cut(pixels: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Return the upright (H, W[, 3]) read-only crop of four corners, clockwise from the top left.

    An upright box is copied pixel for pixel, rounded outwards to whole pixels; any other
    quadrilateral is straightened with bicubic interpolation.

    Raises:
        ImageError: the crop is too large for OpenCV or for the memory.
    """
    left, top = corners.min(axis=0)
    right, bottom = corners.max(axis=0)
    upright = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    if np.abs(corners - upright).max() <= _STRAIGHT_PX:
        height, width = pixels.shape[:2]
        rows = slice(*_whole_pixels(top, bottom, height))
        columns = slice(*_whole_pixels(left, right, width))
        crop = pixels[rows, columns]
        crop = pixels if crop.shape == pixels.shape else crop.copy()
    else:
        crop = _straightened(pixels, corners)
    crop.flags.writeable = False
    return crop


def _straightened(pixels: np.ndarray, corners: np.ndarray) -> np.ndarray:
    width, height = (max(round(side), 1) for side in size(corners))
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    try:
        step = projective(cv2.getPerspectiveTransform(corners.astype(np.float32), target))
        return cv2.warpPerspective(
            pixels,
            for_opencv(step),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    except (cv2.error, ValueError) as error:
        raise ImageError(
            f"a line of {width} x {height} pixels cannot be cut out; resize the picture first"
        ) from error


def _whole_pixels(start: float, end: float, limit: int) -> tuple[int, int]:
    """The pixels that an interval covers, at least one, within 0 to `limit`."""
    first = min(max(math.floor(start + _STRAIGHT_PX), 0), limit - 1)
    return first, max(min(math.ceil(end - _STRAIGHT_PX), limit), first + 1)


def _unit(step: np.ndarray) -> np.ndarray:
    length = np.hypot(*step)
    return step / length if length else step


def _room(point: np.ndarray, step: np.ndarray, limits: np.ndarray) -> float:
    """How far a point can go along a unit step before it leaves (0, 0) to `limits`."""
    room = math.inf
    for place, pace, limit in zip(point, step, limits, strict=True):
        if abs(pace) > 1e-9:
            room = min(room, ((limit if pace > 0 else 0.0) - place) / pace)
    return max(room, 0.0)
