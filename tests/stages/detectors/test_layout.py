"""Corner order and reading order."""

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.detectors.layout import clockwise, reading_order, size, turned
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


def around(outline, degrees):
    """The outline on a page that is turned clockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return tuple((cos * x - sin * y, sin * x + cos * y) for x, y in outline)


@pytest.mark.parametrize("degrees", [-160, -90, -45, -20, 10, 45, 90, 180])
def test_reading_order_when_the_page_is_turned_then_as_its_text_lies(degrees):
    page = [box(0, 3, 90), box(110, 0, 80), box(0, 33, 120), box(130, 29, 60), box(0, 70, 200)]
    outlines = [around(each, degrees) for each in page]
    shuffled = random.Random(4).sample(outlines, len(outlines))

    ordered = reading_order(Detection(outline, 1.0) for outline in shuffled)

    assert [each.outline for each in ordered] == outlines


def test_reading_order_when_one_short_line_runs_down_then_the_others_decide():
    level = [box(0, 0, 200), box(0, 40, 200)]
    down = turned(box(300, 5, 20, 80), 1.5)

    ordered = reading_order(Detection(outline, 1.0) for outline in (down, *reversed(level)))

    assert [each.outline for each in ordered if each.outline != down] == level


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("degrees", "direction"), [(0, 0), (40, 40), (-40, -40), (60, 60), (-60, 120), (90, 90)]
)
def test_clockwise_when_corners_come_in_any_order_then_right_or_downwards(
    first, mirrored, degrees, direction
):
    corners = np.roll(np.array(around(box(0, 0, 90), degrees)), first, axis=0)

    outline = clockwise(corners[::-1] if mirrored else corners)

    (x1, y1), (x2, y2), (x3, y3), _ = outline
    assert size(outline) == pytest.approx((90, 20))
    assert math.degrees(math.atan2(y2 - y1, x2 - x1)) == pytest.approx(direction)
    assert (x2 - x1) * (y3 - y2) - (y2 - y1) * (x3 - x2) > 0
