"""Fitting: what is recovered from data whose truth is known, and how reliability is measured."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.evaluation.calibration import fit, reliability
from stages.recognisers.calibration import (
    FEATURES,
    MONOTONE,
    Calibration,
    Evidence,
    features,
    sigmoid,
)


def drawn(rng, count):
    """Evidence of texts whose characters are about equally sure, and a draft."""
    found = []
    for _ in range(count):
        length = int(rng.integers(1, 20))
        chances = sigmoid_of(rng.normal(3.5, 1.5, length))
        margin = math.log(chances.min() / (1 - chances.min())) * rng.uniform(0.8, 1.2)
        agrees = bool(rng.random() < 0.8)
        found.append(Evidence(chances.min(), math.prod(chances), margin, length, agrees))
    return found


def sigmoid_of(values):
    return 1 / (1 + np.exp(-values))


def truths(rng, evidence, weights, bias):
    scores = [bias + np.dot(weights, features(each)) for each in evidence]
    return [bool(rng.random() < sigmoid(score)) for score in scores]


def fitted(evidence, right):
    return fit(evidence, right, model="m@1", fitted_on="made")


def test_fit_when_the_truth_is_a_logistic_then_it_is_recovered():
    rng = np.random.default_rng(1)
    evidence = drawn(rng, 8000)
    truth = Calibration(
        features=FEATURES,
        weights=(0.7, 0.3, 0.2, 0.8, -0.4),
        bias=-1.0,
        model="m@1",
        fitted_on="made",
        pictures=1,
    )

    found = fitted(evidence, truths(rng, evidence, truth.weights, truth.bias))

    gaps = [abs(found.probability(each) - truth.probability(each)) for each in drawn(rng, 500)]
    assert np.mean(gaps) < 0.01
    assert max(gaps) < 0.08
    assert found.weights[3] == pytest.approx(0.8, abs=0.1)
    assert found.pictures == 8000


def test_fit_when_checked_on_unseen_data_then_the_calibration_error_is_small():
    rng = np.random.default_rng(2)
    evidence = drawn(rng, 6000)
    right = truths(rng, evidence, (0.3, 0.0, 0.2, 1.0, 0.0), -2.0)

    found = fitted(evidence[:3000], right[:3000])

    chances = [found.probability(each) for each in evidence[3000:]]
    products = [each.product for each in evidence[3000:]]
    assert reliability(chances, right[3000:]).expected_error < 0.03
    assert reliability(products, right[3000:]).expected_error > 0.1


@settings(max_examples=20)
@given(st.integers(0, 1000), st.tuples(*[st.floats(-2, 2)] * len(FEATURES)))
def test_fit_when_evidence_misleads_then_no_monotone_weight_is_negative(seed, weights):
    rng = np.random.default_rng(seed)
    evidence = drawn(rng, 80)

    found = fitted(evidence, truths(rng, evidence, weights, 0.0))

    assert min(found.weights[:MONOTONE]) >= 0
    assert all(map(math.isfinite, found.weights))


def test_fit_when_a_bound_holds_then_the_rest_is_still_the_best():
    rng = np.random.default_rng(3)
    evidence = drawn(rng, 3000)
    # a draft that agrees with wrong texts: its weight would be negative
    right = truths(rng, evidence, (1.0, 0.0, 0.0, -1.5, 0.0), 0.0)
    without = [
        Evidence(each.least, each.product, each.margin, each.length, None) for each in evidence
    ]

    found, plain = fitted(evidence, right), fitted(without, right)

    assert found.weights[3] == 0
    assert found.weights == pytest.approx(plain.weights, abs=1e-4)
    assert found.bias == pytest.approx(plain.bias, abs=1e-4)


@pytest.mark.parametrize("answer", [True, False])
def test_fit_when_all_are_alike_then_nearly_but_not_quite_sure(answer):
    evidence = drawn(np.random.default_rng(4), 50)

    found = fitted(evidence, [answer] * 50)

    chances = [found.probability(each) for each in evidence]
    assert np.mean(chances) == pytest.approx(51 / 52 if answer else 1 / 52, abs=1e-6)


def test_fit_when_all_evidence_is_the_same_then_the_share_that_is_right():
    found = fitted([Evidence(0.9, 0.8, 2.0, 3)] * 100, [True] * 70 + [False] * 30)

    assert found.probability(Evidence(0.9, 0.8, 2.0, 3)) == pytest.approx(0.7, abs=0.01)


def test_fit_when_truths_are_missing_then_refused():
    with pytest.raises(ValueError, match="0 truths for 1 transcripts"):
        fitted([Evidence(0.9, 0.8, 2.0, 3)], [])


def test_reliability_when_half_as_sure_as_right_then_the_error_is_the_gap():
    found = reliability([0.25] * 40 + [0.75] * 40, [True, False] * 20 + [True] * 40, bins=2)

    assert [(each.count, each.probability, each.share) for each in found.bins] == [
        (40, 0.25, 0.5),
        (40, 0.75, 1.0),
    ]
    assert found.expected_error == pytest.approx(0.25)
    assert all(each.interval[0] <= each.share <= each.interval[1] for each in found.bins)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_reliability_when_binned_then_every_one_is_counted_and_bins_rise(pairs):
    found = reliability([chance for chance, _ in pairs], [right for _, right in pairs])

    assert sum(each.count for each in found.bins) == len(pairs)
    means = [each.probability for each in found.bins]
    assert means == pytest.approx(sorted(means))
    assert 0 <= found.expected_error <= 1


def test_reliability_when_there_is_nothing_then_no_bins():
    found = reliability([], [])

    assert found.bins == ()
    assert math.isnan(found.expected_error)
