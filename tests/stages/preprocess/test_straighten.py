"""Deskew finds the angle; perspective makes a rectangle of what is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from curved import bent
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from stages.errors import ImageError
from stages.preprocess.straighten import (
    DeskewOptions,
    PerspectiveOptions,
    deskew,
    perspective,
)
from stages.transform import projective

SAMPLES = Path(__file__).parents[3] / "data" / "samples"


def leaning(degrees: float, ink: float = 0.45) -> np.ndarray:
    """Text that climbs by so many degrees, in the middle of 640 x 400 pixels."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pixels, _ = bent(lambda points: (points - [320, 200]) @ turn.T, (640, 400), ink=ink)
    return pixels


def climb(result) -> float:
    """The angle by which what was level in the original climbs now, in degrees."""
    (x1, y1), (x2, y2) = result.transform.to_frame([[0, 0], [100, 0]])
    return float(np.degrees(np.arctan2(y1 - y2, x2 - x1)))


@pytest.mark.parametrize("degrees", [-19, -12.5, -3, 0, 0.7, 8, 18])
@pytest.mark.parametrize("ink", [0.45, 1.5], ids=["dark", "light"])
def test_deskew_when_text_leans_then_it_lies_level(frame_of, degrees, ink):
    result = deskew(frame_of(leaning(degrees, ink)), DeskewOptions())
    assert climb(result) == pytest.approx(-degrees, abs=0.6)


@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        # As `data/samples/make.py` has laid them.
        *[("press-3-01.png", 3), ("press-3-02.jpg", -7), ("press-3-06.webp", -18)],
        *[("labels-02.jpg", 9), ("labels-04.jpg", -12), ("labels-06.png", -5)],
        *[("castings-02.jpg", -10), ("castings-03.jpg", 5), ("castings-05.webp", 17)],
    ],
)
def test_deskew_when_a_sample_leans_then_it_is_turned_by_that(frame_of, name, degrees):
    with Image.open(SAMPLES / name) as picture:
        result = deskew(frame_of(np.asarray(picture)), DeskewOptions())
    # The maker's angles run clockwise, as the picture's y does.
    assert climb(result) == pytest.approx(degrees, abs=0.4)


def test_deskew_when_text_leans_too_far_then_turns_no_further_than_allowed(frame_of):
    result = deskew(frame_of(leaning(18)), DeskewOptions(max_degrees=5))
    assert abs(climb(result)) <= 5


def test_deskew_when_it_may_not_grow_then_the_size_stays(frame_of):
    result = deskew(frame_of(leaning(8)), DeskewOptions(expand=False, fill=0))
    assert result.pixels.shape == (400, 640)
    assert result.pixels[0, 0] == 0


@pytest.mark.parametrize("pixels", [np.full((50, 90), 100), np.zeros((1, 1, 3))])
def test_deskew_when_the_picture_is_blank_then_it_stays_as_it_is(frame_of, pixels):
    frame = frame_of(pixels)
    assert deskew(frame, DeskewOptions()) is frame


CORNERS = ((40, 30), (200, 50), (180, 130), (30, 90))


def test_perspective_when_a_plate_is_seen_at_an_angle_then_becomes_the_rectangle_it_is(frame_of):
    # A chequered plate of 8 x 4 squares, put into the picture by a homography of its own.
    plate = np.kron(np.indices((4, 8)).sum(0) % 2, np.ones((20, 20))) * 200 + 20
    matrix = np.array([[1.1, 0.2, 40], [0.1, 0.9, 30], [0.0008, 0.0002, 1]])
    step = projective(matrix)
    y, x = np.mgrid[:180, :260] + 0.5
    on_plate = step.to_source(np.column_stack([x.ravel(), y.ravel()]))
    column, row = np.floor(on_plate).astype(int).T
    inside = (column >= 0) & (column < 160) & (row >= 0) & (row < 80)
    picture = np.full(180 * 260, 90)
    picture[inside] = plate[row[inside], column[inside]]
    corners = step.to_result(np.array([[0.0, 0], [160, 0], [160, 80], [0, 80]]))
    options = PerspectiveOptions(corners_px=corners.tolist(), width_px=160, height_px=80)
    result = perspective(frame_of(picture.reshape(180, 260)), options)
    middles = np.s_[10::20, 10::20]
    assert np.abs(result.pixels[middles].astype(int) - plate[middles]).max() < 10
    assert np.allclose(
        result.transform.to_original([[0, 0], [160, 80]]), corners[[0, 2]], atol=1e-3
    )


def test_perspective_when_no_size_is_given_then_has_that_of_the_longer_sides(frame_of):
    result = perspective(
        frame_of(np.zeros((150, 220, 3))), PerspectiveOptions(corners_px=CORNERS, height_px=7)
    )
    assert result.pixels.shape == (7, 161, 3)


@settings(max_examples=50)
@given(
    shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    size=st.tuples(st.integers(10, 400), st.integers(10, 400)),
)
def test_perspective_when_mapped_there_and_back_then_returns(frame_of, shares, size):
    options = PerspectiveOptions(corners_px=CORNERS, width_px=size[0], height_px=size[1])
    transform = perspective(frame_of(np.zeros((150, 220))), options).transform
    points = np.array(shares) * size
    original = transform.to_original(points)
    assert original.min() >= 29.9
    assert (original.max(axis=0) <= [200.1, 130.1]).all()
    assert np.allclose(transform.to_frame(original), points, rtol=0, atol=1e-6)


def test_perspective_when_a_corner_lies_outside_then_names_it_and_the_picture(frame_of):
    with pytest.raises(ImageError, match=r"the point \[200, 50\] .* picture of 199 x 150 pixels"):
        perspective(frame_of(np.zeros((150, 199))), PerspectiveOptions(corners_px=CORNERS))


@pytest.mark.parametrize(
    "corners",
    [
        CORNERS[::-1],  # anticlockwise: it would be mirrored
        (CORNERS[0], CORNERS[2], CORNERS[1], CORNERS[3]),  # crossed
        ((0, 0), (100, 0), (30, 30), (0, 100)),  # one inside the triangle of the others
        ((0, 0), (50, 0), (100, 0), (0, 100)),  # three on a line
        ((5, 5), (5, 5), (9, 9), (5, 9)),
    ],
)
def test_perspective_options_when_the_corners_are_no_plate_then_are_refused(corners):
    with pytest.raises(ValidationError, match="clockwise from the text's top left"):
        PerspectiveOptions(corners_px=corners)


@pytest.mark.parametrize("corners", [CORNERS[:3], ((0, 0), (9, 0), (9, 9), (0, float("inf")))])
def test_perspective_options_when_corners_are_missing_or_endless_then_are_refused(corners):
    with pytest.raises(ValidationError):
        PerspectiveOptions(corners_px=corners)
