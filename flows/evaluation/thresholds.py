"""A field's threshold from labelled pictures: the curve of what is given out, a point on it.

A recipe's outcome in a picture changes only at the confidences of its readings, so it is mapped
anew at each of these, from what was read once: which line is taken, and whether it is the only one,
depends on the threshold too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flows.evaluation.intervals import LEVEL, clopper_pearson
from flows.evaluation.risk import Curve
from stages.records import Mark

MapAt = Callable[[float], tuple[Mark, ...]]
"""The marks of one field in one picture at a threshold."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What one picture gives out: below or at each of the rising `confidences`, down to the one
    before, that many codes, of which so many are `wrong`. Above the last nothing is given out."""

    confidences: tuple[float, ...]
    given: tuple[int, ...]
    wrong: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold, and what it gives out of `labels` labelled codes.

    `bound` is the share of false reads that is proven not to be exceeded, one-sided at 95 %
    (Clopper and Pearson); `coverage_interval` is two-sided.
    """

    threshold: float
    labels: int
    given: int
    wrong: int
    wish: float

    @property
    def bound(self) -> float:
        return upper_bound(self.wrong, self.given)

    @property
    def is_proven(self) -> bool:
        return self.bound <= self.wish

    @property
    def coverage(self) -> float:
        return min(1.0, self.given / self.labels)

    @property
    def coverage_interval(self) -> tuple[float, float]:
        return clopper_pearson(min(self.given, self.labels), self.labels)


def upper_bound(wrong: int, given: int) -> float:
    """The share of wrong ones that is not exceeded, at 95 %: about 3 / given where none was."""
    return clopper_pearson(wrong, given, 2 * LEVEL - 1)[1] if given else 1.0


def given_needed(wish: float) -> int:
    """The codes to be given out, none of them wrong, that prove a share of false reads."""
    return math.ceil(math.log(1 - LEVEL) / math.log1p(-wish))


def ladder(map_at: MapAt, confidences: Sequence[float], truths: frozenset[str]) -> Ladder:
    """What a picture gives out at every threshold; `confidences` are those of all its readings."""
    levels = sorted({each for each in confidences if each > 0})
    given, wrong = [], []
    for level in levels:
        codes = [mark.code for mark in map_at(level) if mark.code is not None]
        given.append(len(codes))
        wrong.append(sum(code not in truths for code in codes))
    return Ladder(tuple(levels), tuple(given), tuple(wrong))


def curve_of(ladders: Sequence[Ladder], labels: int) -> Curve:
    """The curve over every threshold at which some picture changes, of so many labelled codes."""
    levels = np.unique([each for one in ladders for each in one.confidences])
    given, wrong = np.zeros(len(levels), int), np.zeros(len(levels), int)
    for one in ladders:
        begin = 0
        for level, out, bad in zip(one.confidences, one.given, one.wrong, strict=True):
            end = int(np.searchsorted(levels, level)) + 1
            given[begin:end] += out
            wrong[begin:end] += bad
            begin = end
    some = given[::-1] > 0
    return Curve(labels, levels[::-1][some], given[::-1][some], wrong[::-1][some])


def at(curve: Curve, threshold: float, wish: float) -> Choice:
    """What a threshold gives out."""
    over = np.flatnonzero(curve.thresholds >= threshold)
    last = int(over[-1]) if len(over) else None
    given, wrong = (0, 0) if last is None else (int(curve.given[last]), int(curve.wrong[last]))
    return Choice(threshold, curve.pictures, given, wrong, wish)


def choose(curve: Curve, wish: float, present: float) -> Choice | None:
    """The threshold with the most codes given out at a share of false reads of at most `wish`.

    It is one at which the pictures prove the wish, if there is any. Elsewhere it is one at which
    they show it, and never lower than the present one: a lower one would rest on nothing. None
    where even the surest codes are wrong too often.
    """
    bounds = [upper_bound(int(w), int(g)) for g, w in zip(curve.given, curve.wrong, strict=True)]
    proven = np.flatnonzero(np.array(bounds) <= wish)
    shown = np.flatnonzero((curve.wrong <= wish * curve.given) & (curve.thresholds >= present))
    for found in (proven, shown):
        if len(found):
            best = int(found[np.argmax(curve.given[found])])
            return at(curve, _threshold(curve, best, present), wish)
    return None


def _threshold(curve: Curve, index: int, present: float) -> float:
    """The present threshold if it does the same; else the shortest number that does."""
    high = float(curve.thresholds[index])
    low = float(curve.thresholds[index + 1]) if index + 1 < len(curve.thresholds) else 0.0
    if low < present <= high:
        return present
    for digits in range(2, 17):
        short = math.floor(high * 10**digits) / 10**digits
        if low < short <= high:
            return short
    return high
