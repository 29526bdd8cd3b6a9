"""Erode lets the dark grow, dilate the bright, and neither moves anything."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from stages.preprocess.morphology import MorphologyOptions, dilate, erode

DARK_DOT = np.full((21, 21), 200, np.uint8)
DARK_DOT[10, 10] = 30


def test_erode_when_run_twice_with_5_pixels_then_a_dark_dot_grows_to_9(frame_of):
    result = erode(frame_of(DARK_DOT), MorphologyOptions(kernel_px=5, iterations=2)).pixels
    rows, columns = np.nonzero(result == 30)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 14, 6, 14)
    assert len(rows) == 81


def test_dilate_when_a_dark_dot_is_small_then_it_vanishes(frame_of):
    assert (dilate(frame_of(DARK_DOT), MorphologyOptions()).pixels == 200).all()


def test_dilate_when_the_picture_is_inverted_then_is_the_inverse_of_erode(frame_of):
    colour = np.random.default_rng(1).integers(0, 256, (12, 15, 3), dtype=np.uint8)
    options = MorphologyOptions(kernel_px=3, iterations=2)
    inverse = 255 - dilate(frame_of(255 - colour), options).pixels
    assert np.array_equal(erode(frame_of(colour), options).pixels, inverse)


@pytest.mark.parametrize("typed", [{"kernel_px": 4}, {"iterations": 0}, {"iterations": 101}])
def test_morphology_options_when_they_make_no_sense_then_are_refused(typed):
    with pytest.raises(ValidationError):
        MorphologyOptions(**typed)
