"""The nearest of the known codes, and when it is near enough."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map.clean import Glyph
from stages.map.lexicon import Lexicon
from stages.map.lookalikes import PAIRS, table

TWINS = table(PAIRS)
CODES = ("KX204817", "KX204818", "AB100000", "ZZ999999")


def _positions(text, probability=0.9):
    return [(Glyph(char, probability, frozenset(TWINS.get(char, ""))),) for char in text]


@settings(deadline=None)
@given(st.sampled_from(CODES))
def test_nearest_when_a_known_code_is_read_then_it_is_first_with_its_own_probability(code):
    found = Lexicon.of(CODES).nearest(_positions(code))
    assert found[0][0] == code
    assert math.exp(found[0][1]) == pytest.approx(0.9 ** len(code))
    assert [log for _, log in found] == sorted((log for _, log in found), reverse=True)


def test_nearest_when_a_look_alike_was_read_then_it_costs_less_than_another_character():
    found = dict(Lexicon.of(CODES).nearest(_positions("KX2O4817")))
    assert found["KX204817"] > found["KX204818"]
    other = dict(Lexicon.of(CODES).nearest(_positions("KX2W4817")))
    assert found["KX204817"] > other["KX204817"] + 1


def test_nearest_when_a_character_is_lost_or_too_many_then_the_code_is_still_found():
    lexicon = Lexicon.of(CODES)
    assert lexicon.nearest(_positions("KX20417"))[0][0] in ("KX204817", "KX204818")
    assert lexicon.nearest(_positions("|AB100000"))[0][0] == "AB100000"


@settings(deadline=None)
@given(st.text("KXABZ0123", max_size=10), st.floats(0.1, 0.99))
def test_nearest_when_any_text_then_probabilities_are_such(text, probability):
    for code, log in Lexicon.of(CODES).nearest(_positions(text, probability)):
        assert code in CODES
        assert log <= 0.0
        assert math.isfinite(log)


def test_nearest_when_nothing_is_near_then_nothing():
    assert Lexicon.of(CODES).nearest(_positions("HELLO")) == []


def test_map_when_the_code_is_known_then_read(reading, mapped):
    (mark,) = mapped(reading("KX204817"), codes=CODES)
    assert (mark.status, mark.code) == ("read", "KX204817")


def test_map_when_an_unknown_code_is_clear_then_mismatch_names_the_nearest(reading, mapped):
    (mark,) = mapped(reading("AB100001", 0.999), codes=CODES)
    assert (mark.status, mark.code, mark.candidate) == ("mismatch", None, "AB100001")
    assert mark.reason == "'AB100001' is not in the lexicon; the nearest is 'AB100000'"


def test_map_when_a_doubtful_character_settles_it_then_the_known_code_is_read(reading, mapped):
    evidence = reading("AB10000Q", [0.99] * 7 + [0.55], {7: ("0", 0.4)})
    (mark,) = mapped(evidence, codes=CODES)
    assert (mark.status, mark.code) == ("read", "AB100000")


def test_map_when_two_known_codes_are_about_as_near_then_unsure_names_both(reading, mapped):
    evidence = reading("KX204817", [0.99] * 7 + [0.5], {7: ("8", 0.45)})
    (mark,) = mapped(evidence, codes=CODES)
    assert (mark.status, mark.code) == ("unsure", None)
    assert "'KX204817' or 'KX204818': too close" in mark.reason


def test_map_when_a_known_code_is_not_of_the_format_then_it_is_none(reading, mapped):
    (mark,) = mapped(reading("KX204817"), codes=CODES, format=r"AB\d{6}")
    assert mark.status == "mismatch"
