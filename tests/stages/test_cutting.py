"""Cutting: whole pixels stay as they are, and any four corners give a crop or a known error."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stages.cutting import cut, widened
from stages.errors import ImageError


def box(x1, y1, x2, y2):
    return ((x1, y1), (x2, y1), (x2, y2), (x1, y2))


def gradient(height=60, width=200):
    """Every pixel says where it is: red is x, green is y."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x, y, np.zeros_like(x)]).astype(np.uint8)


def test_widened_when_there_is_room_then_every_side_moves_by_the_margin():
    assert np.allclose(widened(box(50, 20, 90, 40), 0.25, (60, 200)), box(45, 15, 95, 45))


def test_widened_when_the_frame_ends_then_that_side_stops_there():
    assert np.allclose(widened(box(2, 20, 199, 55), 0.2, (60, 200)), box(0, 13, 200, 60))


def test_widened_when_the_box_is_the_frame_then_nothing_changes():
    assert np.allclose(widened(box(0, 0, 200, 60), 0.5, (60, 200)), box(0, 0, 200, 60))


corner = st.tuples(st.floats(-20, 220), st.floats(-20, 80))


@given(outline=st.tuples(corner, corner, corner, corner), margin=st.floats(0, 2))
def test_cut_when_any_four_corners_then_a_picture_or_a_known_error(outline, margin):
    pixels = gradient()
    corners = widened(outline, margin, pixels.shape)

    try:
        crop = cut(pixels, corners)
    except ImageError:
        return
    assert crop.dtype == np.uint8
    assert crop.ndim == 3
    assert min(crop.shape) >= 1


@given(
    x=st.integers(0, 190), y=st.integers(0, 50), width=st.integers(1, 10), height=st.integers(1, 10)
)
def test_cut_when_whole_pixels_then_exactly_those(x, y, width, height):
    pixels = gradient()

    crop = cut(pixels, np.array(box(x, y, x + width, y + height), dtype=float))

    assert np.array_equal(crop, pixels[y : y + height, x : x + width])


def test_cut_when_a_part_of_the_frame_then_the_crop_does_not_keep_the_frame_alive():
    pixels = gradient()

    crop = cut(pixels, np.array(box(5, 5, 30, 20), dtype=float))

    assert crop.base is None
