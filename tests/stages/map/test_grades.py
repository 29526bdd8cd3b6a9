"""Steered confidences and grades: what is told of each character of a code."""

from __future__ import annotations

import pytest

from stages.map.grades import GRADES, grade

FORMAT = r"[A-Z]{2}\d{3}[A-Z]\d{2}"


def _told(mark, what):
    return [getattr(each, what) for each in mark.reading.transcript.characters]


def test_grades_when_no_code_is_expected_then_none(reading, mapped):
    (mark,) = mapped(reading("KX204B17"), format=FORMAT)
    assert _told(mark, "grade") == [None] * 8


def test_grades_when_a_code_is_expected_then_each_character_has_that_of_its_likelihood(
    reading, mapped
):
    confidences = [0.95, 0.8, 0.6, 0.3, 0.99, 0.1, 0.99, 0.99]
    (mark,) = mapped(reading("KX204B17", confidences), format=FORMAT, expected="KX204B17")
    assert _told(mark, "grade") == list("ABCDAFAA")


def test_grades_when_another_character_was_read_then_the_expected_one_is_graded(reading, mapped):
    evidence = reading("KX204E17", alternatives={5: ("B", 0.3)})
    (mark,) = mapped(evidence, format=FORMAT, expected="KX204B17", threshold=0.5)
    assert (mark.status, mark.match) == ("mismatch", False)
    assert _told(mark, "grade") == list("AAAAADAA")


def test_grades_when_a_character_is_missing_or_stripped_then_the_others_keep_theirs(
    reading, mapped
):
    (mark,) = mapped(reading("KX 204 B1"), expected="KX204B17")
    assert _told(mark, "grade") == ["A", "A", None, "A", "A", "A", None, "A", "A"]


@pytest.mark.parametrize("bound", range(len(GRADES)))
def test_grade_when_just_at_a_bound_then_the_better(bound):
    letter, least = GRADES[bound]
    assert grade(least) == letter
    assert grade(least - 1e-9) != letter
    assert grade(0.0) == "F"


def test_steered_when_there_is_no_format_then_none(reading, mapped):
    (mark,) = mapped(reading("KX204B17"))
    assert _told(mark, "steered_confidence") == [None] * 8


def test_steered_when_the_format_enforces_then_it_is_sure_and_the_evidence_stays(reading, mapped):
    evidence = reading("KX2O4B17", [0.99] * 3 + [0.6] + [0.99] * 4, {3: ("0", 0.35)})
    (mark,) = mapped(evidence, format=FORMAT)
    assert mark.candidate == "KX204B17"
    (enforced,) = [each for each in mark.reading.transcript.characters if each.char == "O"]
    assert enforced.steered_confidence == pytest.approx(1.0)
    assert (enforced.confidence, enforced.alternative) == (0.6, "0")


def test_steered_when_two_characters_are_legal_then_they_share_it(reading, mapped):
    evidence = reading("KX204B17", [0.99] * 5 + [0.6] + [0.99] * 2, {5: ("E", 0.3)})
    (mark,) = mapped(evidence, format=FORMAT)
    steered = _told(mark, "steered_confidence")
    assert steered[5] == pytest.approx(0.6 / 0.9)
    assert steered[0] == pytest.approx(1.0)
