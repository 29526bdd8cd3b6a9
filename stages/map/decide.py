"""One reading -> its mark: whether the code may be trusted, and if not, why, in one line.

The statuses follow Cognex OCRMax, whose results are Read, Confused, Mismatch and NotRead: `read`;
`unsure` where the evidence is weak or two legal texts are too close; `mismatch` where the text is
legible but is not this code. The confidence is the probability of the code, told what its format
shows (`stages/map/belief.py`); of the text as read, where no code is legal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stages.formats import character_set
from stages.map.clean import Position
from stages.map.grades import graded
from stages.map.likelihood import Law, Ranking, rank
from stages.records import Mark, Reading, Status

_SHOWN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Rules:
    """What a field asks of a code: the confidence 0 to 1 and the margin in nats.

    `clean` maps a character to its clean form, which is empty if it is stripped.
    """

    law: Law
    clean: Callable[[str], str]
    threshold: float
    min_margin: float
    expected: str | None


@dataclass(frozen=True, slots=True)
class Decision:
    """A mark, whether its candidate is legal, and how many look-alikes it was replaced by."""

    mark: Mark
    legal: bool
    replaced: int


def decide(
    reading: Reading, positions: Sequence[Position], rules: Rules, *, field: str, page: int
) -> Decision:
    """Decide on one reading that holds at least one cleaned position."""
    candidates = [
        replace(each, text="".join(map(rules.clean, each.text)))
        for each in reading.transcript.candidates
    ]
    ranking = rank(positions, rules.law, candidates)
    best = ranking.legal[0] if ranking.legal else None
    confidence = best.confidence if best else ranking.legibility
    margin = None
    if len(ranking.legal) > 1:
        margin = ranking.legal[0].log_probability - ranking.legal[1].log_probability

    status: Status
    if best is None or _is_another_text(ranking, confidence, rules.threshold):
        nearest = best
        best, margin, confidence = None, None, ranking.legibility
        status = "mismatch" if ranking.legibility >= rules.threshold else "unsure"
        reason = _why_illegal(positions, ranking, rules.law)
        if nearest is not None and rules.law.lexicon is not None:
            reason += f"; the nearest is {_quote(nearest.text)}"
        if status == "unsure":
            reason = f"{_why_weak(confidence, rules.threshold)}, and {reason}"
    elif margin is not None and margin < rules.min_margin:
        status = "unsure"
        first, second = (_quote(legal.text) for legal in ranking.legal[:2])
        reason = (
            f"{first} or {second}: too close (margin {_down(margin)}, "
            f"at least {rules.min_margin:g} is needed)"
        )
    elif best.replaced > max(1, len(best.text) // 2):
        # A word of look-alikes (SOLGAB) is no number, however clear each of its letters is.
        status = "unsure"
        reason = f"{_quote(ranking.text)} fits only with {best.replaced} look-alikes replaced"
    elif confidence < rules.threshold:
        status, reason = "unsure", _why_weak(confidence, rules.threshold)
    else:
        status, reason = "read", None
    candidate = best.text if best else ranking.text
    constrained = best is not None and rules.law.is_restrictive
    if status == "read" and rules.expected is not None and candidate != rules.expected:
        status = "mismatch"
        reason = f"{_quote(candidate)} is not the expected {_quote(rules.expected)}"
    mark = Mark(
        field=field,
        page=page,
        status=status,
        code=candidate if status == "read" else None,
        candidate=candidate,
        margin=margin,
        confidence=confidence,
        reason=reason,
        expected=rules.expected,
        match=None if rules.expected is None else candidate == rules.expected,
        reading=graded(reading, rules.clean, ranking.legal if constrained else (), rules.expected),
    )
    return Decision(mark, best is not None, best.replaced if best else 0)


def _is_another_text(ranking: Ranking, confidence: float, threshold: float) -> bool:
    """Whether the legal texts are only what a clear, different text would have to be bent to."""
    return not ranking.fits and confidence < threshold <= ranking.legibility


def _why_weak(confidence: float, threshold: float) -> str:
    return f"confidence {_down(confidence)} is under the threshold {threshold:g}"


def _why_illegal(positions: Sequence[Position], ranking: Ranking, law: Law) -> str:
    """Where the text as read leaves the format, or what else it does not satisfy."""
    text, constraint = ranking.text, law.constraint
    if ranking.refused is not None:
        refused = ranking.refused
        return law.complaint(refused) or f"{_quote(refused)} is not in the lexicon"
    if constraint is None:
        raise ValueError(f"{_quote(text)} is legal: there is neither format nor lexicon")
    least, most = constraint.min_length, constraint.max_length
    if not least <= len(text) <= most:
        needed = f"{least}" if least == most else f"{least} to {most}"
        return f"{_quote(text)} has {len(text)} characters, the format needs {needed}"
    states = {constraint.start}
    for index, position in enumerate(positions, 1):
        chars = {position[0].char, *position[0].lookalikes}
        following = {constraint.step(state, char) for state in states for char in chars} - {None}
        if not following:
            allowed = {char for state in states for char in constraint.allowed(state)}
            wanted = f"allows {_set(allowed)}" if allowed else f"ends after {index - 1}"
            return f"character {index} is {_quote(text[index - 1])}, the format {wanted}"
        states = following
    allowed = {char for state in states for char in constraint.allowed(state)}
    return f"{_quote(text)} ends where the format needs {_set(allowed)}"


def _set(chars: set[str]) -> str:
    return _quote(*chars) if len(chars) == 1 else character_set(chars)


def _quote(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 1] + "…")


def _down(value: float) -> str:
    # Rounded to nearest, 0.799 would be shown as 0.80 and "under the threshold 0.8".
    return f"{math.floor(value * 100) / 100:.2f}"
