"""Trim until an anchor stands in its place: the original rule, and that nothing else is touched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map.clean import Glyph
from stages.map.lookalikes import PAIRS, table
from stages.map.trim import Anchor, trimmed

TWINS = table(PAIRS)


def _positions(text):
    return tuple((Glyph(char, 0.9, frozenset(TWINS.get(char, ""))),) for char in text)


def _text(positions):
    return "".join(position[0].char for position in positions)


@pytest.mark.parametrize(
    ("text", "anchor", "position", "left"),
    [
        ("TB260425KX0481523", "25", -11, "TB260425KX0481523"),
        ("TB260425KX0481523|I", "25", -11, "TB260425KX0481523"),
        ("I|KX2048", "KX", 1, "KX2048"),
        ("I|KX2048", "2", 3, "KX2048"),
        ("ABC", "X", 1, "ABC"),
        ("", "X", 1, ""),
        ("KX", "KX204", 1, "KX"),
        ("Z5KX", "25", 1, "Z5KX"),
        ("1Z5KX", "25", 1, "Z5KX"),
        ("Z525", "25", 1, "25"),
        ("25A", "A", -1, "25A"),
        ("25AB", "A", -1, "25A"),
    ],
)
def test_trim_when_the_anchor_is_found_then_as_few_as_possible_are_dropped(
    text, anchor, position, left
):
    if text.startswith("TB"):
        assert text[6:8] == "25"
    assert _text(trimmed(_positions(text), Anchor(anchor=anchor, position=position))) == left


@settings(deadline=None)
@given(st.text("AB25", max_size=12), st.text("AB25", min_size=1, max_size=3), st.integers(1, 12))
def test_trim_when_from_the_end_then_is_the_original_loop(text, anchor, back):
    if len(anchor) > back:
        return
    expected = text
    while len(expected) >= back and not expected[len(expected) - back :].startswith(anchor):
        expected = expected[:-1]
    if len(expected) < back:
        expected = text
    assert _text(trimmed(_positions(text), Anchor(anchor=anchor, position=-back))) == expected


def test_map_when_a_scratch_is_read_behind_a_code_then_it_is_trimmed(reading, mapped):
    code = "TB260425KX0481523"
    options = {"format": r"[A-Z]{2}\d{6}[A-Z]{2}\d{7}", "trim": {"anchor": "25", "position": -11}}
    (mark,) = mapped(reading(code + "/I", 0.995), **options)
    assert (mark.status, mark.code) == ("read", code)
    assert mark.reading.transcript.text == code + "/I"
