"""The `contours` detector: any polarity, print, dots and rotation; nothing out of texture."""

import math
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from stages.detectors.contours import ContoursDetector
from stages.records import Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))


def find(pixels, **options):
    with ContoursDetector(ContoursDetector.Options(**options)) as detector:
        (found,) = detector.find([Frame(IMAGE, 1, pixels, Transform())])
    return found


def picture(*lines, ground=170, ink=40, shape=(300, 480)):
    """A surface with sensor noise and lines of text: (text, x, baseline y)."""
    pixels = np.random.default_rng(1).normal(ground, 4, shape)
    cover = np.zeros(shape, np.uint8)
    for text, x, y in lines:
        cv2.putText(cover, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    return np.where(cover, ink, pixels).clip(0, 255).astype(np.uint8)


def corners(detection):
    return np.array(detection.outline)


@pytest.mark.parametrize(("ground", "ink"), [(170, 40), (60, 220), (120, 165)])
def test_contours_when_light_on_dark_or_dark_on_light_then_the_line_is_found(ground, ink):
    (found,) = find(picture(("LOT 4711", 100, 160), ground=ground, ink=ink))

    (left, top), _, (right, bottom), _ = found.outline
    assert 90 <= left <= 105
    assert 255 <= right <= 300
    assert 120 <= top <= 138
    assert 158 <= bottom <= 175


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 135, 180, 200, 270, 330])
def test_contours_when_the_picture_is_turned_then_the_outline_turns_with_it(degrees):
    upright = picture(("LOT 4711 B", 130, 190), shape=(360, 480))
    turn = cv2.getRotationMatrix2D((240, 180), -degrees, 1)
    turned = cv2.warpAffine(upright, turn, (480, 360), borderValue=170)
    (level,) = find(upright)

    (found,) = find(turned)

    along = corners(found)[1] - corners(found)[0]
    seen = math.degrees(math.atan2(along[1], along[0])) % 180
    assert abs((seen - degrees + 90) % 180 - 90) < 3
    middle = turn @ np.array([*corners(level).mean(axis=0), 1])
    assert np.allclose(corners(found).mean(axis=0), middle, atol=4)


def test_contours_when_characters_are_dots_then_one_line():
    pixels = np.full((200, 400), 150, np.uint8)
    rng = np.random.default_rng(2)
    for at in range(8):
        for x, y in np.argwhere(rng.random((5, 7)) < 0.6):
            cv2.circle(pixels, (60 + at * 32 + int(x) * 5, 80 + int(y) * 5), 2, 60, -1)

    (found,) = find(pixels)

    (left, top), _, (right, bottom), _ = found.outline
    assert left < 70
    assert right > 290
    assert 65 < top < 85
    assert 105 < bottom < 125


def test_contours_when_two_lines_then_both_in_reading_order():
    found = find(picture(("SN 0042", 60, 200), ("LOT 4711", 60, 90)))
    tops = [corners(each)[:, 1].min() for each in found]
    assert len(found) == 2
    assert tops[0] < 100 < tops[1]


def test_contours_when_words_stand_apart_then_the_gap_decides():
    pixels = picture(("LOT", 60, 150), ("4711", 180, 150))
    assert len(find(pixels, gap_heights=3)) == 1
    assert len(find(pixels, gap_heights=0.2)) == 2


def test_contours_when_the_line_stands_on_a_label_then_the_line_and_not_the_label():
    pixels = picture(("LOT 4711", 120, 170))
    cv2.rectangle(pixels, (80, 90), (400, 210), 30, 2)
    (found,) = find(pixels)
    assert np.ptp(corners(found)[:, 1]) < 60


def surfaces():
    rng = np.random.default_rng(3)
    noise = rng.normal(130, 1, (400, 600))
    brushed = cv2.blur(rng.normal(0, 1, (400, 600)), (151, 1)) * 12
    ramp = np.tile(np.linspace(20, 240, 600), (400, 1))
    return {
        "blank": np.full((400, 600), 130.0),
        "noisy": 130 + (noise - 130) * 12,
        "very noisy": 130 + (noise - 130) * 40,
        "gradient": ramp,
        "brushed": 130 + brushed * 12 + (noise - 130) * 3,
        "finely brushed": 130 + cv2.blur(rng.normal(0, 60, (400, 600)), (31, 1)),
    }


@pytest.mark.parametrize("name", surfaces())
@pytest.mark.parametrize("turned", [False, True])
def test_contours_when_the_surface_is_bare_then_nothing(name, turned):
    pixels = surfaces()[name].clip(0, 255).astype(np.uint8)
    assert find(np.ascontiguousarray(pixels.T) if turned else pixels) == []
