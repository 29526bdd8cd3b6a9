"""Tone: grey from colour, contrast as Pillow has it, gamma, CLAHE, and which way round text is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lettering import lettering
from PIL import Image, ImageEnhance
from pydantic import ValidationError

from stages.preprocess.tone import (
    ClaheOptions,
    ContrastOptions,
    GammaOptions,
    GreyOptions,
    InvertOptions,
    clahe,
    contrast,
    gamma,
    grey,
    invert,
)

RANDOM = np.random.default_rng(3).integers(60, 190, (20, 30, 3), dtype=np.uint8)


@pytest.mark.parametrize("pixels", [RANDOM, RANDOM[..., 0]], ids=["colour", "grey"])
@pytest.mark.parametrize("factor", [0, 0.5, 1, 3])
def test_contrast_when_compared_with_pillow_then_is_the_same(frame_of, pixels, factor):
    result = contrast(frame_of(pixels), ContrastOptions(factor=factor))
    expected = ImageEnhance.Contrast(Image.fromarray(np.ascontiguousarray(pixels))).enhance(factor)
    assert np.array_equal(result.pixels, np.asarray(expected))


def test_contrast_when_tripled_then_distances_from_the_mean_are_tripled(frame_of):
    half = np.full((4, 6), 90, np.uint8)
    half[:, 3:] = 110
    result = contrast(frame_of(half), ContrastOptions(factor=3))
    assert (result.pixels[0, 0], result.pixels[0, 5]) == (70, 130)


@pytest.mark.parametrize("factor", [-1, float("inf"), float("nan"), None])
def test_contrast_options_when_the_factor_makes_no_sense_then_are_refused(factor):
    with pytest.raises(ValidationError):
        ContrastOptions(factor=factor)


# red, green, blue, white, and a dark orange
PATCHES = np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [100, 50, 0]]])


@pytest.mark.parametrize(
    ("typed", "values"),
    [
        ({}, [76, 150, 29, 255, 59]),
        ({"channel": "red"}, [255, 0, 0, 255, 100]),
        ({"channel": "green"}, [0, 255, 0, 255, 50]),
        ({"channel": "blue"}, [0, 0, 255, 255, 0]),
        ({"channel": "value"}, [255, 255, 255, 255, 100]),
        ({"channel": "saturation"}, [255, 255, 255, 0, 255]),
        ({"weights": [0, 1, 0]}, [0, 255, 0, 255, 50]),
        ({"weights": [1, 0, -1]}, [255, 0, 0, 0, 100]),
        ({"weights": [0.5, 0.25, 0.25]}, [128, 64, 64, 255, 62]),
    ],
)
def test_grey_when_told_in_any_way_then_gives_that_value(frame_of, typed, values):
    result = grey(frame_of(PATCHES), GreyOptions(**typed)).pixels
    assert result.shape == (1, 5)
    assert np.abs(result[0].astype(int) - values).max() <= 1


def test_grey_when_by_hue_then_tells_colours_of_one_brightness_apart(frame_of):
    result = grey(frame_of(PATCHES), GreyOptions(channel="hue")).pixels[0].astype(int)
    assert np.abs(np.diff(np.sort(result[:3]))).min() > 60


@pytest.mark.parametrize("channel", ["red", "green", "blue", "value"])
def test_grey_when_the_picture_is_grey_then_it_stays(frame_of, channel):
    levels = np.arange(256, dtype=np.uint8)[None]
    assert np.array_equal(grey(frame_of(levels), GreyOptions(channel=channel)).pixels, levels)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"channel": "red", "weights": [1, 0, 0]}, "not both"),
        ({"channel": "cyan"}, "'red', 'green'"),
        ({"weights": [1, 0]}, "Field required"),
    ],
)
def test_grey_options_when_they_make_no_sense_then_are_refused(typed, message):
    with pytest.raises(ValidationError, match=message):
        GreyOptions(**typed)


@pytest.mark.parametrize(("value", "level"), [(1, 64), (2, 128), (0.5, 16)])
def test_gamma_when_a_quarter_is_raised_then_is_the_root_or_the_square(frame_of, value, level):
    result = gamma(frame_of([[0, 64, 255]]), GammaOptions(gamma=value)).pixels
    assert result.tolist() == [[0, level, 255]]


@pytest.mark.parametrize("value", [0, -1, float("nan"), 21])
def test_gamma_options_when_they_make_no_sense_then_are_refused(value):
    with pytest.raises(ValidationError):
        GammaOptions(gamma=value)


def test_clahe_when_one_side_is_dim_then_its_text_gains_and_the_limit_holds_it(frame_of):
    dim = np.full((160, 160), 40, np.uint8)
    dim[:, 80:] = 180
    dim[::8] += 6
    spread = [
        np.ptp(clahe(frame_of(dim), ClaheOptions(clip_limit=limit)).pixels[:, 40].astype(int))
        for limit in (2, 8)
    ]
    assert 6 < spread[0] < spread[1]


def test_clahe_when_the_picture_is_coloured_then_only_the_lightness_changes(frame_of):
    result = clahe(frame_of(RANDOM), ClaheOptions()).pixels
    before, after = (cv2.cvtColor(p, cv2.COLOR_RGB2Lab).astype(int) for p in (RANDOM, result))
    assert after[..., 0].std() > 1.3 * before[..., 0].std()
    # What leaves the RGB cube is clipped, so some colours give way.
    assert np.median(np.abs(after - before)[..., 1:]) <= 2


def marked(ground: int, ink: int) -> np.ndarray:
    """A line of text under a lamp that stands at one side, with some noise."""
    pixels = np.where(lettering("KX204817", (120, 400), 44), ink, ground)
    shade = np.linspace(0.45, 1.0, 400)
    noise = np.random.default_rng(0).normal(0, 4, pixels.shape)
    return np.clip(pixels * shade + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("ground", "ink"), [(200, 60), (60, 200), (140, 100), (90, 130)])
def test_invert_when_automatic_then_text_comes_out_dark_on_light(frame_of, ground, ink):
    pixels = marked(ground, ink)
    result = invert(frame_of(pixels), InvertOptions(auto=True)).pixels
    assert np.array_equal(result, pixels if ink < ground else 255 - pixels)


def test_invert_when_told_then_inverts_whatever_there_is(frame_of):
    result = invert(frame_of(RANDOM), InvertOptions()).pixels
    assert np.array_equal(result, 255 - RANDOM)
