"""The `boxes` detector: what stands where the recipe says."""

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from stages.detectors.boxes import BoxesDetector
from stages.errors import ImageError
from stages.records import Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))


def find(pixels, **options):
    with BoxesDetector(BoxesDetector.Options(**options)) as detector:
        (found,) = detector.find([Frame(IMAGE, 1, pixels, Transform())])
    return [each.outline for each in found]


def marked(*places):
    """A light surface of 200 x 100 with a dark mark at each (x, y)."""
    pixels = np.full((100, 200), 200, np.uint8)
    for x, y in places:
        pixels[y : y + 10, x : x + 20] = 30
    return pixels


def test_boxes_when_several_kinds_then_each_in_the_order_of_the_recipe():
    leaning = ((120, 40), (180, 50), (177, 70), (117, 60))

    found = find(
        marked((10, 10), (20, 70), (140, 50)),
        boxes_px=[(10, 60, 90, 90), (0, 0, 50, 30)],
        boxes_fraction=[(0.5, 0.4, 1, 0.8)],
        corners_px=[leaning],
    )

    assert found == [
        ((10, 60), (90, 60), (90, 90), (10, 90)),
        ((0, 0), (50, 0), (50, 30), (0, 30)),
        ((100, 40), (200, 40), (200, 80), (100, 80)),
        leaning,
    ]


def test_boxes_when_a_box_is_blank_then_only_that_one_is_left_out():
    found = find(marked((10, 10)), boxes_px=[(0, 0, 50, 30), (100, 0, 150, 30)])
    assert [outline[0] for outline in found] == [(0, 0)]


def test_boxes_when_none_is_given_then_the_whole_picture_is_one():
    assert find(marked((90, 40))) == [((0, 0), (200, 0), (200, 100), (0, 100))]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"boxes_px": [(0, 0, 9, 9), (150, 10, 201, 40)]},
            r"boxes_px\[1\]: the point \[201, 40\] is not inside this picture of 200 x 100 pixels",
        ),
        (
            {"corners_px": [[(120, 40), (180, 50), (177, 170), (117, 160)]]},
            r"corners_px\[0\]: the point \[177, 170\] is not inside",
        ),
    ],
)
def test_boxes_when_a_box_reaches_out_of_the_frame_then_image_error(options, message):
    with pytest.raises(ImageError, match=message):
        find(marked(), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"boxes_px": [(10, 10, 10, 40)]},
        {"boxes_px": [(-1, 0, 10, 40)]},
        {"boxes_fraction": [(0, 0, 1.1, 1)]},
        {"corners_px": [[(0, 0), (10, 10), (10, 0), (0, 10)]]},
        {"corners_px": [[(0, 0), (10, 0), (10, 10)]]},
    ],
)
def test_boxes_when_a_box_is_none_then_refused(options):
    with pytest.raises(ValidationError):
        BoxesDetector.Options(**options)


def test_boxes_when_the_size_is_not_known_yet_then_they_pass():
    options = BoxesDetector.Options(boxes_px=[(0, 0, 900, 900)])
    options.check_size((None, None))
    with pytest.raises(ImageError):
        options.check_size((None, 800))
