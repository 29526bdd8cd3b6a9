"""Unrolling an arc: the band at its own scale, never mirrored, and found by itself."""

from __future__ import annotations

import numpy as np
import pytest
from curved import bent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.errors import ImageError
from stages.preprocess.unroll_arc import UnrollArcOptions, unroll_arc
from stages.transform import Polar

RING = {
    "centre_px": (100, 90),
    "inner_radius_px": 50,
    "outer_radius_px": 70,
    "start_degrees": -60,
    "end_degrees": 60,
}


def wheel(spokes: dict[float, int]) -> np.ndarray:
    """A dark rim at radius 60 about (100, 90), with dots outside it at these clock angles."""
    y, x = np.mgrid[:180, :200] + 0.5
    away = np.hypot(x - 100, y - 90)
    pixels = np.where(np.abs(away - 60) < 2, 40, 200)
    for degrees, level in spokes.items():
        angle = np.radians(degrees)
        near = np.hypot(x - 100 - 66 * np.sin(angle), y - 90 + 66 * np.cos(angle)) < 2.5
        pixels[near] = level
    return pixels.astype(np.uint8)


def test_unroll_arc_when_clockwise_then_the_rim_is_level_and_the_outside_is_up(frame_of):
    result = unroll_arc(frame_of(wheel({-30: 0, 45: 90})), UnrollArcOptions(**RING)).pixels
    # 120 degrees at the middle radius of 60, and 20 pixels from 70 down to 50.
    assert result.shape == (20, 125)
    assert np.abs(result[9:11].astype(int) - 40).max() < 25
    for degrees, level in ((-30, 0), (45, 90)):
        column = round((degrees + 60) / 120 * 125)
        assert abs(int(result[4, column]) - level) < 25
    assert result[16].min() > 180


def test_unroll_arc_when_anticlockwise_then_the_inside_is_up_and_it_runs_the_other_way(frame_of):
    turned = RING | {"start_degrees": 60, "end_degrees": -60}
    there, back = (
        unroll_arc(frame_of(wheel({-30: 0, 45: 90})), UnrollArcOptions(**each)).pixels
        for each in (RING, turned)
    )
    assert np.abs(there.astype(int) - np.rot90(back, 2)).max() <= 1


def test_unroll_arc_when_the_ring_is_whole_then_all_of_it_is_laid_out(frame_of):
    whole = RING | {"start_degrees": 180, "end_degrees": 540}
    result = unroll_arc(frame_of(wheel({175: 0, 185: 90})), UnrollArcOptions(**whole)).pixels
    assert result.shape == (20, 376)
    assert result[4, round(175 / 360 * 376 + 188) % 376] < 40
    assert 60 < result[4, round(5 / 360 * 376)] < 120


@settings(max_examples=60, deadline=None)
@given(
    centre=st.tuples(st.floats(100, 200), st.floats(100, 200)),
    inner=st.floats(1, 80),
    thick=st.floats(5, 60),
    start=st.floats(-360, 360),
    turn=st.one_of(st.floats(5, 359), st.floats(-359, -5)),
    shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
)
def test_unroll_arc_when_mapped_there_and_back_then_returns(
    frame_of, centre, inner, thick, start, turn, shares
):
    options = UnrollArcOptions(
        centre_px=centre,
        inner_radius_px=inner,
        outer_radius_px=inner + thick,
        start_degrees=start,
        end_degrees=start + turn,
    )
    result = unroll_arc(frame_of(np.zeros((300, 300))), options)
    height, width = result.pixels.shape
    points = np.array(shares) * [width, height]
    original = result.transform.to_original(points)
    radius = np.hypot(*(original - centre).T)
    assert radius.min() > inner - 1e-9
    assert radius.max() < inner + thick + 1e-9
    assert np.allclose(result.transform.to_frame(original), points, rtol=0, atol=1e-6)


def ring_of_text(
    radius: float, middle: float, clockwise: bool, *, size=(760, 560), ink=0.45, cap_px=34
):
    """Text round a centre, with its middle about the middle of the picture, or a whole ring."""
    angle = np.radians(middle)
    centre = np.array(size) / 2
    if radius > 0.45 * min(size):
        centre = centre + radius * np.array([-np.sin(angle), np.cos(angle)])
    polar = Polar(*centre, radius, middle, clockwise)
    pixels, half = bent(polar.to_result, size, cap_px=cap_px, ink=ink)
    return pixels, polar, half


@pytest.mark.parametrize(
    ("radius", "middle", "clockwise"),
    [
        (150, 0, True),  # most of a ring that lies in the picture
        (150, 180, False),
        (220, 25, True),
        (420, -20, True),
        (420, 190, False),
        (900, 10, True),
        (1600, 175, False),
    ],
)
@pytest.mark.parametrize("ink", [0.45, 1.5], ids=["dark", "light"])
def test_unroll_arc_when_it_is_to_fit_then_the_text_comes_out_level_and_whole(
    frame_of, radius, middle, clockwise, ink
):
    pixels, polar, (wide, high) = ring_of_text(radius, middle, clockwise, ink=ink)
    result = unroll_arc(frame_of(pixels), UnrollArcOptions(fit=True))
    along = np.linspace(-wide, wide, 9)
    tops, bottoms = (
        result.transform.to_frame(polar.to_source(np.column_stack([along, np.full(9, level)])))
        for level in (-high, high)
    )
    assert np.ptp(tops[:, 1]) < 0.15 * 2 * high
    height, width = result.pixels.shape
    assert tops[:, 1].min() > 0
    assert bottoms[:, 1].max() < height < 2.2 * 2 * high
    assert 0 < tops[0, 0] < tops[-1, 0] < width < 2 * wide + 4.5 * 2 * high
    # Nothing is stretched by more than the text's own height asks for.
    assert (tops[-1, 0] - tops[0, 0]) == pytest.approx(2 * wide, rel=0.15)


@pytest.mark.parametrize("clockwise", [True, False])
def test_unroll_arc_when_told_which_way_text_runs_then_fits_so(frame_of, clockwise):
    # On its head for the camera: its middle is at 6 o'clock and its tops point out, or reversed.
    pixels, polar, (wide, _) = ring_of_text(200, 180 if clockwise else 0, clockwise)
    result = unroll_arc(frame_of(pixels), UnrollArcOptions(fit=True, clockwise=clockwise))
    begin, end = result.transform.to_frame(polar.to_source(np.array([[-wide, 0], [wide, 0]])))
    assert begin[0] < end[0]


@pytest.mark.parametrize("pixels", [np.full((50, 90), 100), np.zeros((1, 1, 3))])
def test_unroll_arc_when_there_is_nothing_to_fit_then_the_picture_stays(frame_of, pixels):
    frame = frame_of(pixels)
    assert unroll_arc(frame, UnrollArcOptions(fit=True)) is frame


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"centre_px": (100, 700)}, r"100% of the arc is not inside this picture of 200 x 180"),
        ({"centre_px": (100, 25)}, r"\d\d% of the arc is not inside"),
        ({"inner_radius_px": 900, "outer_radius_px": 910}, "100% of the arc is not inside"),
    ],
)
def test_unroll_arc_when_it_lies_outside_then_says_how_much(frame_of, changed, message):
    with pytest.raises(ImageError, match=message):
        unroll_arc(frame_of(wheel({})), UnrollArcOptions(**(RING | changed)))


def test_unroll_arc_when_the_result_would_be_too_wide_then_refuses_with_its_size(frame_of):
    options = UnrollArcOptions(
        centre_px=(6_000, 20),
        inner_radius_px=5_980,
        outer_radius_px=6_010,
        start_degrees=0,
        end_degrees=360,
    )
    with pytest.raises(ImageError, match="37667 x 30 pixels, more than 32766 on a side"):
        unroll_arc(frame_of(np.zeros((40, 50))), options)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({}, "give either fit: true or all of centre_px"),
        ({"fit": True, "centre_px": (1, 2)}, "give either fit: true or all of"),
        ({"centre_px": (1, 2), "inner_radius_px": 5}, "give either fit: true or all of"),
        (RING | {"clockwise": True}, "clockwise is for fit"),
        (RING | {"outer_radius_px": 50.5}, "a pixel or more over inner_radius_px"),
        (RING | {"end_degrees": -60}, "360 degrees or less, not 0"),
        (RING | {"end_degrees": 301}, "360 degrees or less, not 0"),
        (RING | {"centre_px": (float("nan"), 2)}, "less than or equal"),
        (RING | {"inner_radius_px": 0}, "greater than or equal to 1"),
    ],
)
def test_unroll_arc_options_when_they_make_no_sense_then_are_refused(typed, message):
    with pytest.raises(ValidationError, match=message):
        UnrollArcOptions(**typed)
