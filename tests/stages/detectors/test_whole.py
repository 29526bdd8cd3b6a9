"""The `whole` detector."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from stages.detectors.whole import WholeDetector
from stages.records import Detection, Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))


def find(pixels, **options):
    with WholeDetector(WholeDetector.Options(**options)) as detector:
        return detector.find([Frame(IMAGE, 1, pixels, Transform())])


def marked(height, width):
    pixels = np.full((height, width), 200, np.uint8)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = 40
    return pixels


@pytest.mark.parametrize(("height", "width"), [(30, 100), (100, 30)])
def test_whole_when_there_is_a_mark_then_the_frame_is_one_line(height, width):
    outline = ((0, 0), (width, 0), (width, height), (0, height))

    assert find(marked(height, width)) == [[Detection(outline, 1.0)]]


@pytest.mark.parametrize("level", [0, 128, 255])
def test_whole_when_the_frame_is_blank_then_nothing(level):
    assert find(np.full((50, 200, 3), level, np.uint8)) == [[]]


def bare():
    rng = np.random.default_rng(5)
    return {
        "noise": rng.normal(120, 15, (60, 400)),
        "brushed": 120
        + cv2.blur(rng.normal(0, 50, (60, 400)), (41, 1))
        + rng.normal(0, 3, (60, 400)),
        "gradient": np.tile(np.linspace(90, 160, 400), (60, 1)),
    }


@pytest.mark.parametrize("name", bare())
def test_whole_when_the_surface_is_bare_then_nothing(name):
    assert find(bare()[name].clip(0, 255).astype(np.uint8)) == [[]]


def test_whole_when_the_threshold_is_zero_then_even_a_blank_frame_is_a_line():
    assert len(find(np.zeros((50, 200), np.uint8), min_contrast_grey_levels=0)[0]) == 1
