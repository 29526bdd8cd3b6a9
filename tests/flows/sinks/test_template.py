"""Templates: the fields of a row in the words of a device, and nothing more of the notation."""

from __future__ import annotations

import pytest
from brokers import make_row
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flows import vocabulary
from flows.sinks.template import Template, checked, fill, value_of

ROW = make_row(7, code="00123", match=None)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{code}\r\n", "00123\r\n"),
        ("{{{code}}}", "{00123}"),
        ("{seq:08d};{status:>6}", "00000007;  read"),
        ("{confidence:.2f}", "0.97"),
        ("{read_at}", "2026-11-20T12:00:00.123456Z"),
        ("{read_at:%Y%m%d}", "20261120"),
        ("<{match}{expected:>5}>", "<>"),
        ("{cord}", "[1.0,2.0,9.0,5.0]"),
        ("STATUS?", "STATUS?"),
    ],
)
def test_fill_when_given_a_row_then_says_its_values(template, said):
    assert fill(checked(template), ROW) == said


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{cod}", "a row has no field 'cod'"),
        ("{code", "expected '}'"),
        ("}", "{{ }}"),
        ("{}", "only be the name of a field"),
        ("{code.__class__}", "only be the name of a field"),
        ("{characters[0]}", "only be the name of a field"),
        ("{code!r}", "only be the name of a field"),
        ("{code:{seq}}", "only be the name of a field"),
        ("{seq:80000000000d}", "at most 1000 characters wide"),
        ("{read_at:%0999999999Y}", "at most 1000 characters wide"),
        ("{confidence:.\u0661\u0662\u0663\u0664\u0665f}", "at most 1000 characters wide"),
    ],
)
def test_template_when_it_is_none_then_says_why(template, complaint):
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Template).validate_python(template)
    assert complaint in str(refused.value)


def test_fill_when_the_format_does_not_suit_the_value_then_value_error():
    with pytest.raises(ValueError):
        fill(checked("{code:08d}"), ROW)


def test_value_of_when_one_field_then_keeps_its_type_and_else_is_text():
    assert value_of("{seq}", ROW) == 7
    assert value_of("{match}", ROW) is None
    assert value_of("{cord}", ROW) == ROW["cord"]
    assert value_of("{read_at}", ROW) == "2026-11-20T12:00:00.123456Z"
    assert value_of("no {seq}", ROW) == "no 7"


@given(st.text(st.characters(exclude_characters="{}")), st.sampled_from(vocabulary.NAMES))
def test_fill_when_text_surrounds_a_field_then_it_stays(text, name):
    template = f"{text}{{{name}}}{text}"
    said = fill(checked(template), ROW)
    assert said.startswith(text) and said.endswith(text)
