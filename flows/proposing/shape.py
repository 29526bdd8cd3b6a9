"""Codes -> the format that they share: what stands at each position, and how surely.

A position is a digit, a letter, or a literal that is neither; letters are never taken for literals,
for the next part may be of another product. A wrong format is worse than none, so it holds only
where enough different codes have the one shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

LEAST_KNOWN = 4
"""Different known codes from which on their shape is taken for the format."""
LEAST_READ = 5
"""The same, of codes that were only read."""

_EACH_SHAPE = 2
_MOST_SHAPES = 3
_DIGIT, _LETTER, _EITHER = r"\d", "[A-Z]", "[A-Z0-9]"


@dataclass(frozen=True, slots=True)
class Shape:
    """A format of `codes` different codes, of which each alternative has two at least."""

    pattern: str
    codes: int
    alternatives: int


def shape_of(codes: Iterable[str]) -> Shape | None:
    """The format that all the codes have, or None where they have none in common.

    Codes of up to three shapes, two different codes each, are alternatives; codes of one length in
    which letters and digits change places are letters or digits there.
    """
    different = sorted(set(filter(None, codes)))
    if len(different) < _EACH_SHAPE:
        return None
    if any(char.islower() or not char.isascii() or char.isspace() for char in "".join(different)):
        return None
    shapes = [tuple(map(_kind, code)) for code in different]
    counts = {
        shape: shapes.count(shape) for shape in sorted(set(shapes), key=lambda s: (len(s), s))
    }
    if len(counts) <= _MOST_SHAPES and min(counts.values()) >= _EACH_SHAPE:
        patterns = [_written(shape) for shape in counts]
        joined = patterns[0] if len(patterns) == 1 else f"({'|'.join(patterns)})"
        return Shape(joined, len(different), len(patterns))
    merged = _merged(shapes)
    return None if merged is None else Shape(_written(merged), len(different), 1)


def _kind(char: str) -> str:
    if char.isdigit():
        return _DIGIT
    return _LETTER if char.isalpha() else re.escape(char).replace(r"\-", "-")


def _merged(shapes: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    if len({len(shape) for shape in shapes}) > 1:
        return None
    kinds = [set(position) for position in zip(*shapes, strict=True)]
    if not all(len(each) == 1 or each <= {_DIGIT, _LETTER} for each in kinds):
        return None
    return tuple(each.pop() if len(each) == 1 else _EITHER for each in kinds)


def _written(shape: Sequence[str]) -> str:
    runs = [(kind, len(list(group))) for kind, group in groupby(shape)]
    return "".join(kind if count == 1 else f"{kind}{{{count}}}" for kind, count in runs)
