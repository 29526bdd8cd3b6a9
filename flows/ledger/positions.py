"""Where a sink stands in the log: a set of delivered ranges, and which range comes next.

Pure. A range (after, to] leaves `after` out and takes `to` in, like the names of Parquet parts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Intervals:
    """A set of whole numbers as disjoint, ordered, non-touching ranges (after, to]."""

    spans: tuple[Span, ...] = ()

    def union(self, other: Intervals) -> Intervals:
        """Both sets together."""
        merged: list[Span] = []
        for after, to in sorted(self.spans + other.spans):
            if merged and after <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], to))
            else:
                merged.append((after, to))
        return Intervals(tuple(merged))

    def minus(self, other: Intervals) -> Intervals:
        """What is in this set and not in the other."""
        left: list[Span] = []
        for after, to in self.spans:
            for begin, end in other.spans:
                if end <= after or begin >= to:
                    continue
                if begin > after:
                    left.append((after, begin))
                after = end
                if after >= to:
                    break
            if after < to:
                left.append((after, to))
        return Intervals(tuple(left))

    def has(self, number: int) -> bool:
        """Whether a number is in the set."""
        index = bisect_left(self.spans, number, key=lambda span: span[1])
        return index < len(self.spans) and self.spans[index][0] < number

    def gap(self, after: int, to: int) -> Span | None:
        """The first range within (after, to] that is not in the set; None when all of it is."""
        for begin, end in self.spans:
            if begin > after:
                return (after, min(begin, to)) if after < to else None
            after = max(after, end)
        return (after, to) if after < to else None

    def count(self, after: int = 0) -> int:
        """How many numbers above `after` are in the set."""
        return sum(to - max(begin, after) for begin, to in self.spans if to > after)


def intervals(numbers: Iterable[int]) -> Intervals:
    """The set of these numbers."""
    result: list[Span] = []
    for number in sorted(set(numbers)):
        if result and result[-1][1] == number - 1:
            result[-1] = (result[-1][0], number)
        else:
            result.append((number - 1, number))
    return Intervals(tuple(result))


@dataclass(frozen=True, slots=True)
class Position:
    """A sink's place in the log; everything up to `start` is none of its business."""

    start: int
    done: Intervals
    planned: Span | None = None
    cursor: Mapping[str, Any] | None = None

    def pending(self, head: int) -> int:
        """How many rows up to `head` are still to be delivered."""
        return max(0, head - self.start) - self.done.count(self.start)

    def floor(self, head: int) -> int:
        """Up to which row everything is settled here."""
        gap = self.done.gap(self.start, head)
        return head if gap is None else gap[0]

    def next_in_order(self, head: int) -> Span | None:
        """The range to offer next to a sink that takes rows strictly in order."""
        return self.planned or self.done.gap(self.start, head)

    def next_in_lanes(self, head: int, boundary: int) -> tuple[Span, bool] | None:
        """The range to offer next, and whether it is backlog: rows after `boundary` come first."""
        live = self.done.gap(max(self.start, boundary), head)
        if live is not None:
            return live, False
        backlog = self.done.gap(self.start, min(boundary, head))
        return (backlog, True) if backlog is not None else None
