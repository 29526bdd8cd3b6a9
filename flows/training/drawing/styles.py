"""The ways a mark is made, and how often a text is marked in each of them."""

from __future__ import annotations

import re
from enum import IntEnum

import numpy as np

from flows.training.drawing.segments import Display


class Style(IntEnum):
    """The way a mark was made; the value is what tensors carry."""

    PRINT = 0
    LASER = 1
    ENGRAVED = 2
    EMBOSSED = 3
    STAMPED = 4
    STENCIL = 5
    DOTS_PEEN = 6
    DOTS_INKJET = 7
    SEGMENTS = 8
    PLATE = 9
    RECEIPT = 10
    CHIP = 11


_WEIGHTS = np.array([15, 12, 8, 6, 10, 5, 11, 10, 6, 8, 9, 6], float)
_PLATE = re.compile(r"(?=.*\d)[A-Z0-9]{1,4}([ -]?[A-Z0-9]{1,4}){1,2}")
_SIGNS = frozenset(".,:/$%*")
_BY_TOOL = [Style.LASER, Style.ENGRAVED, Style.STAMPED, Style.DOTS_PEEN]
_SEVEN, _FOURTEEN = Display(fourteen=False), Display(fourteen=True)


def choose_style(rng: np.random.Generator, text: str) -> Style:
    """A style for the text: digits come on displays more often, sentences seldom under a punch."""
    weights = _WEIGHTS.copy()
    if _SEVEN.covers(text):
        weights[Style.SEGMENTS] *= 2.5
    elif not _FOURTEEN.covers(text):
        weights[Style.SEGMENTS] = 0
    else:
        weights[Style.SEGMENTS] *= 0.4
    weights[Style.PLATE] *= 2 if _PLATE.fullmatch(text) else 0.25
    if not _SIGNS.isdisjoint(text):
        weights[Style.RECEIPT] *= 1.5
    if text != text.upper():
        weights[_BY_TOOL] *= 0.4
    total = np.cumsum(weights)
    return Style(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
