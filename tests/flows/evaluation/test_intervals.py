"""The interval of a share: known values, and the laws that make it exact."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluation.intervals import clopper_pearson


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [
        # with no event the upper end is 1 - (alpha / 2) ** (1 / n)
        (0, 10, (0.0, 1 - 0.025 ** (1 / 10))),
        (10, 10, (0.025 ** (1 / 10), 1.0)),
        # scipy 1.17: beta.ppf(0.025, k, n - k + 1), beta.ppf(0.975, k + 1, n - k)
        (5, 581, (0.00280003, 0.01996815)),
        (81, 263, (0.25273675, 0.36762192)),
        (9990, 10000, (0.99816174, 0.99952036)),
        (3000, 10000, (0.29102761, 0.30908900)),
        (0, 0, (0.0, 1.0)),
    ],
)
def test_interval_when_known_from_elsewhere_then_the_same(count, total, expected):
    assert clopper_pearson(count, total) == pytest.approx(expected, abs=1e-7)


COUNTS = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_interval_when_taken_then_holds_the_share_and_mirrors_its_complement(counts):
    count, total = counts
    low, high = clopper_pearson(count, total)

    assert 0 <= low <= count / total <= high <= 1
    assert clopper_pearson(total - count, total) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@given(COUNTS)
def test_interval_when_at_its_ends_then_each_tail_has_its_probability(counts):
    count, total = counts
    low, high = clopper_pearson(count, total)

    def at_most(most, share):
        return sum(
            math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(most + 1)
        )

    if count:
        assert 1 - at_most(count - 1, low) == pytest.approx(0.025, abs=1e-6)
    if count < total:
        assert at_most(count, high) == pytest.approx(0.025, abs=1e-6)
