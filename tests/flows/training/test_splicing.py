"""Splicing: where characters part, and that what is shown is what is said."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flows.training.crops import Crops
from flows.training.network import PAD, Network, Shape
from flows.training.splicing import ROWS, Piece, middles, pieces, spliced
from flows.training.wording.texts import MAX_LENGTH

WIDE = 12
"""Columns of a character of the crops below; each has the grey of its own code point."""


def painted(text: str) -> Piece:
    greys = np.repeat([float(ord(each)) for each in text], WIDE).astype(np.float32)
    cuts = tuple(WIDE * (at + 1) for at in range(len(text) - 1))
    return Piece(np.tile(greys, (ROWS, 1)), text, cuts)


def collapsed(path: tuple[int, ...]) -> list[int]:
    return [now for now, after in pairwise([*path, PAD]) if now not in (after, PAD)]


@given(seed=st.integers(0, 500), tokens=st.lists(st.integers(2, 4), min_size=1, max_size=3))
def test_middles_when_all_paths_are_tried_then_is_the_likeliest(seed: int, tokens: list[int]):
    logs = np.log(np.random.default_rng(seed).dirichlet(np.ones(5), 5))
    paths = [path for path in product(range(5), repeat=5) if collapsed(path) == tokens]
    found = middles(logs, tokens)
    if not paths:
        assert found.tolist() == pytest.approx(
            [(at + 0.5) / len(tokens) for at in range(len(tokens))]
        )
        return
    path = max(paths, key=lambda each: sum(logs[at, one] for at, one in enumerate(each)))
    runs = [[0]]
    for at in range(1, len(path)):
        if path[at] == path[at - 1]:
            runs[-1].append(at)
        else:
            runs.append([at])
    spelt = [run for run in runs if path[run[0]] != PAD]
    assert found.tolist() == pytest.approx([(np.mean(run) + 0.5) / 5 for run in spelt])


@given(
    seed=st.integers(0, 500),
    texts=st.lists(st.text("ADGKPTX", min_size=1, max_size=9), min_size=1, max_size=5),
    joins=st.integers(0, 4),
)
def test_spliced_when_drawn_then_each_character_stands_where_the_text_says(
    seed: int, texts: list[str], joins: int
):
    made = spliced(tuple(map(painted, texts)), joins, np.random.default_rng(seed))
    assert len(made.text) <= MAX_LENGTH
    assert len(made.cuts) == len(made.text) - 1
    bounds = [0, *made.cuts, made.picture.shape[1]]
    assert all(right - left == WIDE for left, right in pairwise(bounds))
    if joins == 0:
        assert made.text in texts
        middle = made.picture[0, WIDE // 2 :: WIDE]
        assert "".join(chr(round(grey)) for grey in middle) == made.text


def test_spliced_when_codes_share_a_beginning_then_it_stays():
    crops = tuple(painted(text) for text in ("KX1111", "KX2222", "KX3333"))
    made = [spliced(crops, 3, np.random.default_rng(seed)).text for seed in range(100)]
    assert all(text.startswith("KX") and len(text) == 6 for text in made)
    assert len(set(made)) > 20


def test_pieces_when_cut_then_between_the_characters():
    torch.manual_seed(1)
    crops = Crops(
        (np.full((30, 200), 90, np.uint8), np.full((90, 700), 90, np.uint8)), ("AB1", "7")
    )
    one, two = pieces(crops, Network(Shape()), torch.device("cpu"))
    assert one.picture.shape == (ROWS, 320)
    assert two.picture.shape == (ROWS, 373)
    assert len(one.cuts) == 2
    assert 0 <= one.cuts[0] <= one.cuts[1] < 320
    assert two.cuts == ()
