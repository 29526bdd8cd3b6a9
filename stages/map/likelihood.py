"""How probable each legal text is, given what the engine saw.

The engine's likeliest texts (64, from each position's character and alternative, taken as
independent) each give their probability to a legal text: to themselves where the format allows
them, otherwise to the legal texts that look the same with the fewest look-alikes replaced, in
equal shares. So a clear O where only digits may stand is a clear 0; where both may stand it stays
what was read; and a probability that no legal text can claim is the chance of a wrong mark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from stages.formats import Constraint
from stages.map.belief import unseen_share
from stages.map.clean import Glyph, Position
from stages.map.lexicon import Lexicon
from stages.map.lookalikes import NearestLegal, Permits
from stages.records import Candidate, Transcript

_LIKELY_TEXTS = 64
_LEAST_PROBABILITY = 1e-9
_LOG = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Legal:
    """A legal text, and how many look-alikes were replaced to get it.

    `log_probability` is the engine's own, before any format was imposed; `confidence`, 0 to 1, is
    the probability that the code is right, told that the mark follows the field's rules or else
    is wrong.
    """

    text: str
    log_probability: float
    replaced: int = 0
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Law:
    """What makes a text a code: its format, what else it must satisfy, and the codes there are.

    `complaint` says why a text of the format is no code; `permits` which look-alikes may replace
    what in which segment.
    """

    constraint: Constraint | None = None
    complaint: Callable[[str], str | None] = lambda text: None
    lexicon: Lexicon | None = None
    permits: Permits | None = None

    @property
    def is_restrictive(self) -> bool:
        """Whether some texts are no codes."""
        return self.constraint is not None or self.lexicon is not None

    def refuses(self, text: str) -> bool:
        """Whether a text of the format is no code."""
        unknown = self.lexicon is not None and text not in self.lexicon.known
        return unknown or self.complaint(text) is not None


@dataclass(frozen=True, slots=True)
class Ranking:
    """The text as read with its probability 0 to 1, and the legal texts, likeliest first.

    `fits` says whether the text as read is legal itself or looks like one of the legal texts;
    `refused` is the likeliest text of the format that is no code, where there is one.
    """

    text: str
    legibility: float
    fits: bool
    legal: tuple[Legal, ...]
    refused: str | None = None


def rank(positions: Sequence[Position], law: Law, candidates: Sequence[Candidate] = ()) -> Ranking:
    """Rank the legal texts; without a constraint or lexicon every text is legal.

    `candidates` are texts that an engine found by decoding under the constraint, cleaned as the
    positions are. Those of the format, and what the text as read stands for, are then the only
    legal texts. Their log-probabilities must be those of the unconstrained output; what the engine
    holds of a different, illegal text bounds them.
    """
    constraint = law.constraint
    as_read = tuple(position[0] for position in positions)
    read_log = _log_product(glyph.probability for glyph in as_read)
    claimants = _claimants(law)
    own = claimants(as_read)[1]
    shares: dict[str, list[float]] = {}
    replacements: dict[str, int] = {}
    for log_probability, glyphs in likely_texts(positions):
        replaced, texts = claimants(glyphs)
        for text in texts:
            shares.setdefault(text, []).append(log_probability - math.log(len(texts)))
            replacements[text] = min(replaced, replacements.get(text, replaced))
    totals = {text: _log_sum(parts) for text, parts in shares.items()}
    decoded = _decoded(candidates, constraint)
    if decoded:
        left = _log(1.0 - math.exp(read_log))
        kept = {text: totals[text] for text in own if text in totals}
        for text, log in decoded.items():
            bounded = log if text in own else min(log, left)
            kept[text] = max(bounded, totals.get(text, -math.inf))
        totals = kept
    if law.lexicon is not None:
        for text, log in law.lexicon.nearest(positions):
            if constraint is None or constraint.accepts(text):
                totals[text] = max(log, totals.get(text, -math.inf))
    ranked = sorted(totals.items(), key=lambda item: -item[1])
    legal = [(text, min(log, 0.0)) for text, log in ranked if not law.refuses(text)]
    known = {text for text, _ in legal}
    return Ranking(
        text=_text(as_read),
        legibility=math.exp(read_log),
        fits=any(text in known for text in own),
        legal=tuple(
            Legal(text, log, replacements.get(text, 0), chance)
            for (text, log), chance in zip(legal, _confidences(legal, law, as_read), strict=True)
        ),
        refused=next((text for text, _ in ranked if text not in known), None),
    )


def _decoded(candidates: Sequence[Candidate], constraint: Constraint | None) -> dict[str, float]:
    """The log-probability of each candidate of the format; those that became one text add up."""
    logs: dict[str, list[float]] = {}
    for candidate in candidates:
        if constraint is not None and constraint.accepts(candidate.text):
            logs.setdefault(candidate.text, []).append(candidate.log_probability)
    return {text: min(0.0, _log_sum(each)) for text, each in logs.items()}


def _confidences(
    legal: Sequence[tuple[str, float]], law: Law, as_read: Sequence[Glyph]
) -> list[float]:
    """The probability of each legal text, told how far the rules show what is none (Bayes)."""
    if not legal:
        return []
    total = math.fsum(math.exp(log) for _, log in legal)
    codes = law.lexicon.known if law.lexicon else ()
    doubts = [1.0 - glyph.probability for glyph in as_read]
    rest = max(0.0, 1.0 - total) * unseen_share(legal[0][0], law.constraint, codes, doubts)
    if total + rest == 0.0:
        return [0.0] * len(legal)
    return [math.exp(log) / (total + rest) for _, log in legal]


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
        logs = [(_log(glyph.probability), glyph) for glyph in position]
        longer = [(log + own, (*glyphs, glyph)) for log, glyphs in best for own, glyph in logs]
        # the sort is stable, so of equals the first stays first
        best = sorted(longer, key=_LOG, reverse=True)[:count]
    return best


def _claimants(law: Law) -> Callable[[Sequence[Glyph]], tuple[int, tuple[str, ...]]]:
    """From glyphs to the legal texts that they may stand for, and how many are replaced."""
    if law.constraint is None:
        return lambda glyphs: (0, (_text(glyphs),))
    return NearestLegal(law.constraint, law.permits)


def _text(glyphs: Sequence[Glyph]) -> str:
    return "".join(glyph.char for glyph in glyphs)


def _log_product(probabilities: Iterable[float]) -> float:
    return sum(map(_log, probabilities))


def _log(probability: float) -> float:
    return math.log(max(probability, _LEAST_PROBABILITY))


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs))
