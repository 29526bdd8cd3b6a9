"""The drawn curves."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from flows.evaluation import pictures
from flows.evaluation.calibration import reliability
from flows.evaluation.report import Result
from flows.evaluation.risk import operating_points, risk_coverage
from flows.evaluation.scores import score
from stages.errors import ConfigError


def drawn(path):
    """Width, height and colours of a picture."""
    with Image.open(path) as picture:
        colours = picture.convert("RGB").getcolors(1 << 20)
        return *picture.size, {colour for _, colour in colours}


@pytest.fixture
def result(prediction):
    def make(set_name, contender, right):
        rng = np.random.default_rng(right)
        made = [
            prediction("A", "A" if index < right else "B", float(rng.random()))
            for index in range(100)
        ]
        chances = [each.confidence for each in made]
        truths = [index < right for index in range(100)]
        return Result(
            set_name,
            contender,
            score(made),
            risk_coverage(made),
            operating_points(made, rng),
            reliability(chances, truths),
        )

    return make


def test_curves_when_drawn_then_a_row_of_panels_for_each_set(result, tmp_path):
    one = [result("a", "x", 90), result("a", "y", 0)]

    pictures.draw_results(one, tmp_path / "one.png")
    pictures.draw_results([*one, result("b", "x", 100)], tmp_path / "two.png")

    width, height, colours = drawn(tmp_path / "one.png")
    assert drawn(tmp_path / "two.png")[:2] == (width, 2 * height)
    # a line for each recogniser
    assert {(31, 119, 180), (255, 127, 14)} <= colours


def test_curves_when_nothing_was_read_then_the_panels_are_there(result, prediction, tmp_path):
    none = [prediction("A", "")]
    points = operating_points(none, np.random.default_rng(1))
    empty = Result("a", "x", score(none), risk_coverage(none), points, reliability([], []))

    pictures.draw_results([empty], tmp_path / "a.png")
    pictures.draw_results([result("a", "x", 90)], tmp_path / "b.png")

    assert drawn(tmp_path / "a.png")[:2] == drawn(tmp_path / "b.png")[:2]


def test_reliability_when_drawn_alone_then_a_picture(tmp_path):
    pictures.draw_reliability({"x": reliability([0.5, 0.9], [True, True])}, tmp_path / "a.png")

    assert (31, 119, 180) in drawn(tmp_path / "a.png")[2]


@pytest.mark.parametrize(
    ("name", "words"), [("a.xyz", "no kind of picture"), ("none/a.png", "no such folder")]
)
def test_require_when_the_file_cannot_be_made_then_said_before_the_work(tmp_path, name, words):
    with pytest.raises(ConfigError, match=words):
        pictures.require(tmp_path / name)


def test_require_when_matplotlib_is_not_installed_then_the_error_says_how(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(ConfigError, match=r"pip install matplotlib"):
        pictures.require(tmp_path / "a.png")
