"""Codes that a person names, held against the rules of their field while a recipe loads."""

from __future__ import annotations

from collections.abc import Callable

from stages.map.clean import cleaner
from stages.map.options import MapOptions


def objections(options: MapOptions) -> Callable[[str], str | None]:
    """A function that says why a code can never be given out, in words; None where it may be."""
    clean = cleaner(options.strip, options.case)
    constraint, dates = options.constraint, options.date_checks

    def objection(code: str) -> str | None:
        if "".join(map(clean, code)) != code:
            return "can never be read: strip or case changes it; change either"
        if constraint is None:
            return None
        if not constraint.accepts(code):
            return "does not fit the field's format; change either"
        segments = constraint.segments(code) if dates else {}
        complaints = (each.complaint(segments, None) for each in dates)
        words = constraint.complaint(code) or next(filter(None, complaints), None)
        return f"cannot be a code: {words}; change either" if words else None

    return objection
