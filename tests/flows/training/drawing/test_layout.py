"""Crops: where a line lies, and what shares the page with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.training.drawing.layout import ASPECTS, CANVAS, Beside, Placing, crop_of, page_of, warped
from flows.training.drawing.lines import CAP, Line


def _block(width: int = 120, height: int = CAP) -> Line:
    return Line(np.full((height, width), 255, np.uint8), height, 4.0, np.zeros(0))


def _shown(line: Line, placing: Placing) -> np.ndarray:
    return warped(line.picture, (0, 0), crop_of(line, placing).ink)


def _extent(picture: np.ndarray) -> tuple[int, int, int, int]:
    """First and last row and column with more than half of the ink."""
    rows, columns = (
        np.flatnonzero(picture.max(axis=1) > 127),
        np.flatnonzero(picture.max(axis=0) > 127),
    )
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def test_crop_when_margins_are_given_then_the_line_lies_between_them() -> None:
    line, placing = _block(), Placing(top=0.25, bottom=0.75, left=0.5, right=0.5)
    crop = crop_of(line, placing)
    assert crop.fill == pytest.approx(0.5)
    assert crop.aspect == pytest.approx((120 + CAP) / (2 * CAP))
    top, bottom, left, right = _extent(_shown(line, placing))
    assert (top, bottom) == (6, 29)
    assert left == pytest.approx(CANVAS[1] / 8, abs=1)
    assert right == pytest.approx(CANVAS[1] * 7 / 8 - 1, abs=1)


def test_crop_when_margins_are_negative_then_the_line_is_cut() -> None:
    crop = crop_of(_block(), Placing(top=-0.04, bottom=-0.04))
    assert crop.fill == pytest.approx(1 / 0.92)
    assert _extent(_shown(_block(), Placing(top=-0.04, bottom=-0.04)))[:2] == (0, CANVAS[0] - 1)


@given(
    width=st.integers(4, 1400),
    angle=st.floats(-7, 7),
    shear=st.floats(-0.27, 0.27),
    stretch=st.floats(0.6, 1.6),
    margins=st.tuples(*[st.floats(0.0, 1.2)] * 4),
)
@settings(max_examples=60, deadline=None)
def test_crop_when_no_margin_is_negative_then_no_ink_is_lost(
    width: int, angle: float, shear: float, stretch: float, margins: tuple[float, ...]
) -> None:
    line = _block(width)
    placing = Placing(*margins, angle=angle, shear=shear, stretch=stretch)
    crop = crop_of(line, placing)
    assert ASPECTS[0] <= crop.aspect <= ASPECTS[1] + 1e-9
    shown = _shown(line, placing)
    wanted = abs(np.linalg.det(crop.ink[:, :2])) * line.picture.size
    assert shown.sum() / 255 == pytest.approx(wanted, rel=0.06, abs=60)


def test_crop_when_turned_then_natural_pixels_stay_square() -> None:
    crop = crop_of(_block(), Placing(angle=5.0))
    squeeze = CANVAS[1] / CANVAS[0] / crop.aspect
    turn = crop.natural[:, :2] / np.array([[squeeze], [1.0]]) / crop.scale
    assert turn @ turn.T == pytest.approx(np.eye(2), abs=1e-9)


def test_page_when_lines_intrude_then_they_lie_beyond_their_gaps() -> None:
    line = _block()
    beside = Beside(above=_block(200), below=_block(50), gaps=(7, 9, 0, 0), shifts=(-30, 10))
    page, (left, top) = page_of(line, beside)
    column = page[:, left + 20]
    assert column[top : top + CAP].min() == 255
    assert column[top - 7 : top].max() == 0
    assert column[:CAP].min() == 255
    assert column[top + CAP : top + CAP + 9].max() == 0
    assert column[-CAP:].min() == 255


def test_page_when_a_scrap_stands_right_then_it_shares_the_baseline() -> None:
    line, scrap = _block(), replace(_block(20, CAP + 10), baseline=CAP)
    page, (left, top) = page_of(line, Beside(right=scrap, gaps=(0, 0, 0, 40)))
    assert page[top, left + 120 + 40 :].min() == 255
    assert page[:, left + 120 : left + 160].max() == 0
