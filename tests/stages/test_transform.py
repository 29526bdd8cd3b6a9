"""`Transform`: to the original picture and back, whatever the chain."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stages.transform import (
    Polar,
    Shift,
    Transform,
    for_opencv,
    projective,
    scaling,
    translation,
)

coordinates = st.floats(-5_000, 5_000)
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5)


ARC = Polar(-20_000, -20_000, 28_000, 135, True)


def _turn(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), np.sin(angle), 5], [-np.sin(angle), np.cos(angle), -7]])


steps = st.lists(
    st.one_of(
        st.builds(translation, coordinates, coordinates),
        st.builds(scaling, st.floats(0.1, 10), st.floats(0.1, 10)),
        st.floats(-360, 360).map(_turn).map(projective),
    ),
    max_size=5,
)


def _chain(made: list) -> Transform:
    transform = Transform()
    for step in made:
        transform = transform.then(step)
    return transform


@given(steps, points)
def test_transform_when_mapped_to_the_original_and_back_then_returns(made, given_points):
    transform = _chain(made)
    back = transform.to_frame(transform.to_original(given_points))
    assert np.allclose(back, given_points, rtol=0, atol=1e-6)


@given(points)
def test_transform_when_a_warp_is_no_matrix_then_it_stays_a_step_and_returns(given_points):
    transform = _chain([translation(3, 4), ARC, scaling(2, 0.5), translation(1, 1)])
    assert len(transform.steps) == 3
    back = transform.to_original(transform.to_frame(given_points))
    assert np.allclose(back, given_points, rtol=0, atol=1e-6)


@given(
    st.lists(coordinates, min_size=2, max_size=6, unique=True).map(sorted),
    st.lists(coordinates, min_size=6, max_size=6),
    points,
)
def test_shift_when_mapped_there_and_back_then_returns_and_only_moves_up_or_down(
    xs, ys, given_points
):
    assume(np.diff(xs).min() > 1e-6)
    shift = Shift(tuple(xs), tuple(ys[: len(xs)]))
    given_points = np.array(given_points)
    there = shift.to_result(given_points)
    assert np.array_equal(there[:, 0], given_points[:, 0])
    assert np.allclose(shift.to_source(there), given_points, rtol=0, atol=1e-6)


def test_shift_when_a_point_lies_on_the_polyline_then_it_comes_to_lie_level():
    shift = Shift((10.0, 20.0, 40.0), (5.0, 15.0, 7.0))
    given_points = np.array([[10, 5], [15, 10], [20, 15], [30, 11], [40, 7], [0, 5], [99, 7]])
    assert shift.to_result(given_points)[:, 1].tolist() == [0] * 7


@given(
    centre=st.tuples(coordinates, coordinates),
    radius=st.floats(20, 5_000),
    middle=st.floats(-720, 720),
    clockwise=st.booleans(),
    places=st.lists(st.tuples(st.floats(-179, 179), st.floats(0.05, 3)), min_size=1, max_size=5),
)
def test_polar_when_mapped_there_and_back_then_returns(centre, radius, middle, clockwise, places):
    polar = Polar(*centre, radius, middle, clockwise)
    angle, far = np.radians(middle + np.array(places)[:, 0]), radius * np.array(places)[:, 1]
    given_points = np.column_stack([np.sin(angle), -np.cos(angle)]) * far[:, None] + centre
    back = polar.to_source(polar.to_result(given_points))
    assert np.allclose(back, given_points, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("clockwise", "places"),
    [
        # At 12 o'clock, a quarter on, and 5 pixels further out than the circle.
        (True, [(0, 0), (50 * np.pi, 0), (0, -5)]),
        (False, [(0, 0), (-50 * np.pi, 0), (0, 5)]),
    ],
)
def test_polar_when_text_runs_round_then_its_top_is_up_and_it_runs_right(clockwise, places):
    polar = Polar(10, 20, 100, 0, clockwise)
    found = polar.to_result(np.array([[10.0, -80], [110, 20], [10, -85]]))
    assert np.allclose(found, places, rtol=0, atol=1e-9)


@pytest.mark.parametrize("clockwise", [True, False])
def test_polar_when_pixels_are_laid_out_then_nothing_is_mirrored(clockwise):
    polar = Polar(10, 20, 100, 33, clockwise)
    origin, right, down = polar.to_source(np.array([[3.0, 4], [3.1, 4], [3, 4.1]]))
    (a, b), (c, d) = right - origin, down - origin
    assert a * d - b * c > 0


def test_box_when_nothing_bends_then_is_that_of_the_corners():
    transform = _chain([projective(_turn(30)), scaling(2, 3)])
    corners = np.array([[0, 0], [40, 0], [40, 10], [0, 10]])
    mapped = transform.to_original(corners)
    assert transform.box(corners) == (*mapped.min(axis=0), *mapped.max(axis=0))


def test_box_when_text_ran_over_the_top_of_a_circle_then_holds_its_crown():
    transform = _chain([Polar(500, 400, 100, 0, True), translation(200, 20)])
    # From 9 o'clock to 3 o'clock, 20 pixels high: corners at y 400, crown at y 290.
    side = 50 * np.pi
    box = transform.box(
        np.array([[200 - side, 10], [200 + side, 10], [200 + side, 30], [200 - side, 30]])
    )
    assert np.allclose(box, (390, 290, 610, 400), rtol=0, atol=0.1)


@given(steps, points)
def test_transform_when_steps_are_folded_then_maps_as_one_after_the_other(made, given_points):
    transform = _chain(made)
    expected = np.array(given_points)
    for step in made:
        expected = step.to_result(expected)
    assert len(transform.steps) <= 1
    assert np.allclose(transform.to_frame(given_points), expected, rtol=1e-9, atol=1e-6)


def test_transform_when_a_crop_is_mapped_then_its_corner_is_the_cut():
    transform = Transform().then(translation(-1100, -20))
    assert transform.to_original([[0, 0]]).tolist() == [[1100, 20]]


def test_for_opencv_when_pixels_are_scaled_then_the_pixel_lands_where_the_transform_says():
    pixels = np.zeros((9, 9), np.uint8)
    pixels[2, 6] = 255
    step = projective(scaling(4, 4).matrix @ translation(-3, 0).matrix)
    warped = cv2.warpPerspective(pixels, for_opencv(step), (24, 36), flags=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(warped)
    # Pixel (6, 2) covers x 6 to 7, y 2 to 3, so 12 to 16 and 8 to 12 in the result.
    assert (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1) == (12, 16, 8, 12)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.eye(2), np.diag([1, 0, 1])])
def test_projective_when_it_cannot_be_inverted_then_raises(matrix):
    with pytest.raises(ValueError, match="not an invertible"):
        projective(matrix)
