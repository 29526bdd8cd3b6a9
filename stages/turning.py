"""Which way up a line is: read it both ways and weigh the readings.

Two transcripts of one line in, upright and turned by 180 degrees; one transcript out. No
classifier: those that were tried turned good seven-segment lines over. Many characters are others
upside down (0 8 6 9 H I N O S X Z), so what both ways claim lowers the confidence of either.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from stages.formats import Constraint
from stages.records import Candidate, Outline, Region, Transcript, Turned

_PRIOR_UPRIGHT: dict[Turned, float] = {"doubt": 0.95, "always": 0.5}
"""Lines of a camera that hangs upright are seldom on their head; a line that runs up or down the
picture has no way up at all."""

_DOUBTFUL = 0.8
"""The likelihood under which a line is read the other way too: a field's default threshold."""

_ILLEGAL = 0.02
"""The share of marks that do not follow their format: what a reading is worth that breaks it."""

_EVIDENCE = 3.0
"""How many times a nat between the readings counts for the way up: the slope of a logistic fit to
900 rendered lines, read both ways (3.3). The likelihoods are calibrated for upright lines; those of
a line on its head say too much."""

_LEAST = 1e-4


def turned_region(region: Region) -> Region:
    """The same line taken to stand on its head: the outline starts at the opposite corner."""
    one, two, three, four = region.outline
    outline: Outline = (three, four, one, two)
    crop = np.ascontiguousarray(region.crop[::-1, ::-1])
    crop.flags.writeable = False
    return replace(region, outline=outline, crop=crop)


def wants_turning(turned: Turned, transcript: Transcript, constraint: Constraint | None) -> bool:
    """Whether a line that was read as it lies must be read the other way too."""
    if turned == "doubt":
        return _likelihood(transcript, constraint) < _DOUBTFUL
    return turned == "always"


def settle(
    turned: Turned, upright: Transcript, over: Transcript, constraint: Constraint | None
) -> tuple[bool, Transcript]:
    """Whether the line stands on its head, and its transcript with what the other way claims.

    Bayes over the two ways, with how likely is what each reads as the evidence. The engine's
    probabilities are multiplied by that of the way; the legal strings of the other way join the
    candidates, so that `map` sees a second code that is nearly as likely.
    """
    prior = _PRIOR_UPRIGHT[turned]
    nats = math.log(_likelihood(upright, constraint) / _likelihood(over, constraint))
    chance = 1 / (1 + math.exp(-(math.log(prior / (1 - prior)) + _EVIDENCE * nats)))
    is_over = chance < 0.5
    best, other = (over, upright) if is_over else (upright, over)
    if not best.text or best.text == other.text:
        return is_over, best
    return is_over, _shared(best, other, max(chance, 1 - chance))


def _likelihood(transcript: Transcript, constraint: Constraint | None) -> float:
    """How likely it is that this way shows a mark: of the best legal string, under a format."""
    if not transcript.text:
        return _LEAST
    # What two engines make of a line on its head they choose from few texts: it looks too likely.
    as_read = transcript.probability if transcript.alone is None else transcript.alone
    if constraint is None or constraint.is_code(transcript.text):
        return max(as_read, _LEAST)
    # A search that found no legal text says that this is no mark of the format, not that it may be.
    legal = [math.exp(each.log_probability) for each in transcript.candidates]
    return max(*legal, _ILLEGAL * as_read, _LEAST)


def _shared(best: Transcript, other: Transcript, share: float) -> Transcript:
    """The best way's transcript, believed by `share`; the rest belongs to the other way's."""
    each = share ** (1 / len(best.characters))
    characters = tuple(
        replace(character, confidence=character.confidence * each) for character in best.characters
    )
    weighed = [(one, math.log(share)) for one in best.candidates]
    if best.candidates and share < 1:
        weighed += [(one, math.log(1 - share)) for one in other.candidates]
    logs: dict[str, list[float]] = {}
    for candidate, weight in weighed:
        logs.setdefault(candidate.text, []).append(candidate.log_probability + weight)
    candidates = [
        Candidate(text, float(np.logaddexp.reduce(parts))) for text, parts in logs.items()
    ]
    candidates.sort(key=lambda one: -one.log_probability)
    return replace(best, characters=characters, candidates=tuple(candidates))
