"""Contrast: Pillow's definition, about the mean."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from pydantic import ValidationError

from stages.preprocess.tone import ContrastOptions, contrast

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
