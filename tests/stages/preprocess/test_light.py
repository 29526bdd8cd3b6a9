"""Illumination and glare: the light goes, the text stays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from lettering import lettering

from stages.preprocess.light import GlareOptions, IlluminationOptions, glare, illumination

INK = lettering("KX204817", (200, 480), 56)
TEXT = np.where(INK, 90, 180).astype(np.uint8)


@pytest.mark.parametrize("colour", [False, True])
def test_illumination_when_the_light_falls_off_then_ground_and_ink_are_even(frame_of, colour):
    light = np.linspace(0.25, 1, 480)
    pixels = (TEXT * light).astype(np.uint8)
    if colour:
        pixels = np.dstack([pixels, pixels // 2, pixels])
    result = illumination(frame_of(pixels), IlluminationOptions(window_px=151, level=170)).pixels
    grey = result.max(axis=2) if colour else result
    inner = np.s_[:, 40:-40]
    assert np.abs(grey[inner][~INK[inner]].astype(int) - 170).mean() < 8
    # The ink reflects half of what its ground does, in the shadow too.
    assert np.abs(grey[INK].astype(int) - 85).mean() < 8


def test_illumination_when_a_shadow_has_an_edge_then_it_hardly_shows(frame_of):
    pixels = TEXT.copy()
    pixels[:, :200] //= 2
    result = illumination(frame_of(pixels), IlluminationOptions(window_px=51)).pixels
    assert abs(result[190, 100].astype(int) - result[190, 400]) < 4


def test_illumination_when_the_picture_is_black_then_it_stays_black(frame_of):
    assert not illumination(frame_of(np.zeros((30, 40))), IlluminationOptions()).pixels.any()


def test_glare_when_a_spot_blinds_then_it_takes_on_its_surroundings(frame_of):
    pixels = TEXT.copy()
    cv2.circle(pixels, (240, 36), 28, 255, -1)
    result = glare(frame_of(pixels), GlareOptions()).pixels
    spot = pixels == 255
    assert np.abs(result[spot].astype(int) - 180).max() < 12
    far = cv2.dilate(spot.astype(np.uint8), np.ones((25, 25))) == 0
    assert np.array_equal(result[far], TEXT[far])


@pytest.mark.parametrize("colour", [False, True])
def test_glare_when_letters_are_bright_then_they_stay(frame_of, colour):
    pixels = np.where(INK, 255, 60).astype(np.uint8)
    if colour:
        pixels = np.dstack([pixels] * 3)
    result = glare(frame_of(pixels), GlareOptions(min_size_px=15)).pixels
    assert np.array_equal(result, pixels)


@pytest.mark.parametrize("level", [0, 255])
def test_glare_when_there_is_none_or_nothing_else_then_the_picture_stays(frame_of, level):
    flat = np.full((30, 40, 3), level)
    assert np.array_equal(glare(frame_of(flat), GlareOptions()).pixels, flat)


def test_glare_when_the_picture_is_large_then_the_filling_is_smooth_and_as_bright(frame_of):
    shade = np.tile(np.linspace(80, 200, 2000), (1500, 1)).astype(np.uint8)
    pixels = shade.copy()
    cv2.ellipse(pixels, (900, 700), (200, 90), 30, 0, 360, 255, -1)
    result = glare(frame_of(pixels), GlareOptions()).pixels.astype(int)
    assert np.abs(result - shade).max() < 25


def test_glare_when_it_lies_over_the_text_then_the_text_stays_and_stands_out_more(frame_of):
    y, x = np.mgrid[:200, :480]
    lamp = 110 * np.exp(-((x - 150) ** 2 + (y - 100) ** 2) / 60**2)
    pixels = np.clip(TEXT + lamp, 0, 255)
    result = glare(frame_of(pixels), GlareOptions(level=230)).pixels.astype(int)
    near = np.hypot(x - 150, y - 100) < 40
    before, after = (
        np.ptp([each[near & mask].mean() for mask in (INK, ~INK)]) for each in (pixels, result)
    )
    assert after > 0.5 * before
    assert result[near & ~INK].max() < 240
    assert (result <= pixels).all()
