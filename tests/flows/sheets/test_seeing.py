"""What is seen is what the graph did: the same marks, every step, and the regions in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flows import graph
from flows.commands import reading
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from flows.engines import ENGINES
from flows.sheets import seeing
from stages.decode import DecodeOptions
from stages.preprocess import preprocess, stepwise

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "data" / "samples"
HARD = "conf/recipes/hard-turning.example.yaml"


@pytest.fixture(scope="module", autouse=True)
def engines():
    yield
    ENGINES.close()


def plan_of(recipe):
    name = str(ROOT / recipe) if recipe.endswith(".yaml") else recipe
    return reading.recipe_of(Layout(ROOT), name, settings.load(ROOT))


@pytest.mark.parametrize(
    ("name", "recipe", "code"),
    [("hard-turning.png", HARD, "HT04812509KA70416"), ("press-3-01.png", "press-3", "KX204817")],
)
def test_see_when_a_sample_is_read_then_it_shows_what_the_graph_does(name, recipe, code):
    plan = plan_of(recipe)
    image = reading.image_of(SAMPLES / name)
    seen = seeing.see(image, plan, DecodeOptions())
    [outcome] = graph.run_here([image], plan, DecodeOptions())
    assert seen.outcome.marks == outcome.marks
    [page] = seen.pages
    [decided] = page.decided
    assert decided.mark.code == code
    assert [step.name for step in page.steps] == [step.name for step in plan.preprocess]
    assert all(max(step.pixels.shape[:2]) <= 1120 for step in page.steps)
    [line] = decided.lines
    x1, y1, x2, y2 = decided.mark.reading.box
    assert line.shape.min(axis=0) == pytest.approx([x1, y1], abs=3)
    assert line.shape.max(axis=0) == pytest.approx([x2, y2], abs=3)


def test_see_when_the_recipe_bends_text_straight_then_the_outline_follows_the_part():
    image = reading.image_of(SAMPLES / "hard-turning.png")
    [page] = seeing.see(image, plan_of(HARD), DecodeOptions()).pages
    [line] = page.lines
    corners = line.shape[:: len(line.shape) // 4][:2]
    upper = line.shape[: len(line.shape) // 4]
    along = (corners[1] - corners[0]) / np.hypot(*(corners[1] - corners[0]))
    sag = (upper - corners[0]) @ np.array([-along[1], along[0]])
    assert np.abs(sag).max() > 30


def test_see_when_a_step_cannot_be_done_then_shows_those_before_it(tmp_path):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("preprocess: [{contrast: {factor: 2}}, {crop: {left_px: 5000}}]\n")
    site = settings.load(ROOT)
    plan = recipes.load_files(Layout(ROOT), "r", [recipe], site.recogniser)
    image = reading.image_of(SAMPLES / "labels-01.png")
    seen = seeing.see(image, plan, DecodeOptions())
    assert seen.outcome.stage == "preprocess"
    [page] = seen.pages
    assert [(step.name, step.options) for step in page.steps] == [("contrast", "factor 2")]
    assert page.ready is None
    assert page.lines == ()


def test_see_when_it_is_no_picture_then_there_are_no_pages(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    seen = seeing.see(reading.image_of(path), plan_of("press-3"), DecodeOptions())
    assert seen.outcome.stage == "decode"
    assert seen.pages == ()


def test_see_when_pages_differ_then_each_has_its_own(tmp_path):
    path = tmp_path / "two.tif"
    pages = [Image.new("L", (60, 40), 128), Image.new("L", (30, 20), 128)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    seen = seeing.see(reading.image_of(path), plan_of("press-3"), DecodeOptions())
    assert [page.size for page in seen.pages] == [(60, 40), (30, 20)]
    assert [len(page.decided) for page in seen.pages] == [1, 1]
    assert seen.pages[0].decided[0].mark.reason == "no text was found"


def test_options_when_put_in_words_then_as_the_recipe_has_them():
    words = seeing.options_in_words(
        {"factor": 3.0, "expand": True, "box": [1, 2], "points": [[1, 2]] * 13, "fill": None}
    )
    assert words == "factor 3, expand true, box 1 2, points (13 points), fill null"


def test_stepwise_when_taken_to_its_end_then_gives_what_preprocess_gives():
    plan = plan_of(HARD)
    image = reading.image_of(SAMPLES / "hard-turning.png")
    [frame] = graph.trace(image, plan_of("press-3"), DecodeOptions(), lambda *_: None).frames
    frames = list(stepwise(frame, plan.preprocess))
    last = preprocess(frame, plan.preprocess)
    assert len(frames) == len(plan.preprocess)
    assert (frames[-1].pixels == last.pixels).all()
    assert frames[-1].transform == last.transform
    assert preprocess(frame, ()) is frame
