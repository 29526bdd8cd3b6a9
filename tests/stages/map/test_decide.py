"""Statuses and the one-line reasons that a person on the line reads."""

from __future__ import annotations

import pytest

from stages.records import Candidate

FORMAT = r"[A-Z]{2}\d{3}[A-Z]\d{2}"


def test_mark_when_legal_and_sure_then_read(reading, mapped):
    (mark,) = mapped(reading("KX204B17"), format=FORMAT)
    assert (mark.status, mark.code, mark.candidate) == ("read", "KX204B17", "KX204B17")
    assert mark.reason is None
    assert mark.confidence == pytest.approx(0.99**8)
    assert mark.margin is None
    assert mark.match is None


def test_mark_when_look_alikes_are_forbidden_then_replaced_by_position(reading, mapped):
    (mark,) = mapped(reading("KX 2O4817"), format=FORMAT)
    assert (mark.status, mark.code) == ("read", "KX204B17")
    assert mark.reading.transcript.text == "KX 2O4817"


def test_mark_when_look_alikes_are_switched_off_then_mismatch(reading, mapped):
    (mark,) = mapped(reading("KX2O4B17"), format=FORMAT, lookalikes=False)
    assert (mark.status, mark.code, mark.candidate) == ("mismatch", None, "KX2O4B17")


def test_mark_when_lower_b_is_read_for_a_digit_then_it_is_a_six_even_in_upper_case(reading, mapped):
    (mark,) = mapped(reading("b"), format=r"\d", case="upper")
    assert mark.code == "6"


def test_mark_when_format_allows_both_look_alikes_then_the_one_read_wins(reading, mapped):
    (mark,) = mapped(reading("KO0"), format="[A-Z0-9]{3}")
    assert (mark.status, mark.code) == ("read", "KO0")


def test_mark_when_a_character_is_clear_and_illegal_then_mismatch_says_which(reading, mapped):
    (mark,) = mapped(reading("KXQ04B17", alternatives={2: ("9", 0.01)}), format=FORMAT)
    assert (mark.status, mark.code, mark.candidate) == ("mismatch", None, "KXQ04B17")
    assert mark.reason == "character 3 is 'Q', the format allows [0-9]"
    assert mark.margin is None


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("KX2", {"format": FORMAT}, "'KX2' has 3 characters, the format needs 8"),
        ("A", {"length": [3, 5]}, "'A' has 1 characters, the format needs 3 to 5"),
        ("KÄ", {"length": 2}, "character 2 is 'Ä', the format allows [!-~]"),
        ("AX", {"format": "AB"}, "character 2 is 'X', the format allows 'B'"),
        ("AAA", {"format": "AB|ABAB"}, "character 2 is 'A', the format allows 'B'"),
        ("ABA", {"format": "AB|ABAB"}, "'ABA' ends where the format needs 'B'"),
        ("AAX", {"format": "AA|BBBB"}, "character 3 is 'X', the format ends after 2"),
        ("X\nY", {"format": "ABC"}, "character 1 is 'X', the format allows 'A'"),
        ("\n\t!", {"format": "A"}, r"'\n\t!' has 3 characters, the format needs 1"),
    ],
)
def test_reason_when_text_does_not_fit_then_says_where(reading, mapped, text, options, reason):
    (mark,) = mapped(reading(text), **options)
    assert (mark.status, mark.reason) == ("mismatch", reason)


def test_mark_when_confidence_is_low_then_unsure_with_its_candidate(reading, mapped):
    (mark,) = mapped(reading("KX204B17", [0.99] * 7 + [0.42]), format=FORMAT, threshold=0.8)
    assert (mark.status, mark.code, mark.candidate) == ("unsure", None, "KX204B17")
    assert mark.reason == "confidence 0.39 is under the threshold 0.8"


def test_reason_when_confidence_is_just_under_then_is_not_rounded_up(reading, mapped):
    (mark,) = mapped(reading("A", 0.7999), threshold=0.8)
    assert mark.reason == "confidence 0.79 is under the threshold 0.8"


def test_mark_when_two_legal_texts_are_close_then_unsure_names_both(reading, mapped):
    evidence = reading(
        "KX204B17", alternatives={5: ("E", 0.4)}, confidence=[0.99] * 5 + [0.55, 1.0, 1.0]
    )
    (mark,) = mapped(evidence, format=FORMAT, threshold=0.5)
    assert (mark.status, mark.code, mark.candidate) == ("unsure", None, "KX204B17")
    assert mark.margin == pytest.approx(0.3185, abs=1e-3)
    assert mark.reason == (
        "'KX204B17' or 'KX204E17': too close (margin 0.31, at least 1 is needed)"
    )


def test_mark_when_margin_is_not_asked_for_then_the_better_is_read(reading, mapped):
    evidence = reading("B", 0.55, {0: ("E", 0.4)})
    (mark,) = mapped(evidence, format="[A-Z]", threshold=0.5, min_margin=0.0)
    assert (mark.status, mark.code) == ("read", "B")


def test_mark_when_one_look_alike_stands_for_two_legal_ones_then_unsure(reading, mapped):
    (mark,) = mapped(reading("1"), format="[IL]")
    assert (mark.status, mark.margin) == ("unsure", 0.0)


def test_mark_when_illegible_and_illegal_then_unsure_not_mismatch(reading, mapped):
    (mark,) = mapped(reading("KXQ04B17", 0.5), format=FORMAT)
    assert (mark.status, mark.candidate) == ("unsure", "KXQ04B17")
    assert mark.reason == (
        "confidence 0.00 is under the threshold 0.8, "
        "and character 3 is 'Q', the format allows [0-9]"
    )


def test_mark_when_code_is_the_expected_one_then_matches(reading, mapped):
    (mark,) = mapped(reading("KX204B17"), format=FORMAT, expected="KX204B17")
    assert (mark.status, mark.match, mark.expected) == ("read", True, "KX204B17")


def test_mark_when_code_is_not_the_expected_one_then_mismatch(reading, mapped):
    (mark,) = mapped(reading("KX204B17"), format=FORMAT, expected="KX204B18")
    assert (mark.status, mark.code, mark.match) == ("mismatch", None, False)
    assert mark.candidate == "KX204B17"
    assert mark.reason == "'KX204B17' is not the expected 'KX204B18'"


def test_mark_when_unsure_of_the_expected_code_then_stays_unsure(reading, mapped):
    (mark,) = mapped(reading("KX204B17", 0.5), format=FORMAT, expected="KX204B17")
    assert (mark.status, mark.code, mark.match) == ("unsure", None, True)


def test_mark_when_engine_decoded_under_the_format_then_its_best_is_taken(reading, mapped):
    candidates = (Candidate("KX204B17", -0.1), Candidate("KX204E17", -3.1))
    (mark,) = mapped(reading("KX204BB17", 0.6, candidates=candidates), format=FORMAT)
    assert (mark.status, mark.code) == ("read", "KX204B17")
    assert mark.margin == pytest.approx(3.0, abs=0.1)


def test_mark_when_a_candidate_hides_a_clear_illegal_text_then_mismatch(reading, mapped):
    (mark,) = mapped(reading("KXQ04B17", candidates=(Candidate("KX904B17", -0.01),)), format=FORMAT)
    assert (mark.status, mark.candidate) == ("mismatch", "KXQ04B17")


def test_reason_when_text_is_very_long_then_is_cut(reading, mapped):
    (mark,) = mapped(reading("A" * 500, 1.0), format="B")
    assert len(mark.reason) < 120
