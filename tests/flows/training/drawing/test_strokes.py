"""The single-stroke alphabet."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from flows.training.drawing.lines import CAP, Hand
from flows.training.drawing.strokes import PATHS, Alphabet, StrokeWriter, covers


@pytest.mark.parametrize("radius", [0.0, 0.2, 0.5])
def test_write_when_any_two_characters_then_they_look_different(radius: float) -> None:
    writer = StrokeWriter(Alphabet(radius=radius), Hand(), tip=3.0)
    drawn = {char: writer.write(np.random.default_rng(0), char).picture for char in PATHS}
    for one, other in itertools.combinations(drawn, 2):
        first, second = drawn[one], drawn[other]
        if first.shape == second.shape:
            assert np.abs(first.astype(int) - second).sum() > 2000, (one, other)


def test_write_when_the_tip_is_wide_then_so_is_the_stroke() -> None:
    line = StrokeWriter(Alphabet(), Hand(), tip=6.0).write(np.random.default_rng(0), "I")
    assert line.stroke == 6.0
    assert abs(line.picture.shape[1] - 6) <= 3
    assert abs(line.picture.shape[0] - (CAP + 6)) <= 3


def test_paths_when_rounded_then_ends_stay_and_corners_go() -> None:
    sharp, round_ = Alphabet(radius=0.0).paths("U")[0], Alphabet(radius=0.4).paths("U")[0]
    assert (sharp[[0, -1]] == round_[[0, -1]]).all()
    corner = sharp[1]
    assert np.hypot(*(round_ - corner).T).min() > 1


def test_covers_when_there_is_no_path_then_false() -> None:
    assert covers("A1-/.")
    assert not covers("a")
