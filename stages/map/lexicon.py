"""A lexicon: the codes that there are, and how far what was read is from the nearest of them.

A code's distance is the cost, in nats, of the cheapest alignment with the evidence: what the engine
held of each character, less for a look-alike, little for any other, and for one too many or too
few. So its negative is a log-probability, and codes are settled like all legal texts. rapidfuzz
(Levenshtein 1966) finds the few that are worth it among many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stages.map.clean import Position
from stages.options import Options

_NEAREST = 32
"""Codes that are aligned with the evidence, at most."""

_LOOK_ALIKE = 0.1
_OTHER = 0.002
_MISSED = 0.005
"""Probabilities of a look-alike of what was read, of any other character, and of one too many or
too few."""

_MOST_EDITS = 3


class LexiconOptions(Options):
    """Where the known codes stand."""

    file: str = Field(
        min_length=1, description="CSV with a header, UTF-8; relative to the recipe's folder"
    )
    column: str = Field(default="code", min_length=1, description="the column that holds the codes")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The known codes, each once."""

    codes: tuple[str, ...]
    known: frozenset[str]

    @classmethod
    def of(cls, codes: Sequence[str]) -> Lexicon:
        """The lexicon of these codes."""
        return cls(tuple(dict.fromkeys(codes)), frozenset(codes))

    def nearest(self, positions: Sequence[Position]) -> list[tuple[str, float]]:
        """The codes that the evidence may stand for with their log-probabilities, likeliest first.

        Method: Levenshtein's alignment with the evidence's costs; only codes within three edits of
        the characters as read, and at most half of them, are tried.
        """
        read = "".join(position[0].char for position in positions)
        near = process.extract(
            read,
            self.codes,
            scorer=Levenshtein.distance,
            limit=_NEAREST,
            score_cutoff=min(_MOST_EDITS, len(read) // 2),
        )
        found = [(code, -_cost(positions, code)) for code, _, _ in near]
        return sorted(found, key=lambda each: (-each[1], each[0]))


def _cost(positions: Sequence[Position], code: str) -> float:
    """Nats of the cheapest alignment of the evidence with a code."""
    gap = -math.log(_MISSED)
    row = np.arange(len(code) + 1) * gap
    for position in positions:
        following = np.empty_like(row)
        following[0] = row[0] + gap
        for at, char in enumerate(code, 1):
            following[at] = min(
                row[at - 1] - math.log(_chance(position, char)),
                row[at] + gap,
                following[at - 1] + gap,
            )
        row = following
    return float(row[-1])


def _chance(position: Position, char: str) -> float:
    own = sum(glyph.probability for glyph in position if glyph.char == char)
    alike = sum(glyph.probability for glyph in position if char in glyph.lookalikes)
    return min(1.0, max(own + _LOOK_ALIKE * alike, _OTHER))
