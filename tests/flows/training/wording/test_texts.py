"""What marks say: legal, varied, repeatable, and restrictable."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from flows.training.wording.texts import ALPHABET, MAX_LENGTH, Texts
from stages.formats import compile_format

COUNT = 4000


@pytest.fixture(scope="module")
def samples() -> list[str]:
    rng = np.random.default_rng(5)
    texts = Texts()
    return [texts.sample(rng) for _ in range(COUNT)]


def test_alphabet_when_counted_then_every_character_is_in_it_once() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) <= 95
    assert set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-./:+&()#,*% ") <= set(ALPHABET)


def test_sample_when_drawn_often_then_every_text_is_legal(samples: list[str]) -> None:
    for text in samples:
        assert set(text) <= set(ALPHABET), text
        assert len(text) <= MAX_LENGTH, text
        assert text == " ".join(text.split()), text


def test_sample_when_drawn_often_then_all_lengths_and_characters_occur(samples: list[str]) -> None:
    assert {len(text) for text in samples} == set(range(MAX_LENGTH + 1))
    assert set("".join(samples)) == set(ALPHABET)


def test_sample_when_drawn_often_then_the_shares_are_as_said(samples: list[str]) -> None:
    lengths = Counter(map(len, samples))
    assert 0.02 < lengths[0] / COUNT < 0.045
    assert sum(lengths[each] for each in range(4, 13)) / COUNT > 0.6
    assert 0.015 < lengths[1] / COUNT < 0.06
    digits = sum(char.isdigit() for text in samples for char in text)
    assert digits / sum(map(len, samples)) > 0.35


def test_sample_when_the_seed_is_the_same_then_the_texts_are_too() -> None:
    texts = Texts()
    first, second = (
        [texts.sample(rng) for _ in range(50)]
        for rng in (np.random.default_rng(9), np.random.default_rng(9))
    )
    assert first == second
    assert len(set(first)) > 40


def test_sample_when_the_alphabet_is_restricted_then_nothing_else_is_written() -> None:
    rng = np.random.default_rng(2)
    texts = Texts(alphabet="0123456789ABCDEF-")
    drawn = [texts.sample(rng) for _ in range(1000)]
    assert set("".join(drawn)) == set("0123456789ABCDEF-")


def test_sample_when_formats_are_given_then_all_of_them_and_only_they_occur() -> None:
    rng = np.random.default_rng(3)
    formats = [compile_format(r"[A-Z]{2}\d{4}"), compile_format(r"LOT \d{1,6}")]
    texts = Texts(formats=formats, blank=0.0)
    drawn = [texts.sample(rng) for _ in range(300)]
    assert all(sum(each.accepts(text) for each in formats) == 1 for text in drawn)
    assert all(any(each.accepts(text) for text in drawn) for each in formats)


@pytest.mark.parametrize("alphabet", ["01Ж", " ", ""])
def test_texts_when_the_alphabet_cannot_be_written_then_it_is_refused(alphabet: str) -> None:
    with pytest.raises(ValueError, match="alphabet"):
        Texts(alphabet=alphabet)


def test_texts_when_a_format_is_too_long_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 24 characters"):
        Texts(formats=[compile_format(r"\d{25}")])
