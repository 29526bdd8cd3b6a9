"""Blur and bilateral filter: smooth where they should, sharp where they should."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from stages.preprocess.filters import BilateralOptions, BlurOptions, bilateral, blur

STEP = np.full((40, 60), 60, np.uint8)
STEP[:, 30:] = 190
NOISE = np.random.default_rng(5).integers(-12, 13, STEP.shape)
NOISY = (STEP + NOISE).astype(np.uint8)


def test_blur_when_a_dot_is_blurred_then_it_spreads_evenly_within_the_kernel(frame_of):
    dot = np.zeros((31, 31), np.uint8)
    dot[15, 15] = 255
    result = blur(frame_of(dot), BlurOptions(kernel_px=7)).pixels
    rows, columns = np.nonzero(result)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (12, 18, 12, 18)
    assert np.array_equal(result, result[::-1, ::-1])
    assert np.array_equal(result, result.T)


def test_blur_when_the_kernel_is_one_pixel_then_nothing_changes(frame_of):
    assert np.array_equal(blur(frame_of(NOISY), BlurOptions(kernel_px=1)).pixels, NOISY)


def test_bilateral_when_an_edge_is_noisy_then_smooths_the_sides_and_keeps_the_edge(frame_of):
    options = BilateralOptions(diameter_px=9, sigma_colour=50, sigma_space_px=50)
    result = bilateral(frame_of(NOISY), options).pixels.astype(int)
    assert result[:, :25].std() < NOISY[:, :25].std() / 3
    assert (result[:, 30] - result[:, 29]).min() > 90


@pytest.mark.parametrize("make", [blur, bilateral])
def test_filters_when_the_picture_is_one_pixel_then_it_stays(frame_of, make):
    options = BlurOptions(kernel_px=15) if make is blur else BilateralOptions(diameter_px=15)
    assert make(frame_of([[7]]), options).pixels.tolist() == [[7]]


@pytest.mark.parametrize(
    ("size", "message"),
    [(14, "use an odd number, 13 or 15"), (2, "1 or 3"), (0, "greater than or equal to 1")],
)
def test_kernel_when_it_has_no_middle_then_is_refused_with_the_nearest_sizes(size, message):
    with pytest.raises(ValidationError, match=message):
        BlurOptions(kernel_px=size)
    with pytest.raises(ValidationError, match=message):
        BilateralOptions(diameter_px=size)
