"""A drawn line of text, and the hand that sets characters along it.

Every writer places its characters by a `Hand` and returns a `Line`: coverage of the ink, a capital
letter being `CAP` rows high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

CAP = 40
"""Rows of a capital letter in every `Line`."""

HEADROOM = 30
"""Rows kept free above the capitals and below the baseline: for descenders and uneven stamps."""


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn line, cut to its ink; `under` is what else shows there, such as unlit segments.

    `baseline` is a row of the picture, `gaps` the columns between characters, `stroke` the width of
    the ink's strokes in pixels.
    """

    picture: np.ndarray
    baseline: int
    stroke: float
    gaps: np.ndarray
    under: np.ndarray | None = None


class Writer(Protocol):
    """Draws lines that look as if made by one tool."""

    def covers(self, text: str) -> bool: ...

    def write(self, rng: np.random.Generator, text: str) -> Line: ...


@dataclass(frozen=True, slots=True)
class Hand:
    """How evenly the characters of a line are set; lengths in cap heights, angles in degrees.

    `spacing` is added to every advance, `word_space` multiplies that of a blank. With `monospaced`
    every character has the widest one's advance. `jitter_size` is relative. `wave` is the height of
    a sine along the line of `wave_length`, `arc` the sagitta of a bow over the whole line.
    """

    spacing: float = 0.0
    word_space: float = 1.0
    monospaced: bool = False
    jitter_x: float = 0.0
    jitter_y: float = 0.0
    jitter_angle: float = 0.0
    jitter_size: float = 0.0
    wave: float = 0.0
    wave_length: float = 6.0
    arc: float = 0.0

    def place(self, rng: np.random.Generator, text: str, advances: np.ndarray) -> Places:
        """Where each character's origin comes to stand, from its `advances` in pixels."""
        count = len(text)
        blank = np.fromiter((character == " " for character in text), bool, count)
        inset = np.zeros(count)
        if self.monospaced and not blank.all():
            widest = advances[~blank].max()
            inset = (widest - advances) / 2
            advances = np.full(count, widest)
        else:
            advances = np.where(blank, advances * self.word_space, advances)
        steps = np.maximum(advances + self.spacing * CAP, 0.1 * CAP)
        start = np.concatenate(([0.0], np.cumsum(steps)[:-1]))
        length = start[-1] + steps[-1]
        middle = start + advances / 2
        noise = rng.standard_normal((4, count)).clip(-2.2, 2.2)
        angle = noise[2] * self.jitter_angle
        y = noise[1] * (self.jitter_y * CAP)
        along = middle / max(length, 1.0) - 0.5
        if self.wave:
            phase = 2 * np.pi * (rng.random() + along * length / (self.wave_length * CAP))
            y = y + np.sin(phase) * (self.wave * CAP)
        if self.arc:
            y = y + (4 * along * along - 1) * (self.arc * CAP)
            angle = angle - np.degrees(8 * along * self.arc * CAP / max(length, 1.0))
        return Places(
            x=start + inset + noise[0] * (self.jitter_x * CAP),
            y=y,
            angle=angle,
            size=1 + noise[3] * self.jitter_size,
            middle=middle,
            length=length,
        )


@dataclass(frozen=True, slots=True)
class Places:
    """Where the characters of a line stand, in pixels: origins (y down from the baseline), middles.

    `angle` is in degrees, `size` a factor, `length` that of the whole line.
    """

    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    size: np.ndarray
    middle: np.ndarray
    length: float


def line_of(
    page: np.ndarray, places: Places, stroke: float, under: np.ndarray | None = None
) -> Line:
    """A page with `HEADROOM` around the line as a `Line`.

    `page` and `under` cut to the ink, which is never taken for lower than a capital.
    """
    baseline = HEADROOM + CAP
    left, top, width, height = cv2.boundingRect(page if under is None else cv2.max(page, under))
    width = max(width, 1)
    top, bottom = min(top, baseline - CAP), max(top + height, baseline)
    cut = (slice(top, bottom), slice(left, left + width))
    gaps = (places.middle[1:] + places.middle[:-1]) / 2 + (HEADROOM - left)
    return Line(
        page[cut], baseline - top, stroke, gaps, under=None if under is None else under[cut]
    )
