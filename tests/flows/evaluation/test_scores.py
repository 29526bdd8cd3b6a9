"""Scores: what counts as right, how errors are counted, and what was taken for what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.evaluation.scores import Confusion, confusions, is_right, plain, score

TEXTS = st.text("AB01", max_size=8)


def test_plain_when_a_text_has_marks_and_lower_case_then_only_capitals_and_digits_are_left():
    assert plain("Lot: 47-11/ä b") == "LOT4711B"


def test_score_when_case_and_marks_differ_then_plain_is_right_and_written_is_not(prediction):
    found = score([prediction("AB-1", "ab 1"), prediction("C2", "C2")])

    assert (found.plain.exact, found.written.exact) == (1.0, 0.5)
    assert found.plain.character_error_rate == 0.0
    assert found.written.character_error_rate == 3 / 6


def test_score_when_characters_differ_then_errors_are_over_all_true_characters(prediction):
    found = score([prediction("ABCD", "ABXD"), prediction("12", "123"), prediction("99", "")])

    assert found.plain.exact == 0
    assert found.plain.character_error_rate == (1 + 1 + 2) / 8


def test_score_when_nothing_is_to_be_read_then_texts_are_false_and_there_is_no_rate(prediction):
    found = score([prediction("", "7"), prediction("", "")])

    assert (found.blanks, found.false_texts) == (2, 1)
    assert found.plain.exact == 0.5
    assert found.plain.character_error_rate is None


def test_score_when_times_differ_then_mean_and_95th_percentile_without_failures(prediction):
    times = [*range(1, 101), None]

    found = score([prediction("A", "A", ms=ms) for ms in times])

    assert found.ms_mean == pytest.approx(50.5)
    assert found.ms_p95 == pytest.approx(95.05)


def test_confusions_when_edits_differ_then_pairs_are_counted_and_the_frequent_come_first():
    found = confusions([("O1", "01"), ("OO", "00"), ("A7", "A"), ("5", "S5")])

    assert found == (
        Confusion("O", "0", 3),
        Confusion("", "S", 1),
        Confusion("7", "", 1),
    )


def test_score_when_no_reading_has_a_character_of_the_labels_then_it_is_told(prediction):
    found = score(
        [
            prediction("Ω-1Ω", "1"),
            prediction("ä b", "b"),
            prediction("A.1", "A.1"),
            prediction("C", ""),
        ]
    )

    assert found.never_read == (
        Confusion("Ω", "", 2),
        Confusion("-", "", 1),
        Confusion("ä", "", 1),
    )


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_confusions_when_counted_then_as_many_as_the_errors_of_the_rate(pairs):
    from flows.evaluation.predictions import Prediction

    found = score([Prediction("one", "a", truth, read, 0.5, 1.0) for truth, read in pairs])

    edits = sum(each.count for each in found.confusions)
    length = sum(len(truth) for truth, _ in pairs)
    assert found.plain.character_error_rate == (edits / length if length else None)


@given(TEXTS, TEXTS)
def test_is_right_when_scored_alone_then_agrees_with_the_share(truth, read):
    from flows.evaluation.predictions import Prediction

    one = Prediction("one", "a", truth, read, 0.5, 1.0)

    assert score([one]).plain.exact == is_right(one)
