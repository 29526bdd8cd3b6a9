"""Probabilities of legal texts, against trying every combination of what the engine saw."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats import compile_format
from stages.map.clean import Glyph
from stages.map.likelihood import Law, likely_texts, rank
from stages.map.lookalikes import PAIRS, nearest_legal, table
from stages.records import Candidate

TWINS = table(PAIRS)
ALPHABET = "OB80I1L6Qb"


def _glyph(char: str, probability: float) -> Glyph:
    return Glyph(char, probability, frozenset(TWINS.get(char, "")))


def _as_read(text: str, probability: float = 0.9) -> list[tuple[Glyph, ...]]:
    return [(_glyph(char, probability),) for char in text]


@st.composite
def positions(draw: st.DrawFn) -> tuple[Glyph, ...]:
    first, second = draw(st.lists(st.sampled_from(ALPHABET), min_size=2, max_size=2, unique=True))
    sure = draw(st.floats(0.5, 0.98))
    other = draw(st.floats(0.01, 1.0)) * (1.0 - sure)
    return (_glyph(first, sure), _glyph(second, other))[: draw(st.integers(1, 2))]


TEXTS = st.lists(positions(), min_size=1, max_size=4)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 20))
def test_likely_texts_when_any_evidence_then_agrees_with_trying_all(evidence, count):
    everything = sorted(
        (sum(math.log(glyph.probability) for glyph in glyphs) for glyphs in product(*evidence)),
        reverse=True,
    )
    found = likely_texts(evidence, count)
    assert [log for log, _ in found] == pytest.approx(everything[:count])
    assert len({glyphs for _, glyphs in found}) == len(found)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(["[A-Z]\\d*", "\\d+", "[IL]+", "[A-Z0-9]{2,3}", "OB|08|[IL]1"]))
def test_rank_when_any_evidence_then_agrees_with_sharing_every_text_out(evidence, pattern):
    constraint = compile_format(pattern)
    totals: dict[str, float] = {}
    for glyphs in product(*evidence):
        probability = math.prod(glyph.probability for glyph in glyphs)
        _, texts = nearest_legal(glyphs, constraint)
        for text in texts:
            totals[text] = totals.get(text, 0.0) + probability / len(texts)
    ranking = rank(evidence, Law(constraint))
    assert {legal.text: math.exp(legal.log_probability) for legal in ranking.legal} == (
        pytest.approx(totals)
    )
    logs = [legal.log_probability for legal in ranking.legal]
    assert logs == sorted(logs, reverse=True)
    assert sum(totals.values()) <= 1.0 + 1e-9


def test_rank_when_a_clear_look_alike_is_the_only_legal_one_then_takes_its_whole_probability():
    (best,) = rank(_as_read("O", 0.99), Law(compile_format("\\d"))).legal
    assert (best.text, best.replaced) == ("0", 1)
    assert math.exp(best.log_probability) == pytest.approx(0.99)


def test_rank_when_engine_hesitates_between_look_alikes_then_the_format_adds_them_up():
    evidence = [(_glyph("O", 0.55), _glyph("0", 0.4))]
    (best,) = rank(evidence, Law(compile_format("\\d"))).legal
    assert math.exp(best.log_probability) == pytest.approx(0.95)
    both = rank(evidence, Law(compile_format("[O0]"))).legal
    assert [math.exp(legal.log_probability) for legal in both] == pytest.approx([0.55, 0.4])


def test_rank_when_text_is_legal_then_a_legal_look_alike_gets_nothing():
    assert [legal.text for legal in rank(_as_read("OB"), Law(compile_format("OB|08"))).legal] == [
        "OB"
    ]


def test_rank_when_another_character_is_only_the_second_guess_then_gets_only_its_probability():
    ranking = rank([(_glyph("Q", 0.97), _glyph("9", 0.02))], Law(compile_format("\\d")))
    assert not ranking.fits
    assert math.exp(ranking.legal[0].log_probability) == pytest.approx(0.02)


def test_rank_when_engine_decoded_under_the_format_then_only_its_candidates_are_legal():
    candidates = (Candidate("KX2", -0.5), Candidate("KY2", -2.5), Candidate("ILLEGAL", -0.1))
    ranking = rank(_as_read("KXX2", 0.3), Law(compile_format("[A-Z]{2}\\d")), candidates)
    assert [(legal.text, legal.log_probability) for legal in ranking.legal] == [
        ("KX2", -0.5),
        ("KY2", -2.5),
    ]


def test_rank_when_a_candidate_contradicts_a_clear_text_then_it_is_bound_by_what_is_left():
    ranking = rank(_as_read("Q", 0.97), Law(compile_format("\\d")), (Candidate("9", 0.0),))
    assert not ranking.fits
    assert math.exp(ranking.legal[0].log_probability) == pytest.approx(0.03)


def test_rank_when_a_candidate_looks_like_the_text_then_it_keeps_the_text_s_probability():
    ranking = rank(_as_read("O", 0.97), Law(compile_format("\\d")), (Candidate("0", -6.0),))
    assert ranking.fits
    assert math.exp(ranking.legal[0].log_probability) == pytest.approx(0.97)


def test_rank_when_evidence_is_zero_then_logarithms_stay_finite():
    ranking = rank(_as_read("KX204B17" * 8, 0.0), Law(compile_format("[A-Z0-9]{64}")))
    assert math.isfinite(ranking.legal[0].log_probability)
    assert ranking.legibility == 0.0
