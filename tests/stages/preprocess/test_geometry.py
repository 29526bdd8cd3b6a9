"""Crop, rotate, resize: the right pixels, and a transform that says where they came from."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from stages.errors import ImageError
from stages.preprocess.geometry import (
    CropOptions,
    ResizeOptions,
    RotateOptions,
    crop,
    resize,
    rotate,
)

NUMBERED = np.arange(7 * 10, dtype=np.uint8).reshape(7, 10)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"left_px": 3}, np.s_[:, 3:]),
        ({"left_px": 1, "top_px": 2, "right_px": 3, "bottom_px": 4}, np.s_[2:3, 1:7]),
        ({"left_px": 0}, np.s_[:, :]),
        ({"box_px": [2, 1, 10, 7]}, np.s_[1:7, 2:10]),
        ({"box_fraction": [0.1, 0, 0.7, 1]}, np.s_[:, 1:7]),
        ({"box_fraction": [0.51, 0.5, 0.52, 0.51]}, np.s_[3:4, 5:6]),
    ],
)
def test_crop_when_told_in_any_way_then_keeps_that_part(frame_of, typed, kept):
    result = crop(frame_of(NUMBERED), CropOptions(**typed))
    assert np.array_equal(result.pixels, NUMBERED[kept])
    rows, columns = np.indices(NUMBERED.shape)
    origin = [[columns[kept][0, 0], rows[kept][0, 0]]]
    assert result.transform.to_original([[0, 0]]).tolist() == origin


@pytest.mark.parametrize(
    "typed",
    [{"left_px": 10}, {"top_px": 3, "bottom_px": 4}, {"box_px": [0, 0, 11, 7]}, {"left_px": 1100}],
)
def test_crop_when_it_reaches_outside_then_names_the_size_of_the_picture(frame_of, typed):
    with pytest.raises(ImageError, match="picture of 10 x 7 pixels"):
        crop(frame_of(NUMBERED), CropOptions(**typed))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "exactly one of the three"),
        ({"left_px": 1, "box_px": [0, 0, 1, 1]}, "exactly one of the three"),
        ({"box_fraction": [0, 0, 1, 1], "box_px": [0, 0, 1, 1]}, "exactly one of the three"),
        ({"left_px": -1}, "greater than or equal to 0"),
        ({"box_px": [5, 0, 5, 9]}, "x1 left of x2"),
        ({"box_px": [5, 0, 9]}, "Field required"),
        ({"box_fraction": [0, 0, 1.5, 1]}, "less than or equal to 1"),
    ],
)
def test_crop_options_when_they_make_no_sense_then_are_refused(typed, message):
    with pytest.raises(ValidationError, match=message):
        CropOptions(**typed)


@pytest.mark.parametrize("quarters", range(-4, 5))
def test_rotate_when_by_right_angles_then_is_exact_and_counter_clockwise(frame_of, quarters):
    result = rotate(frame_of(NUMBERED), RotateOptions(degrees=90 * quarters))
    assert np.array_equal(result.pixels, np.rot90(NUMBERED, quarters))


@pytest.mark.parametrize("degrees", [-45, 30, 200.5])
@pytest.mark.parametrize("expand", [True, False])
def test_rotate_when_compared_with_pillow_then_shows_the_same(frame_of, degrees, expand):
    y, x = np.mgrid[0:60, 0:90]
    smooth = (127 + 80 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    options = RotateOptions(degrees=degrees, expand=expand, fill=9)
    ours = rotate(frame_of(smooth), options).pixels
    theirs = np.asarray(
        Image.fromarray(smooth).rotate(degrees, Image.Resampling.BILINEAR, expand, fillcolor=9)
    )
    # Pillow may add a row or column to either side when it expands.
    assert np.abs(np.subtract(ours.shape, theirs.shape)).max() <= 2
    rows, columns = np.subtract(theirs.shape, ours.shape) / 2
    if rows % 1 == 0 and columns % 1 == 0 and min(rows, columns) >= 0:
        height, width = ours.shape
        theirs = theirs[int(rows) : int(rows) + height, int(columns) : int(columns) + width]
        inner = np.s_[height // 3 : -height // 3, width // 3 : -width // 3]
        assert np.abs(ours[inner].astype(int) - theirs[inner]).max() <= 3
    assert ours.min() <= 9


def test_rotate_when_it_grows_then_the_corners_are_filled_and_nothing_is_lost(frame_of):
    result = rotate(frame_of(np.zeros((40, 100, 3))), RotateOptions(degrees=-45, fill=200))
    assert result.pixels.shape == (99, 99, 3)
    assert (result.pixels[[0, 0, -1, -1], [0, -1, 0, -1]] == 200).all()
    corners = result.transform.to_frame([[0, 0], [100, 0], [100, 40], [0, 40]])
    assert corners.min() >= 0
    assert corners.max() <= 99
    # Clockwise by 45 degrees: the top left corner becomes the top, the bottom left the left.
    assert corners[0, 1] == corners[:, 1].min()
    assert corners[3, 0] == corners[:, 0].min()


@pytest.mark.parametrize(
    ("typed", "size"),
    [
        ({"width_px": 575, "height_px": 160}, (575, 160)),
        ({"width_px": 30}, (30, 21)),
        ({"height_px": 1}, (1, 1)),
        ({"scale": 0.5}, (5, 4)),
        ({"scale": 0.001}, (1, 1)),
        ({"width_px": 20, "height_px": 3}, (20, 3)),
    ],
)
def test_resize_when_told_in_any_way_then_has_that_size(frame_of, typed, size):
    result = resize(frame_of(NUMBERED), ResizeOptions(**typed))
    assert result.pixels.shape[1::-1] == size
    assert result.transform.to_original([size]).round(9).tolist() == [[10, 7]]


@pytest.mark.parametrize("size", [(20, 100), (20, 400), (130, 20)])
def test_resize_when_a_side_shrinks_then_fine_stripes_average_out(frame_of, size):
    stripes = np.tile(np.array([0, 255], np.uint8), (100, 50))
    if size[0] > 100:
        stripes = stripes.T
    result = resize(frame_of(stripes), ResizeOptions(width_px=size[0], height_px=size[1]))
    assert np.abs(result.pixels.astype(int) - 127).max() <= 52


def test_resize_when_the_size_stays_then_so_do_the_pixels(frame_of):
    result = resize(frame_of(NUMBERED), ResizeOptions(scale=1))
    assert np.array_equal(result.pixels, NUMBERED)


@pytest.mark.parametrize("typed", [{}, {"scale": 2, "width_px": 5}, {"scale": 0}, {"width_px": 0}])
def test_resize_options_when_they_make_no_sense_then_are_refused(typed):
    with pytest.raises(ValidationError):
        ResizeOptions(**typed)


def test_resize_when_the_result_would_be_huge_then_refuses_with_its_size(frame_of):
    options = ResizeOptions(width_px=40_000)
    with pytest.raises(ImageError, match="40000 x 28000 pixels"):
        resize(frame_of(NUMBERED), options)
