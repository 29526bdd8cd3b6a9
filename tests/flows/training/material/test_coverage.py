"""Which characters a font draws: those that it lacks or draws twice the same do not count."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ImageFont

from flows.training.material.coverage import measure_coverage
from flows.training.wording.texts import ALPHABET


@pytest.fixture
def font(tmp_path: Path) -> Path:
    path = tmp_path / "mine.ttf"
    path.write_bytes(ImageFont.load_default(20).font_bytes)
    return path


def test_measure_coverage_when_the_font_is_plain_then_codes_are_covered(font: Path) -> None:
    assert measure_coverage(font) >= set("0123456789ABCXYZabcxyz-./ ")


def test_measure_coverage_when_a_glyph_is_missing_then_it_does_not_count(font: Path) -> None:
    lacking = set(ALPHABET) - measure_coverage(font)
    assert lacking
    drawn = ImageFont.truetype(str(font), 40)
    notdef = bytes(drawn.getmask("\U0010fffd"))
    assert notdef in {bytes(drawn.getmask(char)) for char in lacking}
