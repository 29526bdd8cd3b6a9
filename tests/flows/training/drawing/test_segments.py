"""Seven- and fourteen-segment displays."""

from __future__ import annotations

import numpy as np
import pytest

from flows.training.drawing.lines import CAP, Hand
from flows.training.drawing.segments import FOURTEEN, SEVEN, Display, SegmentWriter


@pytest.mark.parametrize("table", [SEVEN, FOURTEEN])
def test_table_when_characters_are_compared_then_no_two_light_the_same(
    table: dict[str, str],
) -> None:
    lit = [frozenset(names) for char, names in table.items() if char not in " .:"]
    assert len(lit) == len(set(lit))


@pytest.mark.parametrize("pointed", [True, False])
def test_write_when_eight_then_all_segments_are_lit(pointed: bool) -> None:
    writer = SegmentWriter(Display(gap=0.03, pointed=pointed), Hand(), unlit=True)
    line = writer.write(np.random.default_rng(0), "8")
    assert line.under is not None
    assert (line.picture == line.under).all()
    assert abs(line.picture.shape[0] - CAP) <= 3


def test_write_when_unlit_segments_show_then_they_surround_the_lit_ones() -> None:
    writer = SegmentWriter(Display(), Hand(), unlit=True)
    line = writer.write(np.random.default_rng(0), "1-")
    assert line.under is not None
    assert line.under.shape == line.picture.shape
    assert (line.under >= line.picture).all()
    assert int(line.under.sum()) > 2 * int(line.picture.sum())


def test_covers_when_letters_need_diagonals_then_only_fourteen_segments_do() -> None:
    assert Display().covers("12:30-")
    assert not Display().covers("K")
    assert Display(fourteen=True).covers("K9X-2")
