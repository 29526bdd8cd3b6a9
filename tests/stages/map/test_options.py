"""The map stage's options: what cannot work is refused while the recipe loads, at its key."""

from __future__ import annotations

import pickle

import pytest
from pydantic import ValidationError

from stages.map import MapOptions
from stages.map.lookalikes import PAIRS


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
    assert MapOptions().pairs == PAIRS
    assert MapOptions(lookalikes=False).pairs == ()
    assert MapOptions(lookalikes=["O0", "DO"]).pairs == ("O0", "DO")


def test_options_when_shown_then_every_one_has_a_description():
    assert all(field.description for field in MapOptions.model_fields.values())
