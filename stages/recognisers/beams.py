"""The likeliest texts of a format: a beam search under a constraint's masks.

Probabilities are those that the network gave before any mask: renormalised over the legal tokens
they would look falsely sure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stages.formats import Constraint
from stages.recognisers.steering import Masks
from stages.records import Candidate, Transcript

if TYPE_CHECKING:
    from stages.recognisers.lean import Branches

WIDTH = 12
"""Texts that are followed at once."""

_LEAST_LOG = -14.0
"""Nats. What is less likely than this is no rival of anything."""

_TINY = 1e-9


SURE = 0.9
"""A text that is a code, and at least so probable, needs no search for its rivals."""


def is_settled(read: Transcript, constraint: Constraint) -> bool:
    """Whether a greedy reading is a code beyond doubt, or no text at all."""
    if not read.text:
        return True
    sure = math.prod(each.confidence for each in read.characters) >= SURE
    return sure and constraint.is_code(read.text)


def with_candidates(read: Transcript, chance: float, legal: Sequence[Legal]) -> Transcript:
    """The transcript with the legal texts, their probabilities brought to its own scale.

    `chance` is what the network gave the text as read, 0 to 1, and the product of its characters'
    confidences what experience made of that. All that it is more or less, the others are less or
    more, in proportion.
    """
    own = min(math.prod(each.confidence for each in read.characters), 1.0 - _TINY)
    given = next(
        (math.exp(each.log_probability) for each in legal if each.text == read.text), chance
    )
    others = math.log1p(-own) - math.log(max(1.0 - given, _TINY))
    return replace(
        read,
        candidates=tuple(
            Candidate(each.text, math.log(max(own, _TINY)))
            if each.text == read.text
            else Candidate(each.text, min(each.log_probability + others, math.log1p(-own)))
            for each in legal
        ),
    )


@dataclass(frozen=True, slots=True)
class Legal:
    """A legal text, its tokens between start and end, and its unconstrained log-probability."""

    text: str
    tokens: tuple[int, ...]
    log_probability: float


def search(
    branches: Branches, constraint: Constraint, masks: Masks, width: int = WIDTH
) -> list[Legal]:
    """Return at most `width` legal texts, likeliest first; several spellings of one add up.

    `branches` were opened for `width` ways. Method: the beams are the likeliest legal beginnings.

    Raises:
        ValueError: the network computed NaN.
    """
    ends = sorted(branches.ends)
    beams = [_Beam("", (), constraint.start, 0.0)]
    parents, fed = [0], [branches.start]
    finished: list[Legal] = []
    for _ in range(branches.max_tokens - 1):
        chances = branches.feed(parents, fed).cpu().numpy()
        longer: list[tuple[float, int, int, int, str]] = []
        for row, beam in enumerate(beams):
            if constraint.is_accepting(beam.state):
                log = beam.log + float(np.logaddexp.reduce(chances[row, ends]))
                if log > _LEAST_LOG:
                    finished.append(Legal(beam.text, beam.tokens, log))
            tokens, states, texts = masks.allowed(beam.state, first=not beam.text)
            logs = beam.log + chances[row, tokens]
            for at in _best(logs, width):
                longer.append((float(logs[at]), row, int(tokens[at]), states[at], texts[at]))
        # what no longer can be among the best is let go: a text's probability only falls
        bar = _nth(finished, width)
        longer = [each for each in sorted(longer, key=_likeliest)[:width] if each[0] > bar]
        if not longer:
            break
        beams, parents, fed = (
            [
                _Beam(beams[row].text + text, (*beams[row].tokens, token), state, log)
                for log, row, token, state, text in longer
            ],
            [row for _, row, *_ in longer],
            [token for _, _, token, *_ in longer],
        )
    return _merged(finished)[:width]


@dataclass(frozen=True, slots=True)
class _Beam:
    text: str
    tokens: tuple[int, ...]
    state: int
    log: float


def _likeliest(longer: tuple[float, int, int, int, str]) -> tuple[float, int, int]:
    return -longer[0], longer[1], longer[2]


def _best(logs: np.ndarray, count: int) -> np.ndarray:
    if len(logs) <= count:
        return np.flatnonzero(logs > _LEAST_LOG)
    best = np.argpartition(logs, -count)[-count:]
    return best[logs[best] > _LEAST_LOG]


def _nth(finished: Sequence[Legal], count: int) -> float:
    if len(finished) < count:
        return -math.inf
    return sorted((each.log_probability for each in finished), reverse=True)[count - 1]


def _merged(finished: Sequence[Legal]) -> list[Legal]:
    """One entry for each text, likeliest first, with the tokens of its likeliest spelling."""
    best: dict[str, Legal] = {}
    for each in sorted(finished, key=lambda legal: -legal.log_probability):
        known = best.get(each.text)
        if known is None:
            best[each.text] = each
        else:
            log = float(np.logaddexp(known.log_probability, each.log_probability))
            best[each.text] = Legal(each.text, known.tokens, log)
    return sorted(best.values(), key=lambda legal: -legal.log_probability)
