"""Strips: repeatable, of every style, readable at rest and looser with severity."""

from __future__ import annotations

import numpy as np
import pytest

from flows.training.drawing.layout import ASPECTS, CANVAS
from flows.training.drawing.strips import Strip, StripMaker, Style
from flows.training.drawing.styles import choose_style
from flows.training.material.fonts import FaceSet


class _Codes:
    def sample(self, rng: np.random.Generator) -> str:
        return "".join(map(str, rng.integers(0, 10, 8)))


@pytest.fixture(scope="module")
def maker(plain_faces: FaceSet) -> StripMaker:
    return StripMaker(plain_faces, _Codes())


def _strips(maker: StripMaker, text: str, severity: float, count: int = 150) -> list[Strip]:
    rng = np.random.default_rng(7)
    return [maker.strip(rng, text, severity) for _ in range(count)]


@pytest.mark.parametrize("style", list(Style))
@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_strip_when_any_style_then_the_mark_is_there(
    maker: StripMaker, style: Style, severity: float
) -> None:
    strip = maker.strip(np.random.default_rng(1), "12-4", severity, style)
    assert strip.style in (style, Style.PRINT)
    assert strip.ink.shape == strip.clutter.shape == CANVAS
    assert strip.ink.dtype == strip.clutter.dtype == np.uint8
    assert strip.ink.max() > 100
    assert strip.stroke > 0


def test_strip_when_seeded_alike_then_the_same_whatever_was_drawn_before(
    maker: StripMaker, plain_faces: FaceSet
) -> None:
    fresh = StripMaker(plain_faces, _Codes())
    for seed in range(30):
        one = maker.strip(np.random.default_rng(seed), "AB-123", 0.8)
        other = fresh.strip(np.random.default_rng(seed), "AB-123", 0.8)
        assert (one.ink == other.ink).all()
        assert (one.clutter == other.clutter).all()
        assert (one.aspect, one.style) == (other.aspect, other.style)


def test_strip_when_severity_is_nothing_then_centred_and_four_fifths_high(
    maker: StripMaker,
) -> None:
    for strip in _strips(maker, "HX 8420", 0.0, 60):
        assert strip.fill == pytest.approx(0.8)
        rows = np.flatnonzero(strip.ink.max(axis=1) > 100)
        assert 2 <= rows[0] <= 8
        assert CANVAS[0] - 9 <= rows[-1] <= CANVAS[0] - 3


def test_strip_when_severity_is_full_then_crops_are_loose_and_tight(maker: StripMaker) -> None:
    fills = np.array([strip.fill for strip in _strips(maker, "HX 8420", 1.0)])
    assert 0.2 < (fills < 0.6).mean() < 0.6
    assert fills.max() > 1.0
    assert fills.max() < 1.1
    assert fills.min() > 0.3


@pytest.mark.parametrize("text", [".", "8", "1234567890ABCDEFGHIJKLMNOPQR"])
def test_strip_when_text_is_short_or_long_then_the_aspect_stays_in_bounds(
    maker: StripMaker, text: str
) -> None:
    for strip in _strips(maker, text, 1.0, 30):
        assert ASPECTS[0] <= strip.aspect <= ASPECTS[1] + 1e-9


def test_strip_when_there_is_nothing_to_read_then_the_middle_has_no_line(
    maker: StripMaker,
) -> None:
    strips = _strips(maker, "", 0.6)
    assert all(strip.text == "" for strip in strips)
    assert any(strip.ink.any() for strip in strips)
    assert sum(strip.ink[20:28].any() for strip in strips) < len(strips) / 2


def test_strip_when_no_face_draws_the_text_then_an_error(maker: StripMaker) -> None:
    with pytest.raises(ValueError, match="no face draws"):
        maker.strip(np.random.default_rng(0), "中", 0.5)


def test_choose_style_when_the_text_is_a_sentence_then_never_a_display() -> None:
    rng = np.random.default_rng(0)
    assert Style.SEGMENTS not in {choose_style(rng, "Made in Malta, 2020!") for _ in range(300)}


def test_choose_style_when_the_text_is_digits_then_all_styles_come() -> None:
    rng = np.random.default_rng(0)
    assert {choose_style(rng, "12345") for _ in range(1500)} == set(Style)
