"""The sheet of one picture: for everything that can come of a picture, in the status's colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made import failure, image
from scenes import PIXELS, decided, page, recipe, seen, step

from flows.sheets.explained import explained
from flows.sheets.ink import STATUS
from flows.sheets.seeing import Page, Seen
from stages.records import Mark

STEPS = "preprocess: [{contrast: {factor: 3}}, {blur: {kernel_px: 5}}]\n"


def count(sheet, colour):
    return (np.asarray(sheet) == colour).all(axis=2).sum()


@pytest.mark.parametrize("status", ["read", "unsure", "mismatch"])
def test_explained_when_text_was_read_then_shows_its_status_and_no_other(tmp_path, status):
    plan = recipe(tmp_path)
    sheet = explained(seen(plan, [page([decided(plan.fields[0], status)])]))
    assert sheet.width == 2040
    assert count(sheet, STATUS[status]) > 5000
    for other in {"read", "unsure", "mismatch", "unread"} - {status}:
        # a doubtful character's bar is orange as well
        assert count(sheet, STATUS[other]) < 1500


def test_explained_when_nothing_was_found_then_shows_the_picture_and_unread(tmp_path):
    plan = recipe(tmp_path)
    mark = Mark("code", 1, "unread", reason="no text was found")
    none = replace(decided(plan.fields[0]), mark=mark, lines=(), stages=(), likely=())
    sheet = explained(seen(plan, [page([none])]))
    assert count(sheet, STATUS["unread"]) > 5000
    assert count(sheet, (120, 120, 120)) > 100_000


def test_explained_when_the_picture_could_not_be_opened_then_says_why_in_a_small_sheet(tmp_path):
    sheet = explained(Seen(failure(), recipe(tmp_path), ()))
    assert sheet.width == 2040
    assert sheet.height < 400
    assert count(sheet, STATUS["failed"]) > 3000


def test_explained_when_a_step_fails_then_shows_the_steps_before_it_and_where(tmp_path):
    plan = recipe(tmp_path, STEPS)
    broken = replace(failure(), stage="preprocess", reason="preprocess[1] blur: too much")
    empty = Page(1, PIXELS, (400, 200), (step(),), None, (1, 1), (), ())
    before = explained(Seen(broken, plan, (replace(empty, steps=()),)))
    sheet = explained(Seen(broken, plan, (empty,)))
    assert count(sheet, (120, 120, 120)) > count(before, (120, 120, 120))
    assert count(sheet, STATUS["failed"]) > 3000


def test_explained_when_there_are_many_pages_then_the_first_are_drawn_and_the_rest_said(tmp_path):
    plan = recipe(tmp_path)
    one = page([decided(plan.fields[0])])
    heights = [explained(seen(plan, [one] * pages)).height for pages in (6, 7, 40)]
    assert 0 < heights[1] - heights[0] < 120
    assert 0 <= heights[2] - heights[1] < 200


def test_explained_when_a_name_has_letters_that_the_typeface_lacks_then_it_is_drawn(tmp_path):
    plan = recipe(tmp_path)
    one = seen(plan, [page([decided(plan.fields[0], "mismatch", candidate="Ж" * 90)])])
    odd = replace(one.outcome, image=image(name="Prüfling-中.png"))
    assert explained(replace(one, outcome=odd)).width == 2040
