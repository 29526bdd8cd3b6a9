"""The recipe's text: it loads, says what was found, and explains it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import load_files
from flows.configuration.settings import Layout
from flows.proposing.trials import Trial, detector, step
from flows.proposing.writing import Proposal, recipe_text

CROP = step("crop", box_px=[10, 20, 300, 200])
PROPOSAL = Proposal(
    description="It's from 3 pictures: say #here",
    about=("Proposed from 3 pictures. " * 8,),
    trial=Trial(detector("neural", margin=0.1, max_side_px=1600), (CROP, step("clahe"))),
    reasons={CROP: "crop: holds the text"},
    case="upper",
    pattern=r"[A-Z]{2}'?-\d{6}",
    pattern_reason="The shape of 5 different codes.",
    sure=True,
    threshold=0.93,
    threshold_reason="The default.",
)


@pytest.mark.parametrize("sure", [True, False])
def test_text_when_loaded_then_is_the_proposal(tmp_path: Path, sure: bool) -> None:
    path = tmp_path / "cam.yaml"
    path.write_text(recipe_text(replace(PROPOSAL, sure=sure)), encoding="utf-8")
    recipe = load_files(Layout(tmp_path), "cam", [path], RecogniserChoice(use="trocr"))
    [plan] = recipe.fields
    assert recipe.preprocess == PROPOSAL.trial.steps
    assert plan.detect.margin == 0.1
    assert plan.detector.options.max_side_px == 1600
    assert plan.threshold == 0.93
    assert plan.map.format == (PROPOSAL.pattern if sure else None)
    assert yaml.safe_load(path.read_text())["description"] == PROPOSAL.description


def test_text_when_written_then_says_why_and_only_what_is_no_default() -> None:
    lines = recipe_text(PROPOSAL).splitlines()
    assert lines[lines.index("  # crop: holds the text") + 1].startswith("  - crop: {box_px:")
    assert "  - clahe: {}" in lines
    assert "    detect: {use: neural, margin: 0.1, max_side_px: 1600}" in lines
    assert max(map(len, lines)) <= 100


def test_text_when_there_is_no_step_then_those_of_the_default_recipe_do_not_hold() -> None:
    bare = replace(PROPOSAL, trial=Trial(detector("neural")), pattern=None)
    assert yaml.safe_load(recipe_text(bare))["preprocess"] == []
