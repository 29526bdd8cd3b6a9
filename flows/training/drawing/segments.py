"""Lines of a seven- or fourteen-segment display, with its unlit segments where they can be seen.

In: text and a `SegmentWriter`. Out: `Line`, whose `under` holds the unlit segments.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from flows.training.drawing.lines import CAP, HEADROOM, Hand, Line, line_of

_SHIFT_BITS = 4

SEVEN: dict[str, str] = {
    "0": "abcdef", "1": "bc", "2": "abged", "3": "abgcd", "4": "fgbc", "5": "afgcd",
    "6": "afgedc", "7": "abc", "8": "abcdefg", "9": "abcdfg", "A": "abcefg", "C": "adef",
    "E": "adefg", "F": "aefg", "H": "bcefg", "L": "def", "P": "abefg", "U": "bcdef",
    "-": "g", " ": "", ".": "", ":": "",
}  # fmt: skip
"""Lit segments, clockwise: a top, b, c right, d bottom, e, f left; g in the middle."""

FOURTEEN: dict[str, str] = {
    "0": "abcdefjk", "1": "bcj", "2": "abghed", "3": "abhcd", "4": "fghbc", "5": "afgmd",
    "6": "afghedc", "7": "abc", "8": "abcdefgh", "9": "abcdfgh", "A": "abcefgh", "B": "abcdhil",
    "C": "adef", "D": "abcdil", "E": "adefgh", "F": "aefgh", "G": "acdefh", "H": "bcefgh",
    "I": "adil", "J": "bcde", "K": "efgjm", "L": "def", "M": "bcefnj", "N": "bcefnm",
    "O": "abcdef", "P": "abefgh", "Q": "abcdefm", "R": "abefghm", "S": "afghcd", "T": "ail",
    "U": "bcdef", "V": "efkj", "W": "bcefkm", "X": "njkm", "Y": "njl", "Z": "ajkd",
    "-": "gh", "+": "ghil", "/": "jk", "*": "ghilnjkm", " ": "", ".": "", ":": "",
}  # fmt: skip
"""As `SEVEN`, with g left and h right of the middle, i upper and l lower stem, and the diagonals n,
j, k, m from the middle to upper left, upper right, lower left and lower right."""


@dataclass(frozen=True, slots=True)
class Display:
    """The shape of a display's characters; lengths in cap heights."""

    fourteen: bool = False
    width: float = 0.55
    thickness: float = 0.13
    gap: float = 0.02
    pointed: bool = True

    def covers(self, text: str) -> bool:
        return all(character in (FOURTEEN if self.fourteen else SEVEN) for character in text)

    def polygons(self, character: str) -> tuple[np.ndarray, ...]:
        """Polygons of the lit segments in pixels, y down from the baseline."""
        if character == ".":
            return (_square(self, 0.0),)
        if character == ":":
            return (_square(self, 0.22), _square(self, 0.62))
        lit = (FOURTEEN if self.fourteen else SEVEN)[character]
        return tuple(_segments(self)[name] for name in lit)

    def advance(self, character: str) -> float:
        return CAP * (self.thickness * 1.1 if character in ".:" else self.width)

    def all_segments(self, character: str) -> tuple[np.ndarray, ...]:
        return self.polygons(character) if character in ".:" else tuple(_segments(self).values())


def _square(display: Display, height: float) -> np.ndarray:
    side = display.thickness * 1.1
    corners = np.array([(0, 0), (side, 0), (side, side), (0, side)])
    return (corners + np.array([0, height])) * (CAP, -CAP)


@functools.lru_cache(maxsize=256)
def _segments(display: Display) -> dict[str, np.ndarray]:
    """Polygon of each segment in pixels, y down from the baseline."""
    half = display.thickness / 2
    left, right, middle = half, display.width - half, display.width / 2
    low, centre, high = half, 0.5, 1 - half
    ends = {
        "a": ((left, high), (right, high)),
        "b": ((right, centre), (right, high)),
        "c": ((right, low), (right, centre)),
        "d": ((left, low), (right, low)),
        "e": ((left, low), (left, centre)),
        "f": ((left, centre), (left, high)),
    }
    if not display.fourteen:
        ends["g"] = ((left, centre), (right, centre))
        return {name: _bar(*pair, display) for name, pair in ends.items()}
    ends |= {
        "g": ((left, centre), (middle, centre)),
        "h": ((middle, centre), (right, centre)),
        "i": ((middle, centre), (middle, high - half)),
        "l": ((middle, low + half), (middle, centre)),
        "n": ((middle - half, centre + half), (left + half, high - half)),
        "j": ((middle + half, centre + half), (right - half, high - half)),
        "k": ((middle - half, centre - half), (left + half, low + half)),
        "m": ((middle + half, centre - half), (right - half, low + half)),
    }
    return {name: _bar(*pair, display) for name, pair in ends.items()}


def _bar(start: tuple[float, float], end: tuple[float, float], display: Display) -> np.ndarray:
    """A bar with pointed or straight ends, `gap` away from its neighbours."""
    first, last = np.array(start), np.array(end)
    along = (last - first) / max(float(np.hypot(*(last - first))), 1e-6)
    across = np.array([-along[1], along[0]]) * (display.thickness / 2)
    first, last = first + along * display.gap, last - along * display.gap
    shoulder = along * (display.thickness / 2)
    if not display.pointed:
        shoulder = shoulder * 0.9
        corners = (first + shoulder, last - shoulder)
        points = [
            corners[0] + across,
            corners[1] + across,
            corners[1] - across,
            corners[0] - across,
        ]
    else:
        points = [
            first,
            first + shoulder + across,
            last - shoulder + across,
            last,
            last - shoulder - across,
            first + shoulder - across,
        ]
    return np.array(points) * (CAP, -CAP)


@dataclass(frozen=True, slots=True)
class SegmentWriter:
    """Writes with a display; `unlit` leaves the dark segments of each place in `Line.under`."""

    display: Display
    hand: Hand
    gap: float = 0.2
    unlit: bool = False

    def covers(self, text: str) -> bool:
        return self.display.covers(text)

    def write(self, rng: np.random.Generator, text: str) -> Line:
        advances = np.array(
            [self.display.advance(character) + self.gap * CAP for character in text]
        )
        places = self.hand.place(rng, text, advances)
        baseline = HEADROOM + CAP
        page = np.zeros((baseline + HEADROOM, int(places.length) + 2 * HEADROOM), np.uint8)
        under = np.zeros_like(page) if self.unlit else None
        for index, character in enumerate(text):
            origin = (HEADROOM + places.x[index], baseline + places.y[index])
            _fill(page, self.display.polygons(character), origin)
            if under is not None:
                _fill(under, self.display.all_segments(character), origin)
        return line_of(page, places, self.display.thickness * CAP, under)


def _fill(page: np.ndarray, polygons: tuple[np.ndarray, ...], origin: tuple[float, float]) -> None:
    scale = 1 << _SHIFT_BITS
    for polygon in polygons:
        points = np.rint((polygon + origin) * scale).astype(np.int32)
        cv2.fillConvexPoly(page, points, 255, cv2.LINE_AA, _SHIFT_BITS)
