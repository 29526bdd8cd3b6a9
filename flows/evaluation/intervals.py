"""Confidence intervals of shares."""

from __future__ import annotations

import math
from collections.abc import Callable

LEVEL = 0.95
_HALVINGS = 60


def clopper_pearson(count: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of a share, `count` of `total` (Clopper and Pearson 1934, Biometrika 26).

    Its ends are the shares under which so many, or so few, have the probability (1 - level) / 2;
    with no observation it is the whole of 0 to 1.
    """
    if 2 * count > total:
        # the tail of the rarer kind has fewer terms
        low, high = clopper_pearson(total - count, total, level)
        return 1 - high, 1 - low
    tail = (1 - level) / 2
    lower, upper = 0.0, 1.0
    if count > 0:
        lower = _bisect(lambda share: 1 - _at_most(count - 1, total, share) < tail)
    if count < total:
        upper = _bisect(lambda share: _at_most(count, total, share) > tail)
    return lower, upper


def _bisect(below: Callable[[float], bool]) -> float:
    """Where a condition that holds from 0 on ceases to."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return (low + high) / 2


def _at_most(count: int, total: int, share: float) -> float:
    """The probability of at most `count` of `total`, by the binomial distribution."""
    if share <= 0 or share >= 1:
        return float(share <= 0 or count >= total)
    whole, yes, no = math.lgamma(total + 1), math.log(share), math.log1p(-share)
    return math.fsum(
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(total - k + 1) + k * yes + (total - k) * no
        )
        for k in range(count + 1)
    )
