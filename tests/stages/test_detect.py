"""Detect: filtering, the upright crop, and the way back to the original picture."""

from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from stages.detect import DetectOptions, detect, size_within
from stages.errors import ImageError, PluginError
from stages.records import Detection, Frame, ImageRef
from stages.transform import Polar, Transform, scaling, translation

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))


def box(x1, y1, x2, y2):
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def gradient(height=60, width=200):
    """Every pixel says where it is: red is x, green is y."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x, y, np.zeros_like(x)]).astype(np.uint8)


def frame_of(pixels, transform=None):
    return Frame(IMAGE, 2, pixels, transform or Transform())


class Finds:
    """A detector that finds what it is told, per frame."""

    def __init__(self, *results):
        self.results = [list(each) for each in results]

    def find(self, frames):
        return self.results


def test_detect_when_an_upright_box_then_the_crop_is_its_pixels():
    frame = frame_of(gradient())

    (region,) = detect(frame, "code", Finds([Detection(box(20, 10, 90, 40), 0.8)]), DetectOptions())

    assert (region.field, region.page, region.score) == ("code", 2, 0.8)
    assert np.array_equal(region.crop, frame.pixels[10:40, 20:90])
    assert region.outline == box(20, 10, 90, 40)
    assert region.box == (20, 10, 90, 40)
    assert not region.crop.flags.writeable


def test_detect_when_the_frame_was_cropped_and_scaled_then_the_outline_is_in_original_pixels():
    transform = Transform().then(translation(-100, -50)).then(scaling(0.5, 0.5))

    (region,) = detect(
        frame_of(gradient(), transform),
        "code",
        Finds([Detection(box(20, 10, 90, 40), 1.0)]),
        DetectOptions(margin=0.2),
    )

    assert np.allclose(region.outline, box(140, 70, 280, 130))
    assert np.allclose(region.box, (140, 70, 280, 130))


def test_detect_when_the_frame_was_unrolled_then_the_box_holds_the_whole_arc():
    # Half a ring of radius 100 about (150, 130): its crown is higher than its ends.
    around = Transform().then(Polar(150, 130, 100, 0, True)).then(translation(160, 30))

    (region,) = detect(
        frame_of(gradient(60, 320), around),
        "code",
        Finds([Detection(box(160 - 50 * np.pi, 20, 160 + 50 * np.pi, 40), 1.0)]),
        DetectOptions(),
    )

    assert np.allclose(region.outline, [(40, 130), (260, 130), (240, 130), (60, 130)])
    assert np.allclose(region.box, (40, 20, 260, 130), atol=0.1)


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("degrees", [-170, -90, -35, 8, 90, 180])
def test_detect_when_text_is_turned_then_the_crop_is_upright(degrees, grey):
    # arrange: a strip that differs at each corner, turned about the centre of a larger picture
    strip = np.full((40, 120, 3), 128, np.uint8)
    strip[:20, :30], strip[:20, -30:], strip[20:, :30] = 255, 0, 64
    turn = np.vstack([cv2.getRotationMatrix2D((60, 20), degrees, 1), [0, 0, 1]])
    turn = np.array([[1, 0, 90], [0, 1, 130], [0, 0, 1]]) @ turn
    picture = cv2.warpPerspective(strip, turn, (300, 300), borderValue=(128, 128, 128))
    if grey:
        strip, picture = strip[..., 0], np.ascontiguousarray(picture[..., 0])
    corners = np.array(box(-0.5, -0.5, 119.5, 39.5))
    placed = np.hstack([corners, np.ones((4, 1))]) @ turn.T
    outline = tuple((float(x) + 0.5, float(y) + 0.5) for x, y, _ in placed)

    # act
    (region,) = detect(frame_of(picture), "code", Finds([Detection(outline, 1)]), DetectOptions())

    # assert: the same strip, apart from two interpolations at its edges
    assert region.crop.shape == strip.shape
    error = np.abs(region.crop.astype(float) - strip)
    assert np.median(error) <= 1
    assert error.mean() < 6


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_detect_when_text_is_turned_by_quarters_then_not_half_a_pixel_is_lost(quarters):
    frame = frame_of(np.random.default_rng(7).integers(0, 256, (60, 200, 3)).astype(np.uint8))
    corners = box(20, 10, 90, 40)
    outline = corners[quarters:] + corners[:quarters]

    (region,) = detect(frame, "code", Finds([Detection(outline, 1.0)]), DetectOptions())

    expected = np.rot90(frame.pixels[10:40, 20:90], quarters)
    assert np.abs(region.crop.astype(int) - expected).max() <= 1


def test_detect_when_lines_are_low_unsure_or_too_many_then_they_are_dropped_in_order():
    found = [
        Detection(box(0, 0, 50, 3), 1.0),
        Detection(box(0, 10, 50, 20), 0.3),
        Detection(box(0, 20, 50, 30), 0.7),
        Detection(box(0, 30, 50, 40), 0.6),
        Detection(box(0, 40, 50, 50), 0.9),
    ]

    regions = detect(
        frame_of(gradient()),
        "code",
        Finds(found),
        DetectOptions(min_height_px=5, min_score=0.5, max_regions=2),
    )

    assert [region.score for region in regions] == [0.7, 0.9]


def test_detect_when_a_line_scores_low_then_it_is_dropped_even_where_there_is_room():
    found = [Detection(((1, 1), (30, 1), (30, 15), (1, 15)), score) for score in (0.3, 0.9)]
    options = DetectOptions(min_score=0.5, max_regions=9)
    regions = detect(frame_of(gradient()), "code", Finds(found), options)
    assert [region.score for region in regions] == [0.9]


def test_detect_when_nothing_is_found_then_no_regions():
    assert detect(frame_of(gradient()), "code", Finds([]), DetectOptions()) == ()


@pytest.mark.parametrize(
    "results",
    [
        (),
        ([], []),
        ([Detection(box(0, 0, float("nan"), 9), 1.0)],),
        ([Detection(box(0, 0, 9, 9)[:3], 1.0)],),
    ],
)
def test_detect_when_the_detector_breaks_its_contract_then_plugin_error(results):
    with pytest.raises(PluginError, match="Finds"):
        detect(frame_of(gradient()), "code", Finds(*results), DetectOptions())


@pytest.mark.parametrize(
    "options", [{"within_px": (50, 20, 150, 60)}, {"within_fraction": (0.25, 1 / 3, 0.75, 1)}]
)
def test_detect_when_within_a_part_then_only_that_is_searched_and_mapped_back(options):
    class Remembers(Finds):
        def find(self, frames):
            self.shapes = [each.pixels.shape for each in frames]
            return super().find(frames)

    detector = Remembers([Detection(box(5, 4, 60, 30), 1.0)])
    frame = frame_of(gradient(), Transform().then(translation(-100, 0)))

    (region,) = detect(frame, "code", detector, DetectOptions(**options))

    assert detector.shapes == [(40, 100, 3)]
    assert np.array_equal(region.crop, frame.pixels[24:50, 55:110])
    assert np.allclose(region.outline, box(155, 24, 210, 50))


def test_detect_when_the_part_is_outside_then_image_error():
    options = DetectOptions(within_px=(50, 20, 201, 60))
    with pytest.raises(ImageError, match="not inside this picture of 200 x 60 pixels"):
        detect(frame_of(gradient()), "code", Finds([]), options)


def test_options_when_two_parts_are_given_then_refused():
    with pytest.raises(ValidationError, match="within_px or within_fraction, not both"):
        DetectOptions(within_px=(0, 0, 9, 9), within_fraction=(0, 0, 1, 1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (None, 60)),
        ({"within_px": (10, 0, 90, 50)}, (80, 50)),
        ({"within_fraction": (0, 0.5, 1, 1)}, (None, 30)),
    ],
)
def test_size_within_when_asked_then_that_of_the_part(options, expected):
    assert size_within(DetectOptions(**options), (None, 60)) == expected


@pytest.mark.parametrize(
    ("outline", "wanted", "expected"),
    [
        (box(20, 10, 90, 40), "doubt", "doubt"),
        (((60, 5), (60, 55), (40, 55), (40, 5)), "doubt", "always"),
        (((60, 5), (60, 55), (40, 55), (40, 5)), "never", "never"),
        (box(20, 10, 90, 40), "always", "always"),
    ],
)
def test_detect_when_a_line_is_steep_then_it_has_no_way_up(outline, wanted, expected):
    finds = Finds([Detection(outline, 1.0)])
    (region,) = detect(frame_of(gradient()), "code", finds, DetectOptions(turned=wanted))
    assert region.turned == expected
