"""The bars are as long as the confidences are high, and doubt is seen."""

from __future__ import annotations

import numpy as np
import pytest

from flows.sheets import evidence
from flows.sheets.ink import BLUE, GREEN, ORANGE
from stages.records import Character


def count(block, colour):
    return (np.asarray(block) == colour).all(axis=2).sum()


def test_characters_when_one_is_doubtful_then_its_bar_is_short_and_orange():
    sure = evidence.characters([Character("A", 1.0)], 700)
    half = evidence.characters([Character("A", 0.5)], 700)
    assert count(sure, ORANGE) == 0
    assert count(half, BLUE) == 0
    assert count(half, ORANGE) == pytest.approx(count(sure, BLUE) / 2, rel=0.05)


@pytest.mark.parametrize("odd", [float("nan"), -1.0, 2.0])
def test_characters_when_a_confidence_is_no_probability_then_they_are_drawn_still(odd):
    one = Character("\ud800", odd, steered_confidence=odd, alternative="\n", grade="F")
    block = evidence.characters([one], 700)
    assert count(block, ORANGE) + count(block, BLUE) > 0


def test_characters_when_told_the_format_then_a_second_bar_shows_it():
    assert count(evidence.characters([Character("A", 0.9)], 700), GREEN) == 0
    assert count(evidence.characters([Character("A", 0.9, steered_confidence=1.0)], 700), GREEN) > 0


def test_characters_when_there_are_too_many_for_a_row_then_they_go_on_below():
    one, many = (evidence.characters([Character("A", 1.0)] * n, 700) for n in (10, 60))
    assert many.width <= 700
    assert many.height > 3 * one.height
    assert count(many, BLUE) == 6 * count(one, BLUE)


def test_gauge_when_under_the_threshold_then_it_is_orange_as_far_as_the_confidence():
    block = evidence.gauge(0.5, 0.8, 401)
    colours = np.asarray(block)[20]
    assert (colours == ORANGE).all(axis=1).sum() == pytest.approx(200, abs=2)
    assert count(evidence.gauge(0.8, 0.8, 401), ORANGE) == 0
