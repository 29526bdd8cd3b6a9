"""The list of steps as a recipe types it, and the laws that every operation keeps."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from curved import bent
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.errors import ImageError
from stages.options import Options
from stages.preprocess import OPERATIONS, Step, first_misfit, preprocess, stepwise
from stages.records import Frame

WIDTH, HEIGHT = 200, 150


class Recipe(Options):
    preprocess: tuple[Step, ...] = ()


odd = st.integers(0, 4).map(lambda half: 2 * half + 1)
margin = st.integers(0, 12)
fraction = st.floats(0, 0.2)
kernel = st.fixed_dictionaries({"kernel_px": odd})
morphology = st.fixed_dictionaries({"kernel_px": odd, "iterations": st.integers(1, 2)})
nothing = st.just({})


def polygon(levels: list[int]) -> dict:
    """A band of 30 pixels across 10 to 50 of the picture, bent at five places."""
    xs = (10, 20, 30, 40, 50)
    lower = [(x, y + 30) for x, y in zip(xs, levels, strict=True)]
    return {"points_px": [*zip(xs, levels, strict=True), *lower[::-1]], "margin_px": 2}


# Steps that fit whatever is left of the picture after three others: at least 50 x 40 pixels.
TYPED = {
    "bilateral": st.fixed_dictionaries({"diameter_px": odd, "sigma_colour": st.floats(1, 100)}),
    "black_hat": kernel,
    "blur": kernel,
    "brushed_metal": st.fixed_dictionaries({"degrees": st.none() | st.floats(-90, 90)}),
    "clahe": st.fixed_dictionaries({"clip_limit": st.floats(0.1, 10), "tiles": st.integers(1, 9)}),
    "close": morphology,
    "contrast": st.fixed_dictionaries({"factor": st.floats(0, 5)}),
    "crop": st.one_of(
        st.fixed_dictionaries({"left_px": margin, "top_px": margin}),
        st.fixed_dictionaries({"right_px": margin, "bottom_px": margin}),
        st.builds(lambda x, y: {"box_fraction": [x, y, 1 - y, 1 - x]}, fraction, fraction),
    ),
    "deskew": st.fixed_dictionaries({"max_degrees": st.floats(1, 20)}),
    "dilate": kernel,
    "erode": morphology,
    "gamma": st.fixed_dictionaries({"gamma": st.floats(0.1, 10)}),
    "glare": st.fixed_dictionaries({"level": st.integers(1, 255), "grow_px": margin}),
    "grey": st.sampled_from([{}, {"channel": "hue"}, {"weights": [1, 0.5, -1]}]),
    "illumination": st.fixed_dictionaries({"window_px": st.integers(3, 400)}),
    "invert": st.fixed_dictionaries({"auto": st.booleans()}),
    "median": kernel,
    "non_local_means": st.just({"template_px": 3, "search_px": 5}),
    "open": morphology,
    "perspective": st.builds(
        lambda x, y: {"corners_px": [[x, y], [30 + x, 0], [40, 20 + y], [0, 30]]},
        st.floats(0, 8),
        st.floats(0, 8),
    ),
    "resize": st.one_of(
        st.fixed_dictionaries({"scale": st.floats(0.8, 2)}),
        st.fixed_dictionaries({"width_px": st.integers(150, 300)}),
        st.fixed_dictionaries(
            {"width_px": st.integers(80, 300), "height_px": st.integers(80, 300)}
        ),
    ),
    "rotate": st.fixed_dictionaries({"degrees": st.floats(-360, 360), "expand": st.just(True)}),
    "sharpen": nothing,
    "threshold": st.fixed_dictionaries({"method": st.sampled_from(["otsu", "sauvola"])}),
    "top_hat": kernel,
    "unroll_arc": st.one_of(
        st.just({"fit": True}),
        st.builds(
            lambda start, turn: {
                "centre_px": [25, 20],
                "inner_radius_px": 5,
                "outer_radius_px": 20,
                "start_degrees": start,
                "end_degrees": start + turn,
            },
            st.floats(-180, 180),
            st.floats(30, 350) | st.floats(-350, -30),
        ),
    ),
    "unroll_polygon": st.one_of(
        st.just({"fit": True}),
        st.lists(st.integers(2, 10), min_size=5, max_size=5).map(polygon),
    ),
}
STRAIGHT = ("crop", "resize", "rotate")


def typed_steps(names: list[str]) -> st.SearchStrategy:
    return st.sampled_from(names).flatmap(
        lambda name: TYPED[name].map(lambda options: {name: options})
    )


# One that cuts out a part comes last, so that there is always enough left for it.
keeping = typed_steps(sorted(TYPED.keys() - {"perspective", "unroll_arc", "unroll_polygon"}))
cutting = typed_steps(["perspective", "unroll_arc", "unroll_polygon"])
chains = st.tuples(st.lists(keeping, max_size=3), st.lists(cutting, max_size=1)).map(
    lambda parts: [*parts[0], *parts[1]]
)
shares = st.tuples(st.floats(0, 1), st.floats(0, 1))


def steps(typed: list) -> tuple[Step, ...]:
    return Recipe.model_validate({"preprocess": typed}).preprocess


def test_laws_when_an_operation_is_added_then_it_is_held_to_them():
    assert sorted(TYPED) == sorted(OPERATIONS)


def hold_to_the_laws(source: Frame, typed: list, points: list) -> None:
    """The input is left alone, and every place of the result maps to the original and back."""
    pixels = source.pixels.copy()
    result = preprocess(source, steps(typed))
    assert np.array_equal(source.pixels, pixels)
    assert source.transform.steps == ()
    assert result.pixels.dtype == np.uint8
    assert result.pixels.ndim == 2 or result.pixels.shape[2:] == (3,)
    assert result.pixels.flags.c_contiguous
    assert not result.pixels.flags.writeable
    assert (result.image, result.page) == (source.image, source.page)
    places = np.array(points) * result.pixels.shape[1::-1]
    back = result.transform.to_frame(result.transform.to_original(places))
    assert np.allclose(back, places, rtol=0, atol=1e-6)
    assert pickle.loads(pickle.dumps(result.transform)) == result.transform


@settings(deadline=None, max_examples=60)
@given(typed=chains, colour=st.booleans(), points=st.lists(shares, min_size=1, max_size=4))
def test_preprocess_when_any_steps_are_chained_then_the_laws_hold(frame_of, typed, colour, points):
    shape = (HEIGHT, WIDTH, 3) if colour else (HEIGHT, WIDTH)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    hold_to_the_laws(frame_of(pixels), typed, points)


CUTS = st.builds(
    lambda x, y, width, height: {"box_fraction": [x, y, x + width, y + height]},
    *(st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0.1, 0.5), st.floats(0.1, 0.5)),
).map(lambda options: {"crop": options})
partly = typed_steps(sorted(name for name, each in OPERATIONS.items() if each.reads or each.part))


@settings(deadline=None, max_examples=150)
@given(
    typed=st.lists(partly, min_size=1, max_size=4),
    cut=CUTS,
    more=st.lists(typed_steps(["blur", "contrast", "erode", "resize"]), max_size=2),
    colour=st.booleans(),
    side=st.sampled_from([(HEIGHT, WIDTH), (700, 1300)]),
)
def test_preprocess_when_a_part_is_kept_then_the_result_is_that_of_whole_steps(
    frame_of, typed, cut, more, colour, side
):
    pixels = np.random.default_rng(1).integers(0, 256, (*side, 3) if colour else side, np.uint8)
    frame = frame_of(cv2.GaussianBlur(pixels, (0, 0), 1))
    chain = steps([*typed, cut, *more])
    try:
        *_, expected = stepwise(frame, chain)
    except ImageError as error:
        # The polygon or the arc is outside what the steps before it left.
        with pytest.raises(ImageError, match=re.escape(str(error))):
            preprocess(frame, chain)
        return

    result = preprocess(frame, chain)

    assert np.array_equal(result.pixels, expected.pixels)
    assert result.transform == expected.transform


def test_preprocess_when_a_crop_comes_last_then_the_rest_of_the_picture_is_let_go(frame_of):
    result = preprocess(frame_of(np.zeros((40, 60))), steps([{"crop": {"box_px": [5, 5, 9, 9]}}]))
    assert result.pixels.base is None


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_operation_when_run_alone_then_the_laws_hold(frame_of, name, colour, data):
    pixels, _ = bent(lambda points: points - [100, 60], (WIDTH, HEIGHT), cap_px=16)
    frame = frame_of(np.dstack([pixels, pixels // 2, pixels]) if colour else pixels)
    hold_to_the_laws(
        frame, [{name: data.draw(TYPED[name])}], data.draw(st.lists(shares, min_size=1))
    )


CUT_41 = {"crop": {"bottom_px": 41}}
SMALL = {
    "crop": {"left_px": 0},
    "contrast": {"factor": 3},
    "gamma": {"gamma": 2},
    "resize": {"scale": 1},
    "rotate": {"degrees": 30},
    "perspective": {"corners_px": [[0, 0], [1, 0], [1, 1], [0, 1]]},
    "unroll_arc": {"fit": True},
    "unroll_polygon": {"fit": True},
}


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 40, 3), (33, 2)])
def test_operation_when_the_picture_is_tiny_then_it_runs_all_the_same(frame_of, name, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape)
    result = preprocess(frame_of(pixels), steps([{name: SMALL.get(name)}]))
    assert result.pixels.size > 0


@settings(deadline=None, max_examples=60)
@given(
    typed=st.lists(typed_steps(list(STRAIGHT)), min_size=1, max_size=4),
    colour=st.booleans(),
    x=st.integers(60, 140),
    y=st.integers(50, 100),
)
def test_preprocess_when_the_picture_is_moved_then_a_dot_lands_where_the_transform_says(
    frame_of, typed, colour, x, y
):
    dot = np.zeros((HEIGHT, WIDTH, 3) if colour else (HEIGHT, WIDTH), np.uint8)
    dot[y - 4 : y + 4, x - 4 : x + 4] = 255
    black = [
        {"rotate": {**step["rotate"], "fill": 0}} if "rotate" in step else step for step in typed
    ]
    assert_the_dot_is_found(preprocess(frame_of(dot), steps(black)), x, y)


@settings(deadline=None, max_examples=60)
@given(
    centre=st.tuples(st.integers(40, 160), st.integers(150, 400)),
    x=st.integers(70, 130),
    y=st.integers(40, 110),
    clockwise=st.booleans(),
)
def test_preprocess_when_an_arc_is_unrolled_then_a_dot_lands_where_the_transform_says(
    frame_of, centre, x, y, clockwise
):
    dot = np.zeros((HEIGHT, WIDTH), np.uint8)
    dot[y - 3 : y + 3, x - 3 : x + 3] = 255
    radius = float(np.hypot(x - centre[0], y - centre[1]))
    angle = float(np.degrees(np.arctan2(x - centre[0], centre[1] - y)))
    ends = [angle - 8, angle + 9]
    arc = {
        "centre_px": centre,
        "inner_radius_px": max(radius - 18, 0),
        "outer_radius_px": radius + 14,
        "start_degrees": ends[0] if clockwise else ends[1],
        "end_degrees": ends[1] if clockwise else ends[0],
    }
    assert_the_dot_is_found(preprocess(frame_of(dot), steps([{"unroll_arc": arc}])), x, y)


def assert_the_dot_is_found(result: Frame, x: int, y: int) -> None:
    """The bright dot of the original's (x, y) lies within half a pixel of where it maps to."""
    seen = result.pixels.astype(float)
    weights = seen if seen.ndim == 2 else seen.mean(axis=2)
    [expected] = result.transform.to_frame([[x, y]])
    around = [[x + dx, y + dy] for dx in (-6, 6) for dy in (-6, 6)]
    corners = result.transform.to_frame(around)
    assume((corners >= 0).all() and (corners <= weights.shape[::-1]).all())
    rows, columns = np.indices(weights.shape) + 0.5
    found = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    assert np.abs(found - expected).max() < 0.5


@settings(deadline=None, max_examples=80)
@given(typed=chains)
def test_sizes_when_they_are_foretold_then_the_result_has_them(frame_of, typed):
    result = preprocess(frame_of(np.zeros((HEIGHT, WIDTH))), steps(typed))
    size = (WIDTH, HEIGHT)
    for step in steps(typed):
        size = OPERATIONS[step.name].size(step.options, size)
    for foretold, found in zip(size, result.pixels.shape[1::-1], strict=True):
        assert foretold in (None, found)


@pytest.mark.parametrize(
    ("typed", "index", "message"),
    [
        (
            [{"resize": {"width_px": 575, "height_px": 160}}, {"crop": {"box_px": [0, 0, 600, 9]}}],
            1,
            "x 0 to 600, y 0 to 9 is not inside this picture of 575 x 160 pixels",
        ),
        (
            [{"resize": {"width_px": 90}}, {"blur": None}, {"crop": {"left_px": 90}}],
            2,
            r"not inside this picture of 90 x \? pixels",
        ),
        (
            [{"crop": {"box_px": [9, 9, 50, 50]}}, {"rotate": {"degrees": 90}}, CUT_41],
            2,
            "picture of 41 x 41 pixels",
        ),
        (
            [{"unroll_polygon": polygon([5] * 5)}, {"crop": {"top_px": 34}}],
            1,
            "picture of 40 x 34 pixels",
        ),
        (
            [
                {"crop": {"box_px": [0, 0, 30, 30]}},
                {"perspective": {"corners_px": [[0, 0], [31, 0], [30, 30], [0, 30]]}},
            ],
            1,
            r"the point \[31, 0\] is not inside this picture of 30 x 30 pixels",
        ),
        (
            [
                {"crop": {"box_px": [0, 0, 30, 30]}},
                {
                    "unroll_arc": {
                        "centre_px": [15, 90],
                        "inner_radius_px": 10,
                        "outer_radius_px": 20,
                        "start_degrees": 0,
                        "end_degrees": 90,
                    }
                },
            ],
            1,
            "100% of the arc is not inside",
        ),
        ([{"resize": {"width_px": 90_000, "height_px": 9_000}}], 0, "90000 x 9000 pixels, more"),
    ],
)
def test_first_misfit_when_no_picture_can_fit_then_tells_the_step_and_why(typed, index, message):
    found, words = first_misfit(steps(typed))
    assert found == index
    assert re.search(message, words)


def test_first_misfit_when_it_depends_on_the_picture_then_there_is_none():
    typed = [{"crop": {"left_px": 9999}}, {"unroll_arc": {"fit": True}}, {"crop": {"top_px": 999}}]
    assert first_misfit(steps(typed)) is None


def test_preprocess_when_opencv_refuses_then_the_error_names_the_step(frame_of, monkeypatch):
    broken = replace(OPERATIONS["erode"], apply=lambda frame, _: cv2.cvtColor(frame.pixels, 9999))
    monkeypatch.setitem(OPERATIONS, "erode", broken)
    with pytest.raises(ImageError, match=r"^preprocess\[0\] erode: OpenCV .* 4 x 3 pixels"):
        preprocess(frame_of(np.zeros((3, 4))), steps([{"erode": None}]))


def test_preprocess_when_given_the_original_programs_recipe_then_runs_it(frame_of):
    typed = [
        {"crop": {"left_px": 1100}},
        {"rotate": {"degrees": -45, "expand": True}},
        {"crop": {"box_fraction": [0.25, 0.25, 0.75, 0.75]}},
        {"contrast": {"factor": 3}},
        {"blur": {"kernel_px": 15}},
        {"bilateral": {"diameter_px": 15, "sigma_colour": 75, "sigma_space_px": 75}},
        {"erode": {"kernel_px": 5, "iterations": 2}},
        {"dilate": {"kernel_px": 5, "iterations": 2}},
        {"resize": {"width_px": 575, "height_px": 160}},
    ]
    picture = np.random.default_rng(2).integers(0, 256, (300, 1600, 3), dtype=np.uint8)
    result = preprocess(frame_of(picture), steps(typed))
    assert result.pixels.shape == (160, 575, 3)
    # The middle of the result is the middle of what the first crop left.
    [middle] = result.transform.to_original([[287.5, 80]])
    assert np.abs(middle - [1350, 150]).max() < 1


def test_preprocess_when_there_are_no_steps_then_gives_the_frame_itself(frame_of):
    frame = frame_of([[1, 2]])
    assert preprocess(frame, ()) is frame


def test_preprocess_when_a_step_does_not_fit_then_the_error_names_it(frame_of):
    typed = [{"erode": None}, {"crop": {"left_px": 1100}}]
    with pytest.raises(ImageError, match=r"^preprocess\[1\] crop: .* 4 x 3 pixels"):
        preprocess(frame_of(np.zeros((3, 4))), steps(typed))


def test_step_when_options_are_null_then_the_defaults_hold():
    [step] = steps([{"erode": None}])
    assert step.name == "erode"
    assert step.options == OPERATIONS["erode"].options()


def test_step_when_dumped_pickled_or_typed_again_then_stays_the_same():
    recipe = Recipe.model_validate(
        {
            "preprocess": [
                {"crop": {"box_px": [1, 2, 3, 4]}},
                {"crop": {"left_px": 1}},
                {"blur": None},
            ]
        }
    )
    assert recipe.model_dump()["preprocess"][2] == {"blur": {"kernel_px": 5}}
    assert Recipe.model_validate(recipe.model_dump()) == recipe
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert len({recipe, Recipe.model_validate(recipe.model_dump())}) == 1


@pytest.mark.parametrize(
    ("typed", "place", "message"),
    [
        ({"contrast": {"factor": -1}}, ("contrast", "factor"), "greater than or equal to 0"),
        ({"contrast": None}, ("contrast", "factor"), "Field required"),
        ({"erode": {"kernel": 5}}, ("erode", "kernel"), "not permitted"),
        ({"blur": {"kernel_px": 14}}, ("blur", "kernel_px"), "13 or 15"),
        (
            {"unroll_polygon": {"points_px": [[1, 2], [3, 4]]}},
            ("unroll_polygon", "points_px"),
            "give three or more",
        ),
        ({"blur": 15}, ("blur",), "valid dictionary"),
        ({"crop": None}, ("crop",), "exactly one of the three"),
        ({"gauss": {}}, (), f"'gauss'; known are {', '.join(OPERATIONS)}"),
        ({7: {}}, (), "unknown operation 7"),
        ({"erode": None, "dilate": None}, (), "`- contrast: {factor: 3}`"),
        ({}, (), "one operation per item"),
        ("erode", (), "one operation per item"),
        (None, (), "one operation per item"),
    ],
)
def test_step_when_typed_wrongly_then_the_error_says_where_and_what(typed, place, message):
    with pytest.raises(ValidationError) as caught:
        steps([{"erode": None}, {"dilate": None}, typed])
    [error] = caught.value.errors()
    assert error["loc"] == ("preprocess", 2, *place)
    assert message in error["msg"]
