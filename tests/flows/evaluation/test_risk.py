"""Risk and coverage: thresholds, ties, pictures without text, and the intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.evaluation.predictions import Prediction
from flows.evaluation.risk import operating_points, risk_coverage


def predictions(*pairs):
    """(confidence, right) pairs; a confidence of None is a picture without text."""
    return [
        Prediction("one", "a", "A", "" if trust is None else "A" if right else "B", trust, 1.0)
        for trust, right in pairs
    ]


MANY = st.lists(st.tuples(st.none() | st.integers(0, 9).map(lambda n: n / 9), st.booleans()))


def test_curve_when_drawn_then_a_point_for_each_confidence_over_all_pictures():
    made = predictions((0.9, True), (0.8, False), (0.8, True), (0.5, True), (None, False))

    curve = risk_coverage(made)

    assert curve.thresholds.tolist() == [0.9, 0.8, 0.5]
    assert curve.coverage.tolist() == [1 / 5, 3 / 5, 4 / 5]
    assert curve.risk.tolist() == [0, 1 / 3, 1 / 4]


def test_curve_when_nothing_was_read_then_it_has_no_point():
    assert risk_coverage(predictions((None, False))).coverage.size == 0


@given(MANY.filter(len))
def test_curve_when_a_threshold_is_applied_then_counts_are_as_by_hand(pairs):
    made = predictions(*pairs)

    curve = risk_coverage(made)

    for threshold, many, wrong in zip(curve.thresholds, curve.given, curve.wrong, strict=True):
        out = [right for trust, right in pairs if trust is not None and trust >= threshold]
        assert (many, wrong) == (len(out), out.count(False))
    assert len(curve.thresholds) == len({trust for trust, _ in pairs if trust is not None})


@settings(max_examples=30)
@given(MANY.filter(len), st.sampled_from([0.0, 0.1, 0.5]))
def test_point_when_chosen_then_no_threshold_that_keeps_the_target_gives_more(pairs, target):
    made = predictions(*pairs)

    (point,) = operating_points(made, np.random.default_rng(1), [target])

    fitting = [0]
    for least in {trust for trust, _ in pairs if trust is not None}:
        out = [right for trust, right in pairs if trust is not None and trust >= least]
        if out.count(False) <= target * len(out):
            fitting.append(len(out))
    assert point.given == max(fitting)
    assert point.wrong <= target * point.given
    assert (point.threshold is None) == (point.given == 0)
    low, high = point.risk_interval
    assert low <= point.wrong / max(point.given, 1) <= high
    assert 0 <= point.coverage_interval[0] <= point.coverage_interval[1] <= 1


def test_point_when_a_later_stretch_is_clean_then_the_target_holds_again_further_down():
    made = predictions((0.99, False), *((0.9, True),) * 100, (0.1, False))

    one, none = operating_points(made, np.random.default_rng(1), [0.01, 0.001])

    assert (one.given, one.wrong, one.threshold) == (101, 1, 0.9)
    assert (none.given, none.threshold, none.coverage) == (0, None, 0)
    assert none.risk_interval == (0.0, 1.0)


def test_intervals_when_many_samples_are_drawn_then_they_hold_the_true_coverage_mostly():
    # confidence u is right with probability u: the risk of those over t is (1 - t) / 2
    target, truth, held = 0.1, 0.2, 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        trusts = rng.random(400)
        made = predictions(*((trust, rng.random() < trust) for trust in trusts))
        (point,) = operating_points(made, rng, [target])
        low, high = point.coverage_interval
        held += low <= truth <= high
        assert high - low < 0.4
    assert held >= 16


def test_points_when_drawn_with_the_same_seed_then_the_same():
    made = predictions((0.9, True), (0.8, False), (0.5, True), (None, False))
    first, second = (operating_points(made, np.random.default_rng(7)) for _ in range(2))

    assert first == second
    assert [each.target for each in first] == [0.01, 0.005, 0.001]
    assert first[0].coverage == pytest.approx(1 / 4)
