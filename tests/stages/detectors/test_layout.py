"""Corner order and reading order."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.detectors.layout import reading_order, size, turned
from stages.records import Detection


def box(x, y, width=40, height=20):
    return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))


def test_turned_when_wide_then_unchanged():
    assert turned(box(0, 0), 1.5) == box(0, 0)


def test_turned_when_tall_then_the_top_right_comes_first():
    turned_box = turned(box(0, 0, 20, 40), 1.5)

    assert turned_box == ((20, 0), (20, 40), (0, 40), (0, 0))
    assert size(turned_box) == (40, 20)


@pytest.mark.parametrize("seed", range(5))
def test_reading_order_when_two_slightly_uneven_lines_then_line_by_line(seed):
    outlines = [box(0, 3), box(50, 0), box(100, 5), box(0, 33), box(60, 29), box(0, 70)]
    shuffled = random.Random(seed).sample(outlines, len(outlines))

    ordered = reading_order(Detection(outline, 1.0) for outline in shuffled)

    assert [each.outline for each in ordered] == outlines


def test_reading_order_when_a_large_and_a_small_line_touch_then_they_stay_apart():
    large, small = box(0, 0, 300, 100), box(0, 90, 50, 12)

    ordered = reading_order([Detection(small, 1.0), Detection(large, 1.0)])

    assert [each.outline for each in ordered] == [large, small]


@given(st.lists(st.builds(box, st.integers(0, 500), st.integers(0, 500)), max_size=12))
def test_reading_order_when_any_boxes_then_the_same_boxes_and_stable(outlines):
    detections = [Detection(outline, 1.0) for outline in outlines]

    once = reading_order(detections)

    assert sorted(each.outline for each in once) == sorted(outlines)
    assert [each.outline for each in reading_order(once)] == [each.outline for each in once]
