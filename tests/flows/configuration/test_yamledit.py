"""One value set in a YAML file, and not one byte beside it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flows.configuration.yamledit import with_number
from stages.errors import ConfigError

LOC = ("fields", 0, "threshold")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# head\nfields:\n  - name: code # it\n    threshold: 0.8  # why\n    take: all\n",
            "# head\nfields:\n  - name: code # it\n    threshold: 0.93  # why\n    take: all\n",
        ),
        (
            "fields:\n  - name: code\n    map:\n      case: upper # x\n\n# end\nother: 1\n",
            "fields:\n  - name: code\n    map:\n      case: upper # x\n    threshold: 0.93\n"
            "\n# end\nother: 1\n",
        ),
        ("fields:\n- name: code", "fields:\n- name: code\n  threshold: 0.93\n"),
        ("fields: [{name: code}]\n", "fields: [{name: code, threshold: 0.93}]\n"),
        (
            "fields:\r\n  - name: code\r\n    take: all\r\n",
            "fields:\r\n  - name: code\r\n    take: all\r\n    threshold: 0.93\r\n",
        ),
        ("fields:\n  - {name: ä, threshold: .8}\n", "fields:\n  - {name: ä, threshold: 0.93}\n"),
        (
            "fields:\n  - name: |\n      code\n      too\nend: 1\n",
            "fields:\n  - name: |\n      code\n      too\n    threshold: 0.93\nend: 1\n",
        ),
        (
            "fields:\n  - name: code\n    map: {case: upper,\n      strip: ' '}\n",
            "fields:\n  - name: code\n    map: {case: upper,\n      strip: ' '}\n"
            "    threshold: 0.93\n",
        ),
    ],
)
def test_number_when_set_then_the_rest_stays_to_the_byte(before: str, after: str) -> None:
    assert with_number(before, LOC, 0.93) == after


def test_number_when_of_the_second_field_then_the_first_stays() -> None:
    text = "fields:\n  - name: a\n    threshold: 0.5\n  - name: b\n    threshold: 0.5\n"
    edited = with_number(text, ("fields", 1, "threshold"), 0.9)
    assert edited == "fields:\n  - name: a\n    threshold: 0.5\n  - name: b\n    threshold: 0.9\n"


@pytest.mark.parametrize(
    "text",
    [
        "other: 1\n",
        "",
        "fields: []\n",
        "fields: [name]\n",
        "a: &x {name: code, threshold: 0.8}\nfields: [*x]\n",
        "fields:\n  - &f\n    name: code\n  - *f\n",
    ],
)
def test_number_when_it_has_no_place_of_its_own_then_is_refused_with_the_line_to_write(
    text: str,
) -> None:
    with pytest.raises(ConfigError, match=r"set threshold: 0\.93"):
        with_number(text, LOC, 0.93)


@given(st.floats(0, 1), st.sampled_from(["threshold: 0.8\n    take: all", "take: all"]))
def test_number_when_set_then_is_read_back_as_it_was_given(number: float, rest: str) -> None:
    edited = with_number(f"fields:\n  - name: code\n    {rest}\n", LOC, number)
    assert yaml.safe_load(edited)["fields"][0]["threshold"] == number
