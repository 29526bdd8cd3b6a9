"""The shape of codes: what they have in common, and nothing more."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.proposing.shape import shape_of
from stages.map import MapOptions


@pytest.mark.parametrize(
    ("codes", "pattern"),
    [
        (["KX204817", "RA118350"], r"[A-Z]{2}\d{6}"),
        (["MW-2048-1175", "MW-1990-4402"], r"[A-Z]{2}-\d{4}-\d{4}"),
        (
            ["00481-2207", "12006-4471", "01730-0956-B", "00482-0013-A"],
            r"(\d{5}-\d{4}|\d{5}-\d{4}-[A-Z])",
        ),
        (["1A2", "12A", "AA1"], "[A-Z0-9]{3}"),
        (["A.1+", "B.2+"], r"[A-Z]\.\d\+"),
    ],
)
def test_shape_when_codes_share_one_then_is_their_format(codes: list[str], pattern: str) -> None:
    found = shape_of(codes)
    assert found is not None
    assert found.pattern == pattern
    assert found.codes == len(codes)


@pytest.mark.parametrize(
    "codes",
    [
        [],
        ["KX204817"],
        ["KX204817", "KX204817"],
        ["KX204817", "RA118350", "KX20481"],
        ["AB-1", "AB/1"],
        ["kx204817", "ra118350"],
        ["KX 1", "RA 2"],
    ],
)
def test_shape_when_codes_share_none_then_is_none(codes: list[str]) -> None:
    assert shape_of(codes) is None


@given(st.lists(st.text("AZ09-./+", min_size=1, max_size=12), min_size=2, max_size=12))
def test_shape_when_found_then_accepts_every_code_as_recipe_format(codes: list[str]) -> None:
    found = shape_of(codes)
    if found is not None:
        constraint = MapOptions(format=found.pattern).constraint
        for code in codes:
            assert re.fullmatch(found.pattern, code)
            assert constraint is not None and constraint.accepts(code)
