"""A calibration as a recogniser uses it: evidence, probability, and the file beside the weights."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.errors import PluginError
from stages.recognisers.calibration import (
    FEATURES,
    FILE,
    Calibration,
    Evidence,
    calibrated,
    evidence_of,
    features,
    load,
    sigmoid,
)
from stages.records import Character, Transcript

SHARES = st.floats(0, 1)
EVIDENCE = st.builds(
    Evidence,
    least=SHARES,
    product=SHARES,
    margin=st.floats(-20, 20),
    length=st.integers(1, 40),
    draft_agrees=st.sampled_from([None, True, False]),
)
WEIGHTS = st.tuples(*[st.floats(0, 3)] * 4, st.floats(-3, 3))


def calibration(weights=(0.5, 0.25, 0.1, 1.0, -0.2), bias=-0.5):
    return Calibration(
        features=FEATURES, weights=weights, bias=bias, model="m@1", fitted_on="made", pictures=9
    )


def transcript(*pairs):
    """(confidence, alternative's confidence or None) for each character."""
    characters = [
        Character("A", trust)
        if other is None
        else Character("A", trust, alternative="B", alternative_confidence=other)
        for trust, other in pairs
    ]
    return Transcript("A" * len(pairs), tuple(characters))


def test_evidence_when_summed_up_then_the_weakest_character_and_all_together():
    found = evidence_of(transcript((0.9, 0.05), (0.5, 0.25), (0.8, 0.001)), draft_agrees=True)

    assert found == Evidence(0.5, pytest.approx(0.36), pytest.approx(math.log(2)), 3, True)


def test_evidence_when_there_is_no_alternative_then_it_may_be_all_that_is_left():
    assert evidence_of(transcript((0.9, None))).margin == pytest.approx(math.log(9))


@pytest.mark.parametrize("trust", [0.0, 1.0, float("nan")])
def test_evidence_when_extreme_then_finite(trust):
    assert all(map(math.isfinite, features(evidence_of(transcript((trust, None), (1.0, 0.0))))))


def test_evidence_when_there_is_no_text_then_refused():
    with pytest.raises(ValueError, match="without text"):
        evidence_of(Transcript("", ()))


@given(WEIGHTS, st.floats(-50, 50), EVIDENCE)
def test_probability_when_anything_is_given_then_within_0_and_1(weights, bias, evidence):
    assert 0 <= calibration(weights, bias).probability(evidence) <= 1


@given(WEIGHTS, EVIDENCE, EVIDENCE, SHARES)
def test_probability_when_the_evidence_is_better_then_not_lower(weights, one, other, share):
    order = {False: -1, None: 0, True: 1}
    better = Evidence(
        max(one.least, other.least),
        max(one.product, other.product),
        max(one.margin, other.margin),
        one.length,
        max(one.draft_agrees, other.draft_agrees, key=order.__getitem__),
    )
    fitted = calibration(weights)

    assert fitted.probability(better) >= fitted.probability(one) - 1e-12


def test_probability_when_computed_then_the_logistic_of_the_weighted_features():
    evidence = Evidence(0.8, 0.6, 2.0, 5, False)
    score = -0.5 + 0.5 * math.log(4) + 0.25 * math.log(1.5) + 0.2 - 1.0 - 0.2 * math.log(5)

    assert calibration().probability(evidence) == pytest.approx(1 / (1 + math.exp(-score)))


@given(st.floats(-1e9, 1e9))
def test_sigmoid_when_far_out_then_no_overflow_and_mirrored(value):
    assert sigmoid(value) + sigmoid(-value) == pytest.approx(1)


def test_calibration_when_saved_then_loaded_the_same(tmp_path):
    calibration().save(tmp_path)

    assert load(tmp_path) == calibration()


def test_calibration_when_there_is_none_then_none(tmp_path):
    assert load(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": [-0.1, 0, 0, 0, 0]}, "a weight is negative"),
        ({"weights": [0.1]}, "one finite weight for each"),
        ({"features": ["least_logit"]}, "it uses the features least_logit"),
        ({"surprise": 1}, "Extra inputs"),
        ({"bias": None}, "valid number"),
    ],
)
def test_calibration_when_the_file_is_wrong_then_one_line_says_so(tmp_path, change, words):
    content = calibration().model_dump(mode="json") | change
    (tmp_path / FILE).write_text(json.dumps(content))

    with pytest.raises(PluginError, match=words) as caught:
        load(tmp_path)

    assert "\n" not in str(caught.value)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=24),
    st.floats(0.001, 0.999),
)
def test_calibrated_transcript_has_the_probability_as_its_product(chances, probability):
    given_ = Transcript(
        "x" * len(chances),
        tuple(Character("x", chance, None, "y", (1 - chance) / 2) for chance in chances),
    )
    moved = calibrated(given_, probability)
    after = [each.confidence for each in moved.characters]
    assert math.prod(after) == pytest.approx(probability, rel=1e-6)
    for one, two in zip(moved.characters, given_.characters, strict=True):
        assert 0 <= one.alternative_confidence <= 1 - one.confidence + 1e-12
        assert one.char == two.char
    order = sorted(range(len(chances)), key=chances.__getitem__)
    assert [after[at] for at in order] == sorted(after)
