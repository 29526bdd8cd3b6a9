"""How text lies in a picture, found from the picture alone: its skew, its bow, its ring.

The line or centre is the one that `profile` finds; what is concentric with the text, such as the
part's edges and turning marks, helps. The band of text is then where grey values change most
along the line: there letters are, and edges and turning marks are not. All is deterministic and in
the pixels of the picture given; None means that nothing in it stands out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from stages.contrast import MIN_CONTRAST_GREY_LEVELS
from stages.preprocess.profile import Specks, sharpest, sharpness, specks_of

_MAX_LEAN = math.tan(math.radians(20))
_MAX_SAG = 0.6
"""Of half the width: an arc of 120 degrees."""
_LEAST_BEND, _MOST_BEND = 0.02, 3.0
"""Half the picture's side over the distance to the centre."""
_BAND_LEVEL = 0.25
_BAND_MARGIN = 0.35


@dataclass(frozen=True, slots=True)
class Bow:
    """A band of bowed text: `xs` across the picture, and the `upper` and `lower` edge there."""

    xs: np.ndarray
    upper: np.ndarray
    lower: np.ndarray


@dataclass(frozen=True, slots=True)
class Ring:
    """A band of text round a centre, from start to end clockwise, in degrees from 12 o'clock."""

    centre: tuple[float, float]
    inner: float
    outer: float
    start_degrees: float
    end_degrees: float


def fit_skew(pixels: np.ndarray, max_degrees: float) -> float | None:
    """By how many degrees to turn (H, W[, 3]) pixels counter-clockwise so that text lies level."""
    specks = specks_of(pixels)
    if specks is None:
        return None

    def height(place: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return y * math.cos(place[0]) - x * math.sin(place[0])

    limit, size = math.radians(max_degrees), specks.half[0]
    starts = np.arange(-limit, limit, 4 / size)[:, None]
    limits = np.array([-limit]), np.array([limit])
    [angle] = sharpest(height, specks, starts, np.array([1 / size]), limits)
    return math.degrees(angle)


def fit_bow(pixels: np.ndarray, points: int = 13) -> Bow | None:
    """The band along which text bows up or down, at so many places across (H, W[, 3]) pixels."""
    specks = specks_of(pixels)
    if specks is None:
        return None
    half = specks.half[0]

    def level(bends: np.ndarray, x: np.ndarray) -> np.ndarray:
        along = x / half - 1
        return (
            half * along * (bends[0] + along * (bends[1] + along * (bends[2] + along * bends[3])))
        )

    def height(bends: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return y - level(bends, x)

    leans = np.arange(-_MAX_LEAN, _MAX_LEAN, 8 / half)
    sags = np.arange(-_MAX_SAG, _MAX_SAG, 8 / half)
    starts = np.array([(lean, sag, 0, 0) for lean in leans for sag in sags])
    most = np.array([_MAX_LEAN, _MAX_SAG, 0.1, 0.1])
    bends = sharpest(height, specks, starts, np.full(4, 1 / half), (-most, most))

    y, x = np.indices(specks.grey.shape) + 0.5
    slope = level(bends, x + 0.5) - level(bends, x - 0.5)
    strokes = _strokes(specks.grey, np.ones_like(slope), slope)
    if not strokes.any():
        return None
    top, bottom = _band(height(bends, x, y), strokes)
    line = level(bends, np.linspace(0, 2 * half, points))
    xs = np.linspace(0, pixels.shape[1], points)
    return Bow(xs, (line + top) * specks.scale, (line + bottom) * specks.scale)


def fit_ring(pixels: np.ndarray) -> Ring | None:
    """The centre of the circle that text follows in (H, W[, 3]) pixels, and where it lies on it."""
    specks = specks_of(pixels)
    if specks is None:
        return None
    centre = _centre(specks)
    y, x = np.indices(specks.grey.shape) + 0.5
    radius = _radius(centre, x, y)
    strokes = _strokes(specks.grey, centre[1] - y, x - centre[0])
    if not strokes.any():
        return None
    inner, outer = _band(radius, strokes)
    strokes = np.where((radius >= inner) & (radius <= outer), strokes, 0)
    angles = np.degrees(np.arctan2(x - centre[0], centre[1] - y)[strokes > strokes.max() / 4])
    start, end = _occupied(angles, math.degrees((outer - inner) / outer))
    x, y = centre * specks.scale
    inner, outer = max(inner, 1.0) * specks.scale, outer * specks.scale
    return Ring((float(x), float(y)), float(inner), float(outer), start, end)


def _radius(centre: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x - centre[0], y - centre[1])


def _centre(specks: Specks) -> np.ndarray:
    """Looked for twice: on a grid over the picture, and as seen from the text's own middle.

    From there the direction of a far centre is the text's lean and the inverse of its distance
    the text's bend, which hardly depend on each other.
    """
    middle = np.array([np.median(specks.x), np.median(specks.y)])
    size = max(specks.half)

    def centre(place: np.ndarray) -> np.ndarray:
        angle, bend = place
        return middle + size / bend * np.array([math.sin(angle), -math.cos(angle)])

    def away(place: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return _radius(centre(place), x, y)

    width, height = specks.grey.shape[::-1]
    grid = np.array([(x, y) for x in range(0, width, 16) for y in range(0, height, 16)], float)
    anywhere = np.full(2, -np.inf), np.full(2, np.inf)
    inside = sharpest(_radius, specks, grid, np.ones(2), anywhere)
    turns = np.arange(0, 2 * math.pi, math.pi / 36)
    bends = np.arange(_LEAST_BEND, _MOST_BEND, 0.05)
    rays = np.array([(turn, bend) for turn in turns for bend in bends])
    limits = np.array([-np.inf, _LEAST_BEND]), np.array([np.inf, _MOST_BEND])
    outside = centre(sharpest(away, specks, rays, np.full(2, 1 / size), limits))
    return max((inside, outside), key=lambda at: sharpness(_radius(at, specks.x, specks.y)))


def _strokes(grey: np.ndarray, along_x: np.ndarray, along_y: np.ndarray) -> np.ndarray:
    """How much grey values change in the given direction at each pixel, beyond noise."""
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    change = np.abs(across * along_x + down * along_y) / np.hypot(along_x, along_y).clip(1e-9)
    return (change - MIN_CONTRAST_GREY_LEVELS / 4).clip(0)


def _band(distances: np.ndarray, strokes: np.ndarray) -> tuple[float, float]:
    """From which to which distance the most strokes lie, with a margin."""
    least = math.floor(distances.min())
    profile = np.bincount((distances - least).astype(np.int64).ravel(), strokes.ravel())
    profile = np.convolve(profile, np.ones(5) / 5, "same")
    ground = np.percentile(profile, 10)
    thick = profile - ground >= _BAND_LEVEL * (profile.max() - ground)
    peak = int(profile.argmax())
    begin = peak - int(np.argmin(np.r_[thick[: peak + 1][::-1], False]))
    end = peak + int(np.argmin(np.r_[thick[peak:], False]))
    margin = _BAND_MARGIN * (end - begin)
    return least + begin + 1 - margin, least + end + margin


def _occupied(degrees: np.ndarray, margin: float) -> tuple[float, float]:
    """The arc outside the widest gap between the angles, a margin wider; at most a whole turn."""
    ordered = np.sort(degrees)
    gaps = np.diff(np.r_[ordered, ordered[0] + 360])
    widest = int(gaps.argmax())
    margin = min(margin, gaps[widest] / 2)
    start = ordered[(widest + 1) % len(ordered)]
    return float(start - margin), float(start + 360 - gaps[widest] + margin)
