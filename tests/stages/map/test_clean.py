"""Strip and case, position by position, with the evidence that goes with them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map.clean import Glyph, cleaner, positions
from stages.map.lookalikes import PAIRS, table
from stages.records import Character, Transcript

CASES = st.sampled_from(["upper", "lower", "keep"])


@settings(deadline=None)
@given(st.characters(), st.text(max_size=5), CASES)
def test_cleaner_when_used_twice_then_changes_nothing_more(char, strip, case):
    clean = cleaner(strip, case)
    once = clean(char)
    assert len(once) <= 1
    assert once == "" or clean(once) == once


@pytest.mark.parametrize(
    ("char", "strip", "case", "expected"),
    [
        (" ", " ", "keep", ""),
        ("a", "", "upper", "A"),
        ("A", "", "lower", "a"),
        ("ß", "", "upper", "ß"),
        ("a", "A", "upper", ""),
        ("a", "a", "upper", ""),
        ("-", " ", "keep", "-"),
    ],
)
def test_cleaner_when_character_is_stripped_or_folded_then_as_expected(char, strip, case, expected):
    assert cleaner(strip, case)(char) == expected


def test_positions_when_characters_are_stripped_then_their_evidence_goes_too():
    transcript = Transcript("A B", tuple(Character(char, 0.9) for char in "A B"))
    found = positions(transcript, cleaner(" ", "keep"), {})
    assert found == ((Glyph("A", 0.9),), (Glyph("B", 0.9),))


def test_positions_when_alternative_differs_only_in_case_then_probabilities_add_up():
    transcript = Transcript("k", (Character("k", 0.5, None, "K", 0.4),))
    ((glyph,),) = positions(transcript, cleaner(" ", "upper"), {})
    assert glyph.char == "K"
    assert math.isclose(glyph.probability, 0.9)


def test_positions_when_case_is_folded_then_look_alikes_are_those_of_the_shape_read():
    transcript = Transcript("b", (Character("b", 0.9),))
    ((glyph,),) = positions(transcript, cleaner(" ", "upper"), table(PAIRS))
    assert (glyph.char, glyph.lookalikes) == ("B", frozenset("6"))


@pytest.mark.parametrize("alternative", [" ", "", "ab", None])
def test_positions_when_alternative_is_no_character_then_left_out(alternative):
    transcript = Transcript("A", (Character("A", 0.9, None, alternative, 0.1),))
    assert positions(transcript, cleaner(" ", "keep"), {}) == ((Glyph("A", 0.9),),)


@pytest.mark.parametrize(("given_value", "kept"), [(math.nan, 0.0), (-1.0, 0.0), (7.0, 1.0)])
def test_positions_when_confidence_is_no_probability_then_brought_into_range(given_value, kept):
    transcript = Transcript("A", (Character("A", given_value),))
    ((glyph,),) = positions(transcript, cleaner(" ", "keep"), {})
    assert glyph.probability == kept


def test_positions_when_evidence_does_not_fit_the_text_then_confidence_is_zero():
    transcript = Transcript("AB", (Character("A", 0.9),))
    found = positions(transcript, cleaner(" ", "keep"), {})
    assert found == ((Glyph("A", 0.0),), (Glyph("B", 0.0),))
