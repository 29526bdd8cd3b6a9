"""A single-stroke alphabet: letters as paths of a tool's tip, for engravers, lasers and dot peens.

In: text and a `StrokeWriter`. Out: `Line`; or the paths themselves, along which `dots` sets points.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from flows.training.drawing.lines import CAP, HEADROOM, Hand, Line, Places, line_of

_UNIT = CAP / 8
_SHIFT_BITS = 4

PATHS: dict[str, str] = {
    "0": "10 30 38 08 00 10",
    "1": "06 28; 28 20",
    "2": "06 08 48 44 00; 00 40",
    "3": "07 08 48 44 14; 24 44 40 00 01",
    "4": "30 38; 38 02; 02 42",
    "5": "48 08; 08 05; 05 45 40 00 01",
    "6": "47 48 08 00 40 45 05",
    "7": "08 48; 48 10",
    "8": "28 48 44 04 08 28; 24 44 40 00 04 24",
    "9": "01 00 40 48 08 03 43",
    "A": "00 28; 28 40; 13 33",
    "B": "00 08; 08 38 34 04; 04 44 40 00",
    "C": "46 48 08 00 40 42",
    "D": "00 08; 08 48 40 00",
    "E": "48 08; 08 00; 00 40; 04 34",
    "F": "48 08; 08 00; 04 34",
    "G": "46 48 08 00 40 44; 44 24",
    "H": "00 08; 40 48; 04 44",
    "I": "00 08",
    "J": "38 30 00 02",
    "K": "00 08; 48 03; 14 40",
    "L": "08 00; 00 40",
    "M": "00 08; 08 23; 23 48; 48 40",
    "N": "00 08; 08 40; 40 48",
    "O": "20 50 58 08 00 20",
    "P": "00 08; 08 48 44 04",
    "Q": "20 50 58 08 00 20; 32 50",
    "R": "00 08; 08 48 44 04; 24 40",
    "S": "47 48 08 04 44 40 00 01",
    "T": "08 48; 28 20",
    "U": "08 00 40 48",
    "V": "08 20; 20 48",
    "W": "08 10; 10 36; 36 50; 50 68",
    "X": "00 48; 08 40",
    "Y": "08 24; 24 48; 24 20",
    "Z": "08 48; 48 00; 00 40",
    "-": "04 34",
    ".": "00 00",
    "/": "00 48",
    ":": "01 01; 05 05",
    "+": "04 44; 22 26",
    "#": "10 18; 30 38; 03 43; 05 45",
    "(": "18 06 02 10",
    ")": "08 16 12 00",
    "*": "22 26; 13 35; 15 33",
    "=": "03 43; 05 45",
    "_": "00 40",
    ",": "11 00",
    "&": "40 06 07 08 28 26 03 00 20 43",
    " ": "",
}
"""Paths of each character: points as column 0..6 and height 0..8, a capital being 8 high.

Ours, after the shapes of ISO 3098-2 type B (vertical lettering).
"""


_ROUND = frozenset("0O8SQ")
_LEAST_RADIUS = 4
"""In twentieths of a cap height; without it a square 8 would be a B, 0 a D, S a 5."""


def covers(text: str) -> bool:
    """Whether the alphabet has every character of the text."""
    return all(character in PATHS for character in text)


@dataclass(frozen=True, slots=True)
class Alphabet:
    """How the alphabet is shaped: a factor of its widths, its corners' radius in cap heights."""

    width: float = 1.0
    radius: float = 0.2
    slashed_zero: bool = False

    def paths(self, character: str) -> tuple[np.ndarray, ...]:
        """Points (n, 2) in pixels, y down from the baseline."""
        found = _rounded(character, round(self.radius * 20), self.slashed_zero)
        return tuple(path * (self.width, 1.0) for path in found)

    def width_of(self, character: str) -> float:
        return _extent(character) * self.width

    def advances(self, text: str, gap: float) -> np.ndarray:
        """Advance of each character in pixels, its ink followed by `gap` cap heights."""
        return np.array([self.width_of(character) + gap * CAP for character in text])


@functools.cache
def _extent(character: str) -> float:
    points = PATHS[character].replace(";", "").split()
    return max((int(point[0]) for point in points), default=3) * _UNIT


@functools.cache
def _rounded(character: str, radius_in_20ths: int, slashed: bool) -> tuple[np.ndarray, ...]:
    source = PATHS[character]
    if character == "0" and slashed:
        source += "; 02 36"
    radius = max(radius_in_20ths, _LEAST_RADIUS if character in _ROUND else 0) * CAP / 20
    paths = []
    for path in filter(None, source.split(";")):
        points = (
            np.array([(int(point[0]), -int(point[1])) for point in path.split()], float) * _UNIT
        )
        paths.append(_with_round_corners(points, radius))
    return tuple(paths)


def _with_round_corners(points: np.ndarray, radius: float) -> np.ndarray:
    """Each inner corner replaced by a quadratic Bezier arc that starts `radius` before it."""
    if len(points) < 3 or radius <= 0:
        return points
    parts = [points[:1]]
    t = np.linspace(0, 1, 6)[:, None]
    for before, corner, after in zip(points[:-2], points[1:-1], points[2:], strict=True):
        start = corner + _towards(corner, before, radius)
        end = corner + _towards(corner, after, radius)
        parts.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    parts.append(points[-1:])
    return np.concatenate(parts)


def _towards(origin: np.ndarray, target: np.ndarray, radius: float) -> np.ndarray:
    way = target - origin
    length = float(np.hypot(*way))
    return way * (min(radius, length / 2) / max(length, 1e-6))


def placed_paths(alphabet: Alphabet, text: str, places: Places) -> list[np.ndarray]:
    """The paths of a whole line in pixels, the first origin at (0, 0), y down from the baseline."""
    found = []
    for index, character in enumerate(text):
        radians = np.radians(places.angle[index])
        cosine, sine = np.cos(radians) * places.size[index], np.sin(radians) * places.size[index]
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = np.array([alphabet.width_of(character) / 2, -CAP / 2])
        origin = np.array([places.x[index], places.y[index]]) + middle
        found.extend((path - middle) @ turn + origin for path in alphabet.paths(character))
    return found


@dataclass(frozen=True, slots=True)
class StrokeWriter:
    """Writes with a round tip of `tip` pixels."""

    alphabet: Alphabet
    hand: Hand
    tip: float = 4.0
    gap: float = 0.25

    def covers(self, text: str) -> bool:
        return covers(text)

    def write(self, rng: np.random.Generator, text: str) -> Line:
        places = self.hand.place(rng, text, self.alphabet.advances(text, self.gap))
        baseline = HEADROOM + CAP
        page = np.zeros((baseline + HEADROOM, int(places.length) + 2 * HEADROOM), np.uint8)
        scale = 1 << _SHIFT_BITS
        paths = [
            np.rint((path + np.array([HEADROOM, baseline])) * scale).astype(np.int32)
            for path in placed_paths(self.alphabet, text, places)
        ]
        cv2.polylines(page, paths, False, 255, max(1, round(self.tip)), cv2.LINE_AA, _SHIFT_BITS)
        return line_of(page, places, self.tip)
