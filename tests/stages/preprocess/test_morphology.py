"""Erode lets the dark grow, dilate the bright; open and close give back what is large enough."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from stages.preprocess.morphology import (
    HatOptions,
    MorphologyOptions,
    black_hat,
    closing,
    dilate,
    erode,
    opening,
    top_hat,
)

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


SCENE = np.full((40, 60), 120, np.uint8)
SCENE[5:25, 5:25] = 220  # a bright square,
SCENE[10:13, 30:55] = 250  # a bright thread,
SCENE[28:30, 5:55] = 20  # and a dark one


def test_opening_when_a_thread_is_thinner_than_the_kernel_then_it_goes_and_the_rest_stays(frame_of):
    expected = SCENE.copy()
    expected[10:13, 30:55] = 120
    expected[28:30] = SCENE[28:30]
    result = opening(frame_of(SCENE), MorphologyOptions(kernel_px=5)).pixels
    assert np.array_equal(result, expected)


def test_closing_when_a_dark_thread_is_thin_then_it_goes_and_the_rest_stays(frame_of):
    expected = SCENE.copy()
    expected[28:30, 5:55] = 120
    result = closing(frame_of(SCENE), MorphologyOptions(kernel_px=5)).pixels
    assert np.array_equal(result, expected)


def test_opening_when_repeated_then_erodes_all_times_before_it_dilates(frame_of):
    # One opening with 3 pixels keeps a thread of 3; two iterations are one with 5.
    once, twice = (MorphologyOptions(kernel_px=3, iterations=n) for n in (1, 2))
    assert opening(frame_of(SCENE), once).pixels[11, 40] == 250
    assert opening(frame_of(SCENE), twice).pixels[11, 40] == 120


def test_top_hat_when_the_ground_is_uneven_then_only_thin_bright_strokes_are_left(frame_of):
    result = top_hat(frame_of(SCENE), HatOptions(kernel_px=9)).pixels
    assert result[11, 40] == 130
    assert result[15, 15] == result[35, 30] == result[28, 30] == 0


def test_black_hat_when_the_ground_is_uneven_then_only_thin_dark_strokes_are_left(frame_of):
    result = black_hat(frame_of(SCENE), HatOptions(kernel_px=9)).pixels
    assert result[28, 30] == 100
    assert result[15, 15] == result[35, 30] == result[11, 40] == 0


@pytest.mark.parametrize("options", [MorphologyOptions, HatOptions])
def test_kernel_when_it_has_no_middle_then_is_refused(options):
    with pytest.raises(ValidationError, match="use an odd number, 7 or 9"):
        options(kernel_px=8)


@pytest.mark.parametrize("typed", [{"kernel_px": 4}, {"iterations": 0}, {"iterations": 101}])
def test_morphology_options_when_they_make_no_sense_then_are_refused(typed):
    with pytest.raises(ValidationError):
        MorphologyOptions(**typed)
