"""Letters: what the typeface lacks is escaped, and no line is too wide or loses a word."""

from __future__ import annotations

import string

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.sheets import ink


def test_writable_when_text_is_ascii_then_it_is_unchanged():
    text = string.ascii_letters + string.digits + string.punctuation + " "
    assert ink.writable(text) == text


def test_writable_when_the_typeface_lacks_a_character_then_it_is_escaped():
    assert ink.writable("Prüfung") == "Pr\\xfcfung"
    assert ink.writable("中\n\ud800") == "\\u4e2d\\n\\ud800"


@given(st.text(st.characters(codec="utf-8"), max_size=60), st.integers(40, 300))
def test_lines_when_text_is_broken_then_each_fits_and_only_spaces_are_lost(text, width):
    lines = ink.lines_of(text, 20, width)
    widest = max(ink.font(20).getlength(char) for char in ink.writable(text) or " ")
    assert all(ink.font(20).getlength(line) <= max(width, widest) for line in lines)
    kept = ink.writable(text.replace("\n", " ")).replace(" ", "")
    assert "".join(lines).replace(" ", "") == kept


def test_words_when_drawn_then_the_block_is_as_wide_as_they_are():
    block = ink.words("KX204817", 40, 1000)
    columns = np.flatnonzero((np.asarray(block) < 128).any(axis=(0, 2)))
    assert columns[0] < 8
    assert block.width - columns[-1] < 8
    assert (np.asarray(ink.words("   ", 20, 100)) == 255).all()


def test_status_when_a_mark_may_have_it_then_white_letters_on_its_colour_can_be_read():
    # WCAG 2.1, contrast of large text: at least 3 to 1
    def luminance(colour):
        parts = [c / 255 for c in colour]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    assert set(ink.STATUS) == {"read", "unsure", "mismatch", "unread", "failed"}
    assert len(set(ink.STATUS.values())) == 5
    for colour in (*ink.STATUS.values(), ink.BLUE, ink.FALSE):
        assert 1.05 / (luminance(colour) + 0.05) >= 3
