"""Statuses and the one-line reasons that a person on the line reads."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from stages.formats import compile_format
from stages.map.belief import unseen_share
from stages.records import Candidate

FORMAT = r"[A-Z]{2}\d{3}[A-Z]\d{2}"


def test_mark_when_legal_and_sure_then_read(reading, mapped):
    (mark,) = mapped(reading("KX204B17"), format=FORMAT)
    assert (mark.status, mark.code, mark.candidate) == ("read", "KX204B17", "KX204B17")
    assert mark.reason is None
    share = unseen_share("KX204B17", compile_format(FORMAT))
    assert 0.05 < share < 1.0
    read = 0.99**8
    assert mark.confidence == pytest.approx(read / (read + share * (1 - read)))
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
    # an error in the last place would be another digit in one case of four
    share = 0.7 * 9 / 35
    read = 0.99**7 * 0.42
    doubts = [0.01] * 7 + [0.58]
    assert mark.confidence == pytest.approx(
        read / (read + unseen_share("KX204B17", compile_format(FORMAT), (), doubts) * (1 - read))
    )
    assert unseen_share("KX204B17", compile_format(FORMAT), (), doubts) < 1.2 * share
    assert mark.reason == "confidence 0.76 is under the threshold 0.8"


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


GTIN = {"format": r"\d{13}", "check_digits": [{"scheme": "gs1"}]}
RIGHT = "4006381333931"


def test_mark_when_the_check_digit_is_right_then_read(reading, mapped):
    (mark,) = mapped(reading(RIGHT), **GTIN)
    assert (mark.status, mark.code) == ("read", RIGHT)


def test_mark_when_a_clear_text_fails_its_check_digit_then_mismatch_and_nothing_is_replaced(
    reading, mapped
):
    (mark,) = mapped(reading("4006381333932", 0.999), **GTIN)
    assert (mark.status, mark.code, mark.candidate) == ("mismatch", None, "4006381333932")
    assert mark.reason == "the check digit of '4006381333932' is wrong (gs1)"


def test_mark_when_a_doubtful_character_settles_the_check_digit_then_the_right_code_is_read(
    reading, mapped
):
    confidences = [0.999] * 12 + [0.55]
    evidence = reading("4006381333937", confidences, {12: ("1", 0.42)})
    (mark,) = mapped(evidence, **GTIN)
    assert (mark.status, mark.code) == ("read", RIGHT)
    assert mark.reading.transcript.text == "4006381333937"
    last = mark.reading.transcript.characters[-1]
    assert (last.char, last.confidence, last.alternative) == ("7", 0.55, "1")


def test_mark_when_the_right_code_is_much_less_likely_than_what_was_read_then_not_read(
    reading, mapped
):
    confidences = [0.999] * 12 + [0.7]
    evidence = reading("4006381333937", confidences, {12: ("1", 0.05)})
    (mark,) = mapped(evidence, **GTIN)
    assert (mark.status, mark.code) == ("unsure", None)


@pytest.mark.parametrize(("sure", "status"), [(0.7, "read"), (0.5, "unsure")])
def test_mark_when_two_codes_pass_the_check_digit_then_the_margin_decides(
    reading, mapped, sure, status
):
    other = 0.95 - sure
    evidence = reading(RIGHT, [0.999] * 11 + [sure, sure], {11: ("4", other), 12: ("8", other)})
    (mark,) = mapped(evidence, **GTIN)
    assert (mark.status, mark.candidate) == (status, RIGHT)
    assert mark.margin == pytest.approx(2 * math.log(sure / other))
    assert status == "read" or f"'{RIGHT}' or '4006381333948': too close" in mark.reason


def test_mark_when_the_engine_found_codes_that_differ_in_case_or_spaces_then_they_add_up(
    reading, mapped
):
    candidates = (
        Candidate("kx 204b17", math.log(0.3)),
        Candidate("KX204B17", math.log(0.45)),
        Candidate("KX204E17", math.log(0.2)),
    )
    (mark,) = mapped(
        reading("KX204BB17", 0.7, candidates=candidates), format=FORMAT, case="upper", threshold=0.5
    )
    assert mark.candidate == "KX204B17"
    assert mark.margin == pytest.approx(math.log(0.75 / 0.2), abs=1e-6)


def test_mark_when_a_date_cannot_be_then_mismatch_says_why(reading, mapped):
    options = {"format": r"(?P<made>\d{6})K", "dates": [{"of": "made"}]}
    taken = datetime(2026, 11, 20, tzinfo=UTC)
    assert mapped(reading("261119K"), captured_at=taken, **options)[0].code == "261119K"
    (mark,) = mapped(reading("271119K", 0.999), captured_at=taken, **options)
    assert mark.status == "mismatch"
    assert mark.reason == ("made '271119' is 364 days after the picture was taken (2026-11-20)")
    assert mapped(reading("271119K"), **options)[0].code == "271119K"
