"""Lines that a detector cut in two are joined in the direction of the text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map.join import joined_lines, text_height, whole_lines

FORMAT = r"MW-\d{4}-\d{4}"


def _turned(outline, degrees):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return tuple(tuple(map(float, point @ turn)) for point in np.array(outline))


@settings(deadline=None)
@given(st.floats(-180.0, 180.0), st.booleans())
def test_join_when_two_parts_of_a_turned_line_then_text_and_outline_follow_it(
    reading, degrees, swapped
):
    left = ((0, 0), (84, 0), (84, 20), (0, 20))
    right = ((90, 2), (150, 2), (150, 22), (90, 22))
    parts = [
        reading("MW-2048", outline=_turned(left, degrees)),
        reading("-1175", outline=_turned(right, degrees)),
    ]
    (joined,) = joined_lines(parts[::-1] if swapped else parts)
    assert joined.transcript.text == "MW-2048-1175"
    assert "".join(each.char for each in joined.transcript.characters) == "MW-2048-1175"
    hull = _turned(((0, 0), (150, 0), (150, 22), (0, 22)), degrees)
    assert np.allclose(joined.outline, hull, atol=1e-6)
    assert np.allclose(joined.box[:2], np.array([part.box for part in parts])[:, :2].min(axis=0))
    assert np.allclose(joined.box[2:], np.array([part.box for part in parts])[:, 2:].max(axis=0))


@pytest.mark.parametrize(
    ("at", "height"),
    [
        ((10, 45), 20.0),  # the next line
        ((130, 10), 20.0),  # the same line, too far away
        ((100, 0), 40.0),  # twice as high
        ((60, 10), 20.0),  # over the end of the first
        ((100, 22), 20.0),  # less than half of the height beside it
    ],
)
def test_join_when_second_is_no_neighbour_then_nothing_is_joined(reading, at, height):
    assert joined_lines([reading("MW-2048"), reading("-1175", at=at, height=height)]) == []


def test_join_when_directions_differ_then_nothing_is_joined(reading):
    upright = ((100, 10), (100, 70), (80, 70), (80, 10))
    assert joined_lines([reading("MW-2048"), reading("-1175", outline=upright)]) == []


def test_join_when_three_parts_then_every_run_of_neighbours(reading):
    parts = [reading(text, at=(x, 10)) for text, x in (("C", 60), ("A", 0), ("B", 30))]
    texts = sorted(joined.transcript.text for joined in joined_lines(parts))
    assert texts == ["AB", "ABC", "BC"]


def test_join_when_outlines_have_no_size_then_does_not_fail(reading):
    point = ((5.0, 5.0),) * 4
    assert joined_lines([reading("A", outline=point), reading("B", outline=point)]) == []


def test_text_height_when_line_is_turned_then_is_measured_across_the_text(reading):
    outline = _turned(((0, 0), (84, 0), (84, 20), (0, 20)), 37)
    assert text_height(reading("MW-2048", outline=outline)) == pytest.approx(20)


def test_map_when_a_code_was_cut_in_two_then_it_is_read_as_one(reading, mapped):
    (mark,) = mapped(
        reading("-1175", at=(100, 11)),
        reading("ACME", at=(10, 100), height=60.0),
        reading("MW-2048"),
        format=FORMAT,
    )
    assert (mark.status, mark.code) == ("read", "MW-2048-1175")
    assert mark.reading.box == pytest.approx((10, 10, 160, 31))


def test_map_when_a_line_and_its_neighbour_fit_together_too_then_neither_is_trusted(
    reading, mapped
):
    (mark,) = mapped(reading("AB"), reading("CD", at=(40, 10)), format="[A-Z]{2,4}")
    assert (mark.status, mark.code) == ("unsure", None)
    assert "'ABCD'" in mark.reason


def test_map_when_joined_parts_do_not_fit_then_the_parts_are_judged(reading, mapped):
    (mark,) = mapped(reading("MW-2048"), reading("1175", at=(100, 10)), format=FORMAT)
    assert (mark.status, mark.candidate) == ("mismatch", "MW-2048")


def test_map_when_all_are_taken_then_nothing_is_joined(reading, mapped):
    marks = mapped(reading("MW-2048"), reading("-1175", at=(100, 10)), format=FORMAT, take="all")
    assert [mark.candidate for mark in marks] == ["MW-2048", "-1175"]


def test_whole_lines_when_parts_are_neighbours_then_each_is_in_one_line_in_order(reading):
    parts = [
        reading("C", at=(60, 10)),
        reading("X", at=(0, 100)),
        reading("A", at=(0, 10)),
        reading("B", at=(30, 10)),
    ]
    assert [line.transcript.text for line in whole_lines(parts)] == ["ABC", "X"]
    assert whole_lines([]) == []


def test_map_when_lines_are_always_joined_then_also_without_a_format(reading, mapped):
    (mark,) = mapped(reading("-1175", at=(100, 11)), reading("MW-2048"), join="line")
    assert (mark.status, mark.code) == ("read", "MW-2048-1175")


def test_map_when_a_code_stands_on_two_lines_then_all_lines_are_one_text(reading, mapped):
    (mark,) = mapped(
        reading("KX204"), reading("B17", at=(10, 60)), join="all", format=r"KX204B\d\d"
    )
    assert (mark.status, mark.code) == ("read", "KX204B17")
    assert mark.reading.box == pytest.approx((10, 10, 70, 80))


def test_map_when_nothing_may_be_joined_then_a_cut_code_is_none(reading, mapped):
    parts = (reading("-1175", at=(100, 11)), reading("MW-2048"))
    (mark,) = mapped(*parts, format=FORMAT, join="none")
    assert mark.code is None
    assert mapped(*parts, format=FORMAT)[0].code == "MW-2048-1175"


@pytest.mark.parametrize("join", ["line", "all"])
def test_map_when_joined_and_there_is_no_reading_then_unread(mapped, join):
    (mark,) = mapped(join=join)
    assert mark.status == "unread"
