"""GS1 element strings, after the examples of the General Specifications."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from stages.formats import compile_format
from stages.map import MapOptions
from stages.map.elements import element_format

TAKEN = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("identifiers", "text", "legal"),
    [
        (("01", "17", "10"), "(01)09501101530003(17)270704(10)AB-123", True),
        (("01", "17", "10"), "(01)09501101530003(10)AB-123(17)270704", False),
        (("01", "17", "10"), "(01)9501101530003(17)270704(10)AB-123", False),
        (("01", "10?"), "(01)09501101530003", True),
        (("01", "10?"), "(01)09501101530003(10)A", True),
        (("00",), "(00)106141412345678908", True),
        (("3103",), "(3103)000750", True),
        (("37",), "(37)48", True),
        (("37",), "(37)123456789", False),
        (("253",), "(253)9501101530003", True),
        (("253",), "(253)9501101530003XY", True),
        (("21",), "(21)a_b/C", True),
        (("21",), "(21)a b", False),
    ],
)
def test_format_when_made_of_identifiers_then_takes_what_gs1_takes(identifiers, text, legal):
    assert compile_format(element_format(identifiers)).accepts(text) is legal


@pytest.mark.parametrize(
    "identifiers", [("05",), ("1",), ("01", "01"), ("ABC",), ("01", "10", "10?")]
)
def test_format_when_gs1_has_no_such_identifier_or_it_is_there_twice_then_refused(identifiers):
    with pytest.raises(ValidationError) as caught:
        MapOptions(gs1=identifiers)
    (error,) = caught.value.errors()
    assert error["loc"] == ("gs1",)


def test_every_identifier_of_the_table_when_compiled_then_has_a_format_or_says_why_not():
    from importlib.resources import files

    refused = 0
    for line in (files("stdnum") / "gs1_ai.dat").read_text().splitlines():
        name = line.split(" ")[0]
        if not name.isdigit():
            continue
        try:
            compile_format(element_format([name]))
        except ValueError as error:
            refused += 1
            assert "not supported" in str(error) or "no text" in str(error), error
    assert refused <= 3


def test_map_when_an_element_is_wrong_then_mismatch_says_which(reading, mapped):
    right = "(01)09501101530003(17)270704(10)AB-123"
    options = {"gs1": ["01", "17", "10"], "captured_at": TAKEN}
    (mark,) = mapped(reading(right, 0.999), **options)
    assert (mark.status, mark.code) == ("read", right)
    (mark,) = mapped(reading(right.replace("530003", "530004"), 0.999), **options)
    assert (mark.status, mark.code) == ("mismatch", None)
    assert mark.reason == "the check digit of '09501101530004' is wrong (gs1)"
    (mark,) = mapped(reading(right.replace("270704", "250704"), 0.999), **options)
    assert mark.status == "mismatch"
    assert "ai17 '250704' is 504 days before the picture was taken" in mark.reason


def test_map_when_case_is_folded_then_elements_are_in_that_case(reading, mapped):
    (mark,) = mapped(reading("(10)ab-1", 0.999), gs1=["10"], case="upper")
    assert (mark.status, mark.code) == ("read", "(10)AB-1")
