"""A threshold from labelled pictures: production's own curve, and nothing unproven is lowered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluation.thresholds import at, choose, curve_of, given_needed, ladder, upper_bound
from stages.records import Mark


def picture_of(readings, truth):
    """The ladder of a picture in which the surest reading over the threshold is given out."""

    def marks(threshold):
        over = [each for each in readings if each[1] >= threshold]
        if not over:
            return (Mark("code", 1, "unsure"),)
        code, confidence = max(over, key=lambda each: len(each[0]))
        return (Mark("code", 1, "read", code=code, confidence=confidence),)

    return ladder(marks, [trust for _, trust in readings], frozenset([truth])), marks


READINGS = st.lists(
    st.tuples(st.sampled_from(["A", "AB", "ABC"]), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])),
    max_size=3,
)


@given(st.lists(READINGS, min_size=1, max_size=8), st.sampled_from([0.05, 0.3, 0.42, 0.9, 0.95]))
def test_curve_when_read_at_any_threshold_then_is_what_mapping_there_gives(
    pictures, threshold
) -> None:
    pairs = [picture_of(readings, "AB") for readings in pictures]
    found = at(curve_of([each for each, _ in pairs], len(pictures)), threshold, 0.1)
    codes = [mark.code for _, marks in pairs for mark in marks(threshold)]
    given_out = [code for code in codes if code is not None]
    assert found.given == len(given_out)
    assert found.wrong == sum(code != "AB" for code in given_out)


def test_bound_when_nothing_is_wrong_then_is_about_three_over_the_count() -> None:
    assert upper_bound(0, 1000) == pytest.approx(3 / 1000, rel=0.01)
    assert upper_bound(0, 0) == 1.0


@pytest.mark.parametrize("wish", [0.001, 0.01, 0.2])
def test_needed_when_given_out_without_a_false_one_then_just_proves_the_wish(wish) -> None:
    needed = given_needed(wish)
    assert upper_bound(0, needed) <= wish < upper_bound(0, needed - 1)


def curve(confidences, wrong):
    """Pictures with one reading each, of which those at the indices in `wrong` are false."""
    ladders = [
        picture_of([("A", trust)], "B" if index in wrong else "A")[0]
        for index, trust in enumerate(confidences)
    ]
    return curve_of(ladders, len(ladders))


def test_choice_when_the_labels_prove_the_wish_then_gives_out_the_most() -> None:
    trust = [0.4 + index / 10_000 for index in range(4000)]
    found = choose(curve(trust, wrong={0, 1, 2}), 0.001, present=0.8)
    assert found is not None and found.is_proven
    assert (found.given, found.wrong) == (3997, 0)
    assert 0.4002 < found.threshold <= 0.4003


def test_choice_when_labels_are_few_then_is_not_lower_than_the_present_threshold() -> None:
    found = choose(curve([0.5, 0.6, 0.7, 0.85, 0.9], wrong=set()), 0.001, present=0.8)
    assert found is not None and not found.is_proven
    assert (found.threshold, found.given) == (0.8, 2)


def test_choice_when_a_sure_reading_is_wrong_then_is_above_it() -> None:
    found = choose(curve([0.9, 0.93, 0.9567, 0.99], wrong={1}), 0.001, present=0.8)
    assert found is not None
    assert 0.93 < found.threshold <= 0.9567
    assert len(str(found.threshold)) == 4
    assert (found.given, found.wrong) == (2, 0)


def test_choice_when_the_surest_reading_is_wrong_then_there_is_none() -> None:
    assert choose(curve([0.9, 0.99], wrong={1}), 0.001, present=0.8) is None


def test_choice_when_nothing_is_read_then_there_is_none() -> None:
    assert choose(curve([], wrong=set()), 0.001, present=0.8) is None
