"""Pictures fit, keep their shape, and outlines lie where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from flows.sheets import pictures
from flows.sheets.ink import BLUE
from flows.sheets.pictures import Drawn


@pytest.mark.parametrize("shape", [(2000, 3000), (2000, 3000, 3), (10, 40), (1, 5000), (5000, 1)])
def test_fitted_when_any_size_then_it_fits_keeps_its_shape_and_is_rgb(shape):
    out = pictures.fitted(np.full(shape, 7, np.uint8), 600, 400)
    height, width, channels = out.shape
    assert channels == 3
    assert width <= 600
    assert height <= 400
    assert max(width / shape[1], height / shape[0]) <= 8
    if min(shape[:2]) > 5:
        assert width / height == pytest.approx(shape[1] / shape[0], rel=0.02)
    assert (out == 7).all()


def test_outlined_when_the_picture_is_reduced_then_the_outline_is_too():
    corners = np.array([[400.0, 200.0], [1200.0, 200.0], [1200.0, 600.0], [400.0, 600.0]])
    pixels = np.zeros((800, 1600), np.uint8)
    sheet = pictures.outlined(
        pixels, (1600, 800), [Drawn(corners, "", BLUE)], width=400, height=400
    )
    assert sheet.size == (400, 200)
    rows, columns = np.nonzero((np.asarray(sheet) == BLUE).all(axis=2))
    assert (columns.min(), columns.max()) == (pytest.approx(100, abs=2), pytest.approx(300, abs=2))
    assert (rows.min(), rows.max()) == (pytest.approx(50, abs=2), pytest.approx(150, abs=2))


def test_outlined_when_a_line_begins_in_the_corner_then_its_number_stays_on_the_picture():
    corners = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 20.0], [0.0, 20.0]])
    drawn = [Drawn(corners, "17", BLUE)]
    sheet = pictures.outlined(
        np.zeros((100, 100), np.uint8), (100, 100), drawn, width=300, height=300
    )
    corner = np.asarray(sheet)[2:28, 2:28]
    assert (corner == BLUE).all(axis=2).mean() > 0.3


def test_outlined_when_text_stands_on_its_head_then_its_number_does_not_cover_it():
    corners = np.array([[200.0, 150.0], [100.0, 150.0], [100.0, 100.0], [200.0, 100.0]])
    drawn = [Drawn(corners, "1", BLUE)]
    sheet = pictures.outlined(
        np.zeros((300, 300), np.uint8), (300, 300), drawn, width=300, height=300
    )
    assert (np.asarray(sheet)[106:144, 106:194] == 0).all()
