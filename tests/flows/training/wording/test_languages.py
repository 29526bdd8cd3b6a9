"""Random texts of a format: accepted, of all lengths, of the characters asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.training.wording.grammars import GROUPS
from flows.training.wording.languages import LOOK_ALIKES, Language
from flows.training.wording.texts import ALPHABET
from stages.formats import compile_format

FORMATS = [each for group in GROUPS for each in group.formats]


@given(st.sampled_from(FORMATS), st.integers(0, 2**32))
def test_sample_when_of_any_format_then_the_format_accepts_it(pattern: str, seed: int) -> None:
    text = Language.of(pattern, ALPHABET).sample(np.random.default_rng(seed), look_alikes=0.5)
    assert compile_format(pattern).accepts(text)


def test_sample_when_lengths_vary_then_all_are_alike() -> None:
    rng = np.random.default_rng(4)
    language = Language.of(r"\d{3,6}", ALPHABET)
    lengths = [len(language.sample(rng)) for _ in range(2000)]
    shares = [lengths.count(each) / 2000 for each in (3, 4, 5, 6)]
    assert sum(shares) == 1
    assert all(0.2 < share < 0.3 for share in shares)


def test_sample_when_look_alikes_are_wanted_then_there_are_more_of_them() -> None:
    language = Language.of(r"[A-Z0-9]{20}", ALPHABET)

    def share(look_alikes: float) -> float:
        rng = np.random.default_rng(4)
        text = "".join(language.sample(rng, look_alikes) for _ in range(300))
        return sum(char in LOOK_ALIKES for char in text) / len(text)

    assert share(1.0) > share(0.0) + 0.1


def test_language_when_the_alphabet_lacks_a_character_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="alphabet"):
        Language.of(r"LOT\d{3}", "0123456789")


def test_language_when_a_branch_cannot_be_written_then_the_others_are() -> None:
    language = Language.of(r"(LOT|77)\d", "0123456789")
    assert language.sample(np.random.default_rng(0)).startswith("77")
