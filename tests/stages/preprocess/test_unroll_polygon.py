"""Unrolling along a polygon: its upper edge becomes level, column by column."""

from __future__ import annotations

import numpy as np
import pytest
from curved import bent
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.errors import ImageError
from stages.preprocess.unroll_polygon import UnrollPolygonOptions, unroll_polygon

NUMBERED = np.arange(12 * 20, dtype=np.uint8).reshape(12, 20)
# Whole pixels up or down in each column: the edge is at 3 up to x = 8, then at 5, steeply.
STEPPED = ((2, 3), (8, 3), (8.000001, 5), (18, 5), (18, 9), (2, 7))


def test_unroll_polygon_when_the_edge_has_a_step_then_columns_move_by_it_exactly(frame_of):
    result = unroll_polygon(frame_of(NUMBERED), UnrollPolygonOptions(points_px=STEPPED))
    assert result.pixels.shape == (5, 16)
    assert np.array_equal(result.pixels[:, :6], NUMBERED[3:8, 2:8])
    assert np.array_equal(result.pixels[:, 6:], NUMBERED[5:10, 8:18])


def test_unroll_polygon_when_a_margin_is_kept_then_there_are_rows_above_and_below(frame_of):
    options = UnrollPolygonOptions(points_px=STEPPED, margin_px=2)
    result = unroll_polygon(frame_of(NUMBERED), options)
    assert np.array_equal(result.pixels[:, :6], NUMBERED[1:10, 2:8])


@pytest.mark.parametrize("turn", range(6))
@pytest.mark.parametrize("way", [1, -1])
def test_unroll_polygon_when_points_begin_anywhere_then_the_result_is_the_same(frame_of, turn, way):
    points = (STEPPED[turn:] + STEPPED[:turn])[::way]
    results = [
        unroll_polygon(frame_of(NUMBERED), UnrollPolygonOptions(points_px=each))
        for each in (STEPPED, points)
    ]
    assert np.array_equal(results[0].pixels, results[1].pixels)
    assert results[0].transform == results[1].transform


def test_unroll_polygon_when_it_is_a_triangle_then_its_tips_are_the_ends(frame_of):
    options = UnrollPolygonOptions(points_px=((0, 6), (10, 2), (20, 6)))
    result = unroll_polygon(frame_of(NUMBERED), options)
    assert result.pixels.shape == (4, 20)
    # Halfway up the slope the edge lies at y = 4.
    assert result.transform.to_frame([[5, 4], [10, 2]]).tolist() == [[5, 0], [10, 0]]


levels = st.integers(20, 60)


@settings(max_examples=60, deadline=None)
@given(
    xs=st.lists(st.integers(0, 150), min_size=2, max_size=9, unique=True).map(sorted),
    upper=st.lists(levels, min_size=9, max_size=9),
    x=st.floats(0, 1),
    y=st.floats(-10, 60),
)
def test_unroll_polygon_when_mapped_there_and_back_then_returns_and_a_dot_lands_there(
    frame_of, xs, upper, x, y
):
    assume(xs[-1] - xs[0] >= 20)
    edge = list(zip(xs, upper, strict=False))
    points = [*edge, (xs[-1], upper[len(xs) - 1] + 40), (xs[0], upper[0] + 40)]
    assume(np.interp(xs, [xs[0], xs[-1]], [points[-1][1], points[-2][1]]).min() > max(upper))
    options = UnrollPolygonOptions(points_px=points, margin_px=10)
    place = np.array(
        [[xs[0] + x * (xs[-1] - xs[0]), np.interp(xs[0] + x, xs, upper[: len(xs)]) + y]]
    )
    dot = np.zeros((150, 160), np.uint8)
    dot[80:83, xs[0] + 9 : xs[0] + 12] = 255
    result = unroll_polygon(frame_of(dot), options)
    assert np.allclose(
        result.transform.to_original(result.transform.to_frame(place)), place, rtol=0, atol=1e-9
    )
    [expected] = result.transform.to_frame([[xs[0] + 10.5, 81.5]])
    seen = result.pixels.astype(float)
    assume(4 < expected[1] < seen.shape[0] - 4)
    columns = seen.sum(axis=0) > 0
    assert (np.flatnonzero(columns) == np.arange(9, 12)).all()
    middle = (seen[:, 10] * (np.arange(len(seen)) + 0.5)).sum() / seen[:, 10].sum()
    assert abs(middle - expected[1]) < 0.5


@pytest.mark.parametrize(
    ("sag", "lean"), [(0, 0), (60, 0), (-60, 0), (110, 0.05), (-30, -0.15), (25, 0.3)]
)
@pytest.mark.parametrize("ink", [0.45, 1.5], ids=["dark", "light"])
def test_unroll_polygon_when_it_is_to_fit_then_bowed_text_comes_out_level(frame_of, sag, lean, ink):
    def level(x: np.ndarray) -> np.ndarray:
        along = (x - 400) / 400
        return 230 + lean * (x - 400) - sag * along**2

    def to_text(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points[:, 0] - 400, points[:, 1] - level(points[:, 0])])

    pixels, (wide, high) = bent(to_text, (800, 460), cap_px=44, ink=ink)
    result = unroll_polygon(frame_of(pixels), UnrollPolygonOptions(fit=True))
    xs = np.array([400 - wide, 400, 400 + wide])
    tops = result.transform.to_frame(np.column_stack([xs, level(xs) - high]))
    assert np.ptp(tops[:, 1]) < 0.12 * 2 * high
    # The band holds all of the text, and is not much higher.
    assert tops[:, 1].min() > 0
    assert tops[:, 1].max() + 2 * high < result.pixels.shape[0] < 2.2 * 2 * high


@pytest.mark.parametrize("pixels", [np.full((50, 90), 100), np.zeros((1, 1, 3))])
def test_unroll_polygon_when_there_is_nothing_to_fit_then_the_picture_stays(frame_of, pixels):
    frame = frame_of(pixels)
    assert unroll_polygon(frame, UnrollPolygonOptions(fit=True)) is frame


def test_unroll_polygon_when_a_point_lies_outside_then_names_it_and_the_picture(frame_of):
    options = UnrollPolygonOptions(points_px=((0, 6), (10, 2), (21, 6)))
    with pytest.raises(ImageError, match=r"the point \[21, 6\] .* picture of 20 x 12 pixels"):
        unroll_polygon(frame_of(NUMBERED), options)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "give either points_px or fit: true"),
        ({"points_px": STEPPED, "fit": True}, "give either points_px or fit: true"),
        ({"points_px": STEPPED[:2]}, "2 points are no polygon; give three or more"),
        ({"points_px": ()}, "0 points are no polygon"),
        ({"points_px": ((0, 0), (9, 0), (5, 2), (12, 4), (12, 9), (0, 9))}, r"back at \[9, 0\]"),
        ({"points_px": ((0, 0), (12, 0), (12, 9), (5, 7), (9, 6), (0, 9))}, r"back at \[9, 6\]"),
        ({"points_px": ((0, 0), (10, 10), (10, 0), (0, 10))}, "crosses itself"),
        ({"points_px": ((0, 5), (10, 5), (20, 5.5))}, "less than a pixel wide or high"),
        ({"points_px": ((5, 0), (5, 9), (5, 4))}, "less than a pixel wide or high"),
        ({"points_px": ((0, -1), (9, 0), (9, 9))}, "greater than or equal to 0"),
        ({"points_px": ((0, 0), (9, 0), (9, float("nan")))}, "less than or equal"),
        ({"points_px": ((0, 0), (9,), (9, 9))}, "Field required"),
    ],
)
def test_unroll_polygon_options_when_they_make_no_sense_then_are_refused(typed, message):
    with pytest.raises(ValidationError, match=message):
        UnrollPolygonOptions(**typed)
