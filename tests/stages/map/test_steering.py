"""What may be read before strip and case: exactly what becomes a code."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map import MapOptions
from stages.map.clean import cleaner

OPTIONS = st.builds(
    dict,
    strip=st.sampled_from(["", " ", " -"]),
    case=st.sampled_from(["upper", "lower", "keep"]),
    format=st.sampled_from([r"\d{2,3}", "(1|2)?3", r"\d(/\d)?"]),
)


@settings(deadline=None)
@given(OPTIONS, st.text("1234/ -aA", max_size=6))
def test_steering_when_any_text_then_takes_what_becomes_a_code(options, text):
    made = MapOptions(**options)
    clean = cleaner(made.strip, made.case)
    cleaned = "".join(map(clean, text))
    gone = [not clean(char) for char in text]
    apart = not (gone and (gone[0] or gone[-1])) and not any(
        one and two for one, two in pairwise(gone)
    )
    expected = made.constraint.accepts(cleaned) and (apart or not any(gone))
    assert made.steering.accepts(text) == expected


@pytest.mark.parametrize(
    ("text", "legal"), [("kx 204", True), ("K X204", True), ("KX204", True), ("KX  204", False)]
)
def test_steering_when_case_is_folded_then_both_cases_may_be_read(text, legal):
    options = MapOptions(format=r"[A-Z]{2}\d{3}", case="upper")
    assert options.steering.accepts(text) is legal


def test_steering_when_there_are_checks_then_they_are_asked_of_the_cleaned_text():
    options = MapOptions(
        format=r"(?P<a>[A-Z])(?P<n>\d{4})",
        case="upper",
        check_digits=[{"scheme": "luhn", "over": ["n"]}],
    )
    assert options.steering.is_code("k 1230")
    assert options.steering.complaint("k 1234") == "the check digit of '1234' is wrong (luhn)"
    assert options.steering.covered("k 1230") == {2, 3, 4, 5}
    assert pickle.loads(pickle.dumps(options.steering)) == options.steering
    assert options.steering != MapOptions(format=r"(?P<a>[A-Z])(?P<n>\d{4})").steering


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"format": r"\d{4}", "join": "line"},
        {"format": r"\d{4}", "join": "all"},
        {"format": r"\d{4}", "trim": {"anchor": "1", "position": 1}},
    ],
)
def test_steering_when_the_code_is_only_a_part_of_what_is_read_then_none(options):
    assert MapOptions(**options).steering is None
