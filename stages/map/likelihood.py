"""How probable each legal text is, given what the engine saw.

The engine's likeliest texts (32, from each position's character and alternative, taken as
independent) each give their probability to a legal text: to themselves where the format allows
them, otherwise to the legal texts that look the same with the fewest look-alikes replaced, in
equal shares. So a clear O where only digits may stand is a clear 0; where both may stand it stays
what was read; and a probability that no legal text can claim is the chance of a wrong mark.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.formats import Constraint
from stages.map.clean import Glyph, Position
from stages.map.lookalikes import nearest_legal
from stages.records import Candidate, Transcript

_LIKELY_TEXTS = 32
_LEAST_PROBABILITY = 1e-9


@dataclass(frozen=True, slots=True)
class Legal:
    """A legal text, its log-probability, and how many look-alikes were replaced to get it."""

    text: str
    log_probability: float
    replaced: int = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """The text as read with its probability 0 to 1, and the legal texts, likeliest first.

    `fits` says whether the text as read is legal itself or looks like one of the legal texts.
    """

    text: str
    legibility: float
    fits: bool
    legal: tuple[Legal, ...]


def rank(
    positions: Sequence[Position],
    constraint: Constraint | None,
    candidates: Sequence[Candidate] = (),
) -> Ranking:
    """Rank the legal texts; without a constraint every text is legal.

    Legal `candidates`, which an engine found by decoding under the constraint, are then the only
    legal texts. Their log-probabilities must be those of the unconstrained output; what the
    engine holds of a different, illegal text bounds them.
    """
    as_read = tuple(position[0] for position in positions)
    read_log = _log_product(glyph.probability for glyph in as_read)
    own = _claimants(as_read, constraint)[1]
    shares: dict[str, list[float]] = {}
    replacements: dict[str, int] = {}
    for log_probability, glyphs in likely_texts(positions):
        replaced, texts = _claimants(glyphs, constraint)
        for text in texts:
            shares.setdefault(text, []).append(log_probability - math.log(len(texts)))
            replacements[text] = min(replaced, replacements.get(text, replaced))
    totals = {text: _log_sum(parts) for text, parts in shares.items()}
    decoded = {
        candidate.text: candidate.log_probability
        for candidate in candidates
        if constraint is not None and constraint.accepts(candidate.text)
    }
    if decoded:
        left = _log(1.0 - math.exp(read_log))
        totals = {
            text: max(log if text in own else min(log, left), totals.get(text, -math.inf))
            for text, log in decoded.items()
        }
    ranked = sorted(totals.items(), key=lambda item: -item[1])
    return Ranking(
        text=_text(as_read),
        legibility=math.exp(read_log),
        fits=any(text in totals for text in own),
        legal=tuple(Legal(text, min(log, 0.0), replacements.get(text, 0)) for text, log in ranked),
    )


def confidence(transcript: Transcript) -> float:
    """The engine's probability, 0 to 1, of the whole text: its characters taken as independent."""
    return math.exp(_log_product(each.confidence for each in transcript.characters))


def likely_texts(
    positions: Sequence[Position], count: int = _LIKELY_TEXTS
) -> list[tuple[float, tuple[Glyph, ...]]]:
    """The engine's `count` likeliest texts with their log-probabilities, likeliest first.

    Positions are independent, so the best so far always extend the best before. Of equals the
    one with the characters as read comes first.
    """
    best: list[tuple[float, tuple[Glyph, ...]]] = [(0.0, ())]
    for position in positions:
        longer = (
            (log + _log(glyph.probability), (*glyphs, glyph))
            for log, glyphs in best
            for glyph in position
        )
        best = heapq.nlargest(count, longer, key=lambda item: item[0])
    return best


def _claimants(
    glyphs: Sequence[Glyph], constraint: Constraint | None
) -> tuple[int, tuple[str, ...]]:
    return (0, (_text(glyphs),)) if constraint is None else nearest_legal(glyphs, constraint)


def _text(glyphs: Sequence[Glyph]) -> str:
    return "".join(glyph.char for glyph in glyphs)


def _log_product(probabilities: Iterable[float]) -> float:
    return sum(map(_log, probabilities))


def _log(probability: float) -> float:
    return math.log(max(probability, _LEAST_PROBABILITY))


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs))
