"""Every recipe in `conf/recipes/` loads, and reads the sample pictures that it is for."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import yaml

from flows import graph
from flows.commands import reading
from flows.configuration import recipes
from flows.configuration.recipes import Recipe
from flows.configuration.settings import Layout, Settings
from flows.engines import ENGINES
from stages.decode import DecodeOptions
from stages.records import Mark, Report

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data" / "samples"
EXAMPLE = ROOT / "conf" / "recipes" / "hard-turning.example.yaml"
FILES = sorted((ROOT / "conf" / "recipes").glob("*.yaml"))

with open(SAMPLES / "expected.csv", encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
with open(SAMPLES / "hard-turning.csv", encoding="utf-8", newline="") as _file:
    (HARD,) = csv.DictReader(_file)


@pytest.fixture(scope="module", autouse=True)
def _engines() -> Iterator[None]:
    yield
    ENGINES.close()


def marks(recipe: Recipe, *names: str) -> list[Mark]:
    """What the recipe reads on each of these sample pictures."""
    images = [made.image(n, path=str(SAMPLES / name)) for n, name in enumerate(names)]
    outcomes = graph.run_here(images, recipe, DecodeOptions())
    assert all(isinstance(outcome, Report) for outcome in outcomes), outcomes
    return [outcome.marks[0] for outcome in outcomes]


def recipe_of(path: Path) -> Recipe:
    return reading.recipe_of(Layout(ROOT), str(path), Settings())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recipe_when_shipped_then_loads_and_reads_a_picture_of_its_camera(path):
    recipe = recipe_of(path)
    assert recipe.version.startswith(f"{path.stem}@")
    rows = [row for row in ROWS if row["camera"] == path.stem]
    if path == EXAMPLE:
        rows = [{"file": HARD["file"], "code": HARD["text"]}]
    elif path.stem == recipes.DEFAULT:
        rows = [row for row in ROWS if row["camera"] == "labels"]
    found = marks(recipe, *(row["file"] for row in rows))
    assert {mark.code for mark in found} & {row["code"] for row in rows}


def test_recipes_when_they_are_cameras_then_each_has_samples():
    cameras = {row["camera"] for row in ROWS} | {recipes.DEFAULT}
    assert cameras == set(recipes.names(Layout(ROOT)))


def assert_found(mark: Mark) -> None:
    """Read right, and placed to within one per cent of the picture's width and height."""
    assert (mark.status, mark.code) == ("read", HARD["text"])
    assert mark.reading is not None
    sides = (3264, 2448) * 2
    for found, true, side in zip(mark.reading.box, json.loads(HARD["cord"]), sides, strict=True):
        assert abs(found - true) <= 0.01 * side
    corners = zip(mark.reading.outline, json.loads(HARD["outline"]), strict=True)
    for found, true in corners:
        for place, where, side in zip(found, true, sides, strict=False):
            assert abs(place - where) <= 0.015 * side


def test_example_when_it_runs_the_original_process_then_the_code_is_right_and_in_its_place():
    names = [step.name for step in recipe_of(EXAMPLE).preprocess]
    assert names == [
        *("crop", "rotate", "unroll_polygon", "crop", "contrast"),
        *("blur", "bilateral", "erode", "dilate", "resize"),
    ]
    [mark] = marks(recipe_of(EXAMPLE), HARD["file"])
    assert_found(mark)


@pytest.mark.parametrize(
    "steps",
    [
        [{"crop": {"box_px": [1000, 300, 2800, 2100]}}, {"unroll_arc": {"fit": True}}],
        [
            {"crop": {"left_px": 1100}},
            {"rotate": {"degrees": -45}},
            {"crop": {"box_px": [200, 1000, 2900, 1900]}},
            {"unroll_polygon": {"fit": True}},
        ],
    ],
    ids=["arc", "polygon"],
)
def test_example_when_it_is_to_find_the_curvature_itself_then_the_code_is_right_too(
    tmp_path, steps
):
    content = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    path = tmp_path / "hard-turning.yaml"
    path.write_text(yaml.safe_dump(content | {"preprocess": steps}), encoding="utf-8")
    [mark] = marks(recipe_of(path), HARD["file"])
    assert (mark.status, mark.code) == ("read", HARD["text"])


MISTAKES = """\
preprocess:
  - crop: {left_px: 1100}
  - unroll: {points: 13}
  - blur: {kernel_px: 4}
  - unroll_polygon:
      margin_px: 4
      points_px: [[1, 2], [30, 4]]
  - crop:
      box_px: [900, 0, 100, 50]
"""


def test_recipe_when_it_has_mistakes_then_all_are_told_with_file_line_and_remedy(tmp_path):
    layout = Layout(tmp_path)
    layout.recipes.mkdir(parents=True)
    (layout.recipes / "cam.yaml").write_text(MISTAKES)
    with pytest.raises(recipes.ConfigError) as caught:
        recipes.load(layout, "cam", Settings().recogniser)
    lines = str(caught.value).splitlines()
    file = "conf/recipes/cam.yaml"
    assert [line.partition(" ")[0] for line in lines] == [f"{file}:{n}" for n in (3, 4, 7, 9)]
    for line, words in zip(
        lines,
        (
            "preprocess[1]: unknown operation 'unroll'; known are bilateral, ",
            "preprocess[2].blur.kernel_px: 4: 4 has no middle pixel; use an odd number, 3 or 5",
            "preprocess[3].unroll_polygon.points_px: 2 points are no polygon; give three or more",
            "preprocess[4].crop.box_px: give [x1, y1, x2, y2] with x1 left of x2",
        ),
        strict=True,
    ):
        assert words in line


def test_recipe_when_a_crop_can_lie_in_no_picture_then_it_is_told_with_file_and_line(tmp_path):
    layout = Layout(tmp_path)
    layout.recipes.mkdir(parents=True)
    (layout.recipes / "cam.yaml").write_text(
        "preprocess:\n  - resize: {width_px: 575, height_px: 160}\n  - blur:\n"
        "  - crop:\n      box_px: [0, 0, 600, 100]\n"
    )
    with pytest.raises(recipes.ConfigError) as caught:
        recipes.load(layout, "cam", Settings().recogniser)
    assert str(caught.value) == (
        "conf/recipes/cam.yaml:4 preprocess[2].crop: the part x 0 to 600, y 0 to 100 is not inside "
        "this picture of 575 x 160 pixels: correct the recipe, or the camera's resolution"
    )
