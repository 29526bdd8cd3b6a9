"""The sheet of failures: what differs is seen, and nothing that fails is left unsaid."""

from __future__ import annotations

import numpy as np
from scenes import decided, page, recipe

from flows.evaluation.judged import Judged
from flows.sheets.failures import Failing, compared, failures
from flows.sheets.ink import BLUE, FALSE, GREEN, STATUS, VERMILION

ONE_LETTER = 34 * 48


def count(sheet, colour):
    return (np.asarray(sheet) == colour).all(axis=2).sum()


def judged(verdict="wrong", status="read", wanted="KX20", read="KX70"):
    return Judged("a.png", "l.csv:2", "code", wanted, read, verdict, status, 0.9, "why", None)


def test_compared_when_one_character_differs_then_it_alone_has_a_ground():
    block = compared("KX20", "KX70", 900)
    for colour in (BLUE, VERMILION):
        assert ONE_LETTER / 2 < count(block, colour) < ONE_LETTER
    assert count(compared("KX20", "KX20", 900), VERMILION) == 0


def test_compared_when_one_is_missing_then_the_others_stay_under_each_other():
    block = compared("KX20", "X20", 900)
    assert 0.9 * ONE_LETTER < count(block, VERMILION) <= 1.1 * ONE_LETTER


def test_compared_when_nothing_was_read_then_no_character_is_called_different():
    for pair in (("KX20", ""), ("", "KX20"), ("", "")):
        assert count(compared(*pair, 900), VERMILION) == 0


def test_compared_when_codes_are_long_then_they_go_on_below():
    block = compared("A" * 100, "B" * 100, 900)
    assert block.width <= 900
    assert count(block, VERMILION) > 50 * ONE_LETTER


def test_failures_when_there_are_some_then_each_has_a_row_in_its_colour(tmp_path):
    plan = recipe(tmp_path)
    mine = decided(plan.fields[0])
    rows = [
        Failing(judged(), page([mine]), mine),
        Failing(judged("withheld", "unsure", read="KX20"), page([mine]), mine),
        Failing(judged("withheld", "failed", read=""), None, None),
    ]
    sheet = failures("mine on l.csv", "1 of 4 right", rows, 0)
    assert sheet.width == 1880
    for colour in (FALSE, STATUS["unsure"], STATUS["failed"]):
        assert count(sheet, colour) > 3000
    assert failures("mine on l.csv", "1 of 4 right", rows, 9).height > sheet.height


def test_failures_when_there_are_none_then_it_says_so():
    assert count(failures("mine on l.csv", "4 of 4 right", [], 0), GREEN) > 3000
