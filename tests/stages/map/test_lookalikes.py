"""The legal texts nearest to a text: dynamic programming against trying everything."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats import compile_format
from stages.map.clean import Glyph
from stages.map.lookalikes import PAIRS, Lookalikes, nearest_legal, table

FORMATS = ["[A-Z]{2}\\d{2}", "\\d+", "[O0][IL1]*", "OB|08|0B8", "([A-Z]\\d){1,2}", "[IL]{3}"]
TWINS = table(PAIRS)


def _glyphs(text: str) -> tuple[Glyph, ...]:
    return tuple(Glyph(char, 0.9, frozenset(TWINS.get(char, ""))) for char in text)


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.text(alphabet="OB80I1L5Sx", max_size=4))
def test_nearest_legal_when_any_text_then_agrees_with_trying_all_replacements(pattern, text):
    constraint = compile_format(pattern)
    tried: dict[int, set[str]] = {}
    for chars in product(*(char + TWINS.get(char, "") for char in text)):
        if constraint.accepts("".join(chars)):
            replaced = sum(new != old for new, old in zip(chars, text, strict=True))
            tried.setdefault(replaced, set()).add("".join(chars))
    fewest = min(tried, default=0)
    replaced, texts = nearest_legal(_glyphs(text), constraint)
    assert replaced == fewest
    assert len(texts) == len(set(texts)) == min(8, len(tried.get(fewest, ())))
    assert set(texts) <= tried.get(fewest, set())


def test_nearest_legal_when_text_is_legal_then_only_itself():
    assert nearest_legal(_glyphs("OB"), compile_format("[A-Z0-9]{2}")) == (0, ("OB",))


def test_nearest_legal_when_two_replacements_tie_then_both():
    assert nearest_legal(_glyphs("1"), compile_format("[IL]")) == (1, ("I", "L"))


def test_nearest_legal_when_nothing_is_in_reach_then_none():
    assert nearest_legal(_glyphs("Q"), compile_format("\\d")) == (0, ())
    assert nearest_legal(_glyphs("O"), compile_format("\\d{2}")) == (0, ())


@pytest.mark.parametrize(
    ("char", "twins"), [("0", "Oo"), ("O", "0"), ("1", "iILl"), ("8", "B"), ("X", "")]
)
def test_table_when_looked_up_then_works_in_both_directions(char, twins):
    assert sorted(TWINS.get(char, "")) == sorted(twins)


def test_nearest_legal_when_segments_have_their_own_pairs_then_only_these_replace_there():
    constraint = compile_format(r"(?P<line>[A-Z]\d)(?P<number>\d{2})")
    own = Lookalikes(("O0",), (("line", ("S5",)),))
    permits = own.permitted(constraint, str)

    def nearest(text):
        twins = own.table()
        glyphs = tuple(Glyph(char, 0.9, frozenset(twins.get(char, "")), char) for char in text)
        return nearest_legal(glyphs, constraint, permits)

    assert nearest("KSO1") == (2, ("K501",))
    assert nearest("KO11") == (0, ())
    assert nearest("K1S1") == (0, ())
    assert nearest("51O1") == (2, ("S101",))
    assert Lookalikes(("O0",)).permitted(constraint, str) is None
