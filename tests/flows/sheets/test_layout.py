"""Blocks keep their pixels wherever they are put, and never overlap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flows.sheets import layout

BLOCKS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), max_size=12)


def blocks(sizes):
    return [Image.new("RGB", size, (number + 1, 0, 0)) for number, size in enumerate(sizes)]


def assert_all_there(sheet, sizes):
    reds = np.asarray(sheet)[..., 0]
    for number, (width, height) in enumerate(sizes):
        assert (reds == number + 1).sum() == width * height


@given(BLOCKS)
def test_column_and_row_when_laid_out_then_every_pixel_is_there(sizes):
    assert_all_there(layout.column(blocks(sizes)), sizes)
    assert_all_there(layout.row(blocks(sizes)), sizes)
    assert_all_there(layout.row(blocks(sizes), middle=True), sizes)


@given(BLOCKS, st.integers(1, 200))
def test_flowing_when_rows_are_full_then_it_goes_on_below_within_the_width(sizes, width):
    sheet = layout.flowing(blocks(sizes), width)
    assert_all_there(sheet, sizes)
    assert sheet.width <= max([width, *(size[0] for size in sizes)])


def test_frames_when_drawn_then_the_block_lies_whole_inside():
    for frame in (layout.framed, layout.edged):
        sheet = frame(Image.new("RGB", (90, 20), (1, 0, 0)), 200, (9, 9, 9))
        assert sheet.width == 200
        assert_all_there(sheet, [(90, 20)])
