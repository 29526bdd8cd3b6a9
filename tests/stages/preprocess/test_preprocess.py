"""The list of steps as a recipe types it, and the laws that every operation keeps."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.errors import ImageError
from stages.options import Options
from stages.preprocess import OPERATIONS, Step, preprocess

WIDTH, HEIGHT = 200, 150


class Recipe(Options):
    preprocess: tuple[Step, ...] = ()


odd = st.integers(0, 4).map(lambda half: 2 * half + 1)
margin = st.integers(0, 12)
fraction = st.floats(0, 0.2)
TYPED = {
    "bilateral": st.fixed_dictionaries({"diameter_px": odd, "sigma_colour": st.floats(1, 100)}),
    "blur": st.fixed_dictionaries({"kernel_px": odd}),
    "contrast": st.fixed_dictionaries({"factor": st.floats(0, 5)}),
    "crop": st.one_of(
        st.fixed_dictionaries({"left_px": margin, "top_px": margin}),
        st.fixed_dictionaries({"right_px": margin, "bottom_px": margin}),
        st.builds(lambda x, y: {"box_fraction": [x, y, 1 - y, 1 - x]}, fraction, fraction),
    ),
    "dilate": st.fixed_dictionaries({"kernel_px": odd}),
    "erode": st.fixed_dictionaries({"kernel_px": odd, "iterations": st.integers(1, 2)}),
    "resize": st.one_of(
        st.fixed_dictionaries({"scale": st.floats(0.5, 2)}),
        st.fixed_dictionaries({"width_px": st.integers(50, 300)}),
        st.fixed_dictionaries(
            {"width_px": st.integers(50, 300), "height_px": st.integers(50, 300)}
        ),
    ),
    "rotate": st.fixed_dictionaries({"degrees": st.floats(-360, 360), "expand": st.just(True)}),
}
typed_steps = st.sampled_from(sorted(TYPED)).flatmap(
    lambda name: TYPED[name].map(lambda options: {name: options})
)
geometry = st.sampled_from(["crop", "resize", "rotate"]).flatmap(
    lambda name: TYPED[name].map(lambda options: {name: options})
)


def steps(typed: list) -> tuple[Step, ...]:
    return Recipe.model_validate({"preprocess": typed}).preprocess


def test_laws_when_an_operation_is_added_then_it_is_held_to_them():
    assert sorted(TYPED) == sorted(OPERATIONS)


@settings(deadline=None, max_examples=60)
@given(
    typed=st.lists(typed_steps, max_size=4),
    colour=st.booleans(),
    points=st.lists(st.tuples(st.floats(-50, 400), st.floats(-50, 400)), min_size=1, max_size=4),
)
def test_preprocess_when_any_steps_are_chained_then_the_laws_hold(frame_of, typed, colour, points):
    shape = (HEIGHT, WIDTH, 3) if colour else (HEIGHT, WIDTH)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    source = frame_of(pixels)
    result = preprocess(source, steps(typed))
    assert np.array_equal(source.pixels, pixels)
    assert source.transform.steps == ()
    assert result.pixels.dtype == np.uint8
    assert result.pixels.ndim == pixels.ndim
    assert result.pixels.flags.c_contiguous
    assert not result.pixels.flags.writeable
    assert (result.image, result.page) == (source.image, source.page)
    back = result.transform.to_frame(result.transform.to_original(points))
    assert np.allclose(back, points, rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    typed=st.lists(geometry, min_size=1, max_size=4),
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
    result = preprocess(frame_of(dot), steps(black))
    seen = result.pixels.astype(float)
    weights = seen if seen.ndim == 2 else seen.mean(axis=2)
    [expected] = result.transform.to_frame([[x, y]])
    around = [[x + dx, y + dy] for dx in (-6, 6) for dy in (-6, 6)]
    corners = result.transform.to_frame(around)
    assume((corners >= 0).all() and (corners <= weights.shape[::-1]).all())
    rows, columns = np.indices(weights.shape) + 0.5
    found = np.array([(weights * columns).sum(), (weights * rows).sum()]) / weights.sum()
    assert np.abs(found - expected).max() < 0.5


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
        ({"blur": 15}, ("blur",), "valid dictionary"),
        ({"crop": None}, ("crop",), "exactly one of the three"),
        ({"sharpen": {}}, (), f"'sharpen'; known are {', '.join(OPERATIONS)}"),
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
