"""`Transform`: to the original picture and back, whatever the chain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.transform import Transform, for_opencv, projective, scaling, translation

coordinates = st.floats(-5_000, 5_000)
points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=5)


@dataclass(frozen=True)
class Arc:
    """A warp that is no matrix: polar coordinates about a far centre."""

    def to_result(self, given: np.ndarray) -> np.ndarray:
        x, y = given[:, 0] + 20_000, given[:, 1] + 20_000
        return np.column_stack([np.arctan2(y, x) * 20_000, np.hypot(x, y)])

    def to_source(self, given: np.ndarray) -> np.ndarray:
        angle, radius = given[:, 0] / 20_000, given[:, 1]
        return np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None] - 20_000


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
    transform = _chain([translation(3, 4), Arc(), scaling(2, 0.5), translation(1, 1)])
    assert len(transform.steps) == 3
    back = transform.to_original(transform.to_frame(given_points))
    assert np.allclose(back, given_points, rtol=0, atol=1e-6)


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
