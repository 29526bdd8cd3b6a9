"""What counts as a blank picture, and what must not."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.preprocess import Step, preprocess
from stages.records import Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))
_OPTIONS = {"contrast": {"factor": 3}}


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (480, 640), (480, 640, 3), (3000, 20)])
@pytest.mark.parametrize("level", [0, 130, 255])
def test_contrast_when_constant_then_zero(shape, level):
    assert contrast(np.full(shape, level, np.uint8)) == 0


def textures():
    rng = np.random.default_rng(1)
    streaks = cv2.blur(rng.normal(0, 40, (480, 640)), (31, 1))
    return {
        "noise": rng.normal(120, 5, (480, 640)),
        "strong noise": rng.normal(120, 30, (480, 640)),
        "brushed metal": 120 + streaks + rng.normal(0, 3, (480, 640)),
        "upright grooves": (120 + streaks + rng.normal(0, 3, (480, 640))).T,
    }


LIFTS = ("clahe", "contrast", "illumination", "threshold", "sharpen")


@pytest.mark.parametrize("name", textures())
@pytest.mark.parametrize("lift", [None, *LIFTS])
def test_contrast_when_a_recipe_lifts_grain_then_still_blank(name, lift):
    pixels = np.ascontiguousarray(textures()[name]).clip(0, 255).astype(np.uint8)
    steps = [] if lift is None else [Step.model_validate({lift: _OPTIONS.get(lift, {})})]

    lifted = preprocess(Frame(IMAGE, 1, pixels, Transform()), steps).pixels

    assert contrast(lifted) < MIN_CONTRAST_GREY_LEVELS


@pytest.mark.parametrize("lift", [None, *LIFTS])
@pytest.mark.parametrize("name", ["noise", "brushed metal"])
def test_contrast_when_text_stands_on_grain_then_not_blank(name, lift):
    pixels = textures()[name].clip(0, 255).astype(np.uint8)
    cv2.putText(pixels, "LX47", (200, 250), cv2.FONT_HERSHEY_SIMPLEX, 2, 40, 5)
    steps = [] if lift is None else [Step.model_validate({lift: _OPTIONS.get(lift, {})})]

    lifted = preprocess(Frame(IMAGE, 1, pixels, Transform()), steps).pixels

    assert contrast(lifted) >= MIN_CONTRAST_GREY_LEVELS


def test_contrast_when_shading_over_a_large_picture_then_blank():
    shading = np.tile(np.linspace(60, 200, 1600), (1200, 1)).astype(np.uint8)

    assert contrast(shading) < MIN_CONTRAST_GREY_LEVELS


def test_contrast_when_hot_pixels_then_blank():
    picture = np.full((480, 640), 90, np.uint8)
    picture[::200, ::200] = 255

    assert contrast(picture) < MIN_CONTRAST_GREY_LEVELS


@pytest.mark.parametrize(
    ("shape", "scale", "thickness", "difference"),
    [((40, 200), 1.0, 2, 15), ((1500, 2000), 0.8, 2, 40), ((3000, 4000), 2.0, 3, 30)],
)
def test_contrast_when_faint_or_small_text_then_not_blank(shape, scale, thickness, difference):
    picture = np.full(shape, 120, np.uint8)
    place = (10, shape[0] // 2 + 12)
    cv2.putText(
        picture, "LX47", place, cv2.FONT_HERSHEY_SIMPLEX, scale, 120 - difference, thickness
    )

    assert contrast(picture) >= MIN_CONTRAST_GREY_LEVELS


def test_contrast_when_one_dark_pixel_in_a_tiny_crop_then_not_above_255():
    crop = np.array([[0, 255]], np.uint8)

    assert 0 <= contrast(crop) <= 255
