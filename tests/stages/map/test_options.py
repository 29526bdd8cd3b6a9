"""The map stage's options: what cannot work is refused while the recipe loads, at its key."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from stages.map import MapOptions
from stages.map.lookalikes import PAIRS, Lookalikes


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"format": "[A-Z"}, "format", "position 1"),
        ({"format": "A{3}", "length": 5}, "format", "no text of 5 characters"),
        ({"format": "A B"}, "format", "allows ' ', which strip removes"),
        ({"format": "[a-z]", "case": "upper"}, "format", "allows 'a', which case: upper changes"),
        ({"format": "("}, "format", "is not closed"),
        ({"length": 0}, "length", "of 1 to 64 characters"),
        ({"length": 65}, "length", "of 1 to 64 characters"),
        ({"length": [5, 3]}, "length", "of 1 to 64 characters"),
        ({"lookalikes": ["O"]}, "lookalikes", "is no pair"),
        ({"lookalikes": ["OO"]}, "lookalikes", "is no pair"),
        ({"min_margin": -1}, "min_margin", "greater than or equal to 0"),
        ({"min_margin": float("nan")}, "min_margin", "finite"),
        (
            {"length": 3, "strip": "".join(map(chr, range(32, 127)))},
            "format",
            "strip removes every",
        ),
        ({"formt": "A"}, "formt", "Extra inputs"),
        ({"lookalikes": ["O0", "0O"]}, "lookalikes", "works in both directions"),
        ({"lookalikes": ["-7"], "strip": "-"}, "lookalikes", "strip removes '-'"),
        (
            {"lookalikes": {"lot": ["O0"]}, "format": "[A-Z]"},
            "format",
            "no segment 'lot', it has none",
        ),
        ({"trim": {"anchor": "25", "position": -1}}, "trim", "ends after the code"),
        ({"trim": {"anchor": "a", "position": 1}, "case": "upper"}, "trim", "case: upper changes"),
        (
            {"trim": {"anchor": "X", "position": -2}, "format": r"\d{4}"},
            "format",
            "no code has 'X'",
        ),
        ({"trim": {"anchor": "1", "position": 5}, "format": r"\d{4}"}, "format", "at position 5"),
        ({"gs1": ["01"], "format": r"\d"}, "gs1", "leave out either"),
        ({"gs1": ["01"], "strip": " ("}, "gs1", "allows '(', which strip removes"),
        ({"gs1": ["01"], "length": 3}, "gs1", "no text of 3 characters"),
        ({"check_digits": [{"scheme": "luhn"}]}, "check_digits", "needs a format"),
        (
            {"check_digits": [{"scheme": "luhn", "over": ["n"]}], "format": r"(?P<m>\d)\d"},
            "check_digits",
            "no segment 'n', it has m",
        ),
        (
            {"check_digits": [{"scheme": "vin"}], "format": r"[A-Z0-9]{16}"},
            "check_digits",
            "no text of the format can have a check digit of vin, which is over 17 characters",
        ),
        ({"dates": [{"of": "d"}]}, "dates", "needs a format with a named segment"),
        (
            {"dates": [{"of": "d", "written": "YYMMDD"}], "format": r"(?P<d>\d{4})"},
            "dates",
            "can never be written YYMMDD",
        ),
    ],
)
def test_options_when_impossible_then_refused_at_their_key(options, key, message):
    with pytest.raises(ValidationError) as caught:
        MapOptions(**options)
    (error,) = caught.value.errors()
    assert error["loc"] == (key,)
    assert message in error["msg"]


def test_options_when_length_and_format_are_wrong_then_both_are_told():
    with pytest.raises(ValidationError) as caught:
        MapOptions(length=0, format="(")
    assert [error["loc"] for error in caught.value.errors()] == [("length",), ("format",)]


def test_constraint_when_neither_format_nor_length_then_none():
    assert MapOptions().constraint is None


def test_constraint_when_it_has_check_digits_then_they_are_asked_of_whole_texts():
    options = MapOptions(format=r"\d{4}", check_digits=[{"scheme": "luhn"}])
    assert options.constraint.accepts("1234")
    assert options.constraint.complaint("1234") == "the check digit of '1234' is wrong (luhn)"
    assert options.constraint.is_code("1230")
    assert pickle.loads(pickle.dumps(options.constraint)) == options.constraint


def test_trim_when_one_is_given_without_a_list_then_it_is_a_list_of_one():
    assert MapOptions(trim={"anchor": "25", "position": -11}).trim[0].anchor == "25"


def test_constraint_when_only_length_then_printable_ascii_that_strip_and_case_leave():
    constraint = MapOptions(strip=" -", case="upper", length=[2, 3]).constraint
    assert constraint.accepts("A~")
    assert constraint.accepts("A/1")
    for text in ("A", "A123", "A-1", "A 1", "a1", "Ä1"):
        assert not constraint.accepts(text)


def test_constraint_when_asked_twice_then_compiled_once():
    options = MapOptions(format=r"[A-Z]{2}\d{4}")
    assert options.constraint is options.constraint
    assert pickle.loads(pickle.dumps(options)).constraint == options.constraint


def test_constraint_when_options_are_copied_with_another_format_then_follows():
    options = MapOptions(format="A")
    assert options.model_copy(update={"format": "B"}).constraint.accepts("B")


def test_pairs_when_true_false_or_listed_then_the_ones_in_force():
    assert MapOptions().pairs == Lookalikes(PAIRS)
    assert MapOptions(lookalikes=False).pairs == Lookalikes(())
    assert MapOptions(lookalikes=["O0", "DO"]).pairs == Lookalikes(("O0", "DO"))
    by_segment = MapOptions(format=r"(?P<lot>[A-Z]\d)\d", lookalikes={"lot": ["O0"]}).pairs
    assert by_segment == Lookalikes(PAIRS, (("lot", ("O0",)),))


def test_options_when_shown_then_every_one_has_a_description():
    assert all(field.description for field in MapOptions.model_fields.values())
