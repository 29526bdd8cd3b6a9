"""The filters: smooth where they should, sharp where they should."""

from __future__ import annotations

import numpy as np
import pytest
from lettering import lettering
from pydantic import ValidationError

from stages.preprocess.filters import (
    BilateralOptions,
    BlurOptions,
    BrushedMetalOptions,
    MedianOptions,
    NonLocalMeansOptions,
    SharpenOptions,
    bilateral,
    blur,
    brushed_metal,
    median,
    non_local_means,
    sharpen,
)

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


def test_median_when_there_are_specks_then_they_go_and_the_edge_stays(frame_of):
    specked = STEP.copy()
    specked[5::10, 5::10] = 255
    specked[9::10, 3::10] = 0
    assert np.array_equal(median(frame_of(specked), MedianOptions(kernel_px=3)).pixels, STEP)


def test_non_local_means_when_an_edge_is_noisy_then_smooths_the_sides_and_keeps_the_edge(frame_of):
    result = non_local_means(frame_of(NOISY), NonLocalMeansOptions(strength=15)).pixels.astype(int)
    assert result[:, :25].std() < NOISY[:, :25].std() / 3
    assert (result[:, 32] - result[:, 27]).min() > 100


def test_sharpen_when_an_edge_is_soft_then_it_gets_steeper_and_flat_parts_stay(frame_of):
    soft = blur(frame_of(STEP), BlurOptions(kernel_px=9))
    result = sharpen(soft, SharpenOptions(amount=1.5, radius_px=3)).pixels.astype(int)
    steepness = [np.diff(pixels.astype(int), axis=1).max() for pixels in (soft.pixels, result)]
    assert steepness[1] > 1.5 * steepness[0]
    assert (result[:, [0, -1]] == STEP[:, [0, -1]]).all()


def brushed(degrees: float, strength: float = 12) -> np.ndarray:
    """Streaks that run in a direction, counter-clockwise from level, over 240 x 320 pixels."""
    y, x = np.mgrid[:240, :320].astype(np.float32)
    across = x * np.sin(np.radians(degrees)) + y * np.cos(np.radians(degrees))
    profile = np.random.default_rng(7).normal(0, 1, 900)
    profile = np.convolve(profile, [0.25, 0.5, 0.25], "same")
    return strength * np.interp(across + 300, np.arange(900), profile)


@pytest.mark.parametrize("degrees", [0, 90, 30, -55])
@pytest.mark.parametrize("told", [True, False], ids=["told", "found"])
def test_brushed_metal_when_streaks_run_one_way_then_they_go_and_the_text_stays(
    frame_of, degrees, told
):
    ink = lettering("KX204", (240, 320), 50)
    pixels = np.clip(np.where(ink, 60, 150) + brushed(degrees), 0, 255).astype(np.uint8)
    options = BrushedMetalOptions(degrees=degrees if told else None)
    result = brushed_metal(frame_of(pixels), options).pixels.astype(float)
    inner = np.s_[20:-20, 20:-20]
    ground, strokes = ~ink[inner], ink[inner]
    before, after = pixels[inner].astype(float), result[inner]
    assert after[ground].std() < 0.5 * before[ground].std()
    kept = after[ground].mean() - after[strokes].mean()
    assert kept > 0.9 * (before[ground].mean() - before[strokes].mean())


def test_brushed_metal_when_the_picture_is_coloured_then_the_colours_stay(frame_of):
    colour = np.clip(np.array([190, 150, 90]) + brushed(20)[..., None], 0, 255).astype(np.uint8)
    result = brushed_metal(frame_of(colour), BrushedMetalOptions()).pixels.astype(float)
    assert np.abs(result.mean(axis=(0, 1)) - colour.mean(axis=(0, 1))).max() < 2
    assert result[20:-20, 20:-20].std(axis=(0, 1)).max() < 0.5 * colour.std(axis=(0, 1)).min()


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (median, MedianOptions(kernel_px=99)),
        (non_local_means, NonLocalMeansOptions()),
        (sharpen, SharpenOptions()),
        (brushed_metal, BrushedMetalOptions()),
    ],
)
def test_filters_when_the_picture_is_flat_and_small_then_it_stays(frame_of, make, options):
    flat = np.full((2, 3, 3), 77)
    assert np.array_equal(make(frame_of(flat), options).pixels, flat)


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
