"""map: readings of a field -> its marks, each a decision about one code.

A text is cleaned (strip, case), joined and trimmed; the legal texts that it may stand for (by
format, check digits, dates, lexicon) are ranked by probability (look-alikes, alternatives, the
engine's own candidates), and the best is trusted or not.
`take: best` gives one mark for the field, `take: all` one for each reading that holds text; a
field without text gives one `unread` mark. Nothing else in markwatch decides about codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from stages.formats import Constraint
from stages.map.clean import Position, cleaner, positions
from stages.map.decide import Decision, Rules, decide
from stages.map.join import joined_lines, one_text, text_height, whole_lines
from stages.map.lexicon import Lexicon
from stages.map.likelihood import Law
from stages.map.options import Join, MapOptions
from stages.map.trim import trimmed
from stages.records import Mark, Reading

__all__ = ["Lexicon", "MapOptions", "map_readings"]


def map_readings(
    readings: Sequence[Reading],
    *,
    field: str,
    page: int,
    options: MapOptions,
    constraint: Constraint | None,
    threshold: float,
    take: Literal["best", "all"],
    expected: str | None,
    captured_at: datetime | None = None,
    lexicon: Lexicon | None = None,
) -> tuple[Mark, ...]:
    """Map one field's readings on one page to at least one mark, in reading order.

    `constraint` is `options.constraint`, compiled when the recipe was loaded, and `lexicon` what
    was read of `options.lexicon`. `threshold` is the least confidence, 0 to 1. `expected` is
    compared with the code as it is given, dates in the code with `captured_at`.
    With `best`, in this order: a trusted code, before one that needed look-alikes; a code that is
    not the expected one; a legal but doubtful one; a legible text that is no code; the rest.
    Among equals the highest confidence times the line's height wins; among texts that no format
    speaks for, the highest confidence times the number of characters. Where nothing is legal,
    neighbours on one line that are legal together count as one reading.
    """
    clean = cleaner(options.strip, options.case)
    lookalikes = options.pairs.table()
    law = _law(options, constraint, captured_at, lexicon)
    rules = Rules(law, clean, threshold, options.min_margin, expected)

    def decisions(group: Iterable[Reading]) -> list[Decision]:
        found = []
        for each in group:
            evidence = positions(each.transcript, clean, lookalikes)
            for anchor in options.trim:
                evidence = trimmed(evidence, anchor)
            if not _is_blank(evidence):
                found.append(decide(each, evidence, rules, field=field, page=page))
        return found

    found = decisions(_joined(readings, options.join))
    if not found:
        reason = "the text found is blank" if readings else "no text was found"
        match = None if expected is None else False
        return (Mark(field, page, "unread", reason=reason, expected=expected, match=match),)
    if take == "all":
        return tuple(decision.mark for decision in found)
    joined: list[Decision] = []
    if law.is_restrictive and options.join == "fitting":
        joined = [each for each in decisions(joined_lines(readings)) if each.legal]
    if not any(decision.legal for decision in found):
        found += joined
    best = max(found, key=lambda each: _preference(each, law))
    if not law.is_restrictive and expected is None:
        return (_the_only_one(best.mark, [each.mark for each in found]),)
    longer = next((each for each in joined if best.legal and _goes_on(best, each)), None)
    return (best.mark if longer is None else _doubted(best.mark, longer.mark),)


def _law(
    options: MapOptions,
    constraint: Constraint | None,
    captured_at: datetime | None,
    lexicon: Lexicon | None,
) -> Law:
    dates = options.date_checks

    def complaint(text: str) -> str | None:
        if constraint is None:
            return None
        if words := constraint.complaint(text):
            return words
        segments = constraint.segments(text) if dates else {}
        return next(filter(None, (each.complaint(segments, captured_at) for each in dates)), None)

    clean = cleaner(options.strip, options.case)
    permits = None if constraint is None else options.pairs.permitted(constraint, clean)
    return Law(constraint, complaint, lexicon, permits)


def _joined(readings: Sequence[Reading], join: Join) -> Sequence[Reading]:
    if not readings or join in ("fitting", "none"):
        return readings
    lines = whole_lines(readings)
    return lines if join == "line" else [one_text(lines)]


def _the_only_one(best: Mark, marks: Sequence[Mark]) -> Mark:
    """Without a format nothing tells the code from another line, so there may be only one."""
    trusted = [mark.candidate for mark in marks if mark.status == "read"]
    if best.status != "read" or len(trusted) == 1:
        return best
    lines = ", ".join(repr(text) for text in trusted[:3])
    reason = f"{len(trusted)} lines may be the code ({lines}): give the field a format"
    return replace(best, status="unsure", code=None, reason=reason)


def _goes_on(short: Decision, line: Decision) -> bool:
    """Whether a legal line holds another legal one and more text."""
    x1, y1, x2, y2 = short.mark.reading.box
    left, top, right, bottom = line.mark.reading.box
    inside = left <= x1 and top <= y1 and x2 <= right and y2 <= bottom
    return inside and len(line.mark.candidate) > len(short.mark.candidate)


def _doubted(mark: Mark, line: Mark) -> Mark:
    reason = f"{mark.candidate!r} or, with its neighbour, {line.candidate!r}: both fit the format"
    return replace(mark, status="unsure", code=None, reason=reason)


def _is_blank(evidence: Sequence[Position]) -> bool:
    return all(position[0].char.isspace() for position in evidence)


def _preference(decision: Decision, law: Law) -> tuple[int, bool, float]:
    mark = decision.mark
    order = [("read", True), ("mismatch", True), ("unsure", True), ("mismatch", False)]
    kind = (mark.status, decision.legal)
    rank = order.index(kind) if kind in order else len(order)
    has_format = law.is_restrictive and decision.legal
    size = text_height(mark.reading) if has_format else len(mark.candidate)
    return -rank, decision.replaced == 0, mark.confidence * size
