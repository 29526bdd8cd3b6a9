"""Where text lies: the part to keep holds it, and is given only where that is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import image

from flows.proposing.places import mounting, part_to_keep, turn_upright
from flows.proposing.trials import Line, Picture
from stages.preprocess import preprocess
from stages.records import Frame
from stages.transform import Transform


def test_part_when_text_stays_in_its_place_then_is_cut_out_with_a_margin(line, picture) -> None:
    lines = [line(at=(300 + 5 * index, 200), height=30) for index in range(3)]
    crop, words = part_to_keep(lines, [picture()] * 3)
    assert crop is not None
    x1, y1, x2, y2 = crop.options.box_px
    assert x1 <= 300 - 60 and y1 <= 200 - 60 and x2 >= 410 + 60 and y2 >= 230 + 60
    assert "3 pictures" in words


def test_part_when_text_moves_over_the_picture_then_is_none(line, picture) -> None:
    lines = [line(at=at) for at in ((50, 50), (800, 700), (400, 300))]
    crop, words = part_to_keep(lines, [picture()] * 3)
    assert crop is None
    assert "moves over" in words


def test_part_when_pictures_are_few_then_is_none(line, picture) -> None:
    crop, words = part_to_keep([line()] * 2, [picture()] * 2)
    assert crop is None
    assert "2 pictures" in words


def test_part_when_sizes_differ_then_is_written_in_fractions(line, picture) -> None:
    pictures = [picture(), picture(size=(500, 400)), picture()]
    lines = [line(at=(400, 300)), line(at=(200, 150), height=10), line(at=(400, 300))]
    crop, _ = part_to_keep(lines, pictures)
    assert crop is not None and crop.options.box_fraction is not None


@given(
    st.lists(st.tuples(st.floats(0, 800), st.floats(0, 700)), min_size=3, max_size=6),
    st.booleans(),
)
def test_part_when_given_then_fits_and_holds_every_line(places, mixed: bool) -> None:
    sizes = [(1000, 800), (2000, 1600)] if mixed else [(1000, 800)]
    pictures, lines = [], []
    for index, (x, y) in enumerate(places):
        width, height = sizes[index % len(sizes)]
        scale = width / 1000
        corners = np.array([(x, y), (x + 150, y), (x + 150, y + 40), (x, y + 40)]) * scale
        pictures.append(Picture(image(index), width, height))
        lines.append(Line("A1", 0.9, tuple(map(tuple, corners.tolist()))))
    crop, _ = part_to_keep(lines, pictures)
    for one, own in zip(lines, pictures, strict=True) if crop is not None else ():
        pixels = np.zeros((own.height, own.width), np.uint8)
        cropped = preprocess(Frame(own.image, 1, pixels, Transform()), [crop])
        inside = cropped.transform.to_frame(np.array(one.outline))
        height, width = cropped.pixels.shape
        assert (inside >= -1e-6).all()
        assert (inside <= np.array([width, height]) + 1e-6).all()


def test_turn_when_all_text_leans_alike_then_levels_it(line, picture) -> None:
    step, _ = turn_upright([line(falls=10), line(falls=11)])
    assert step is not None and step.name == "rotate"
    frame = Frame(picture().image, 1, np.zeros((800, 1000), np.uint8), Transform())
    turned = preprocess(frame, [step]).transform.to_frame(np.array(line(falls=10).outline[:2]))
    assert abs(turned[1, 1] - turned[0, 1]) < 1.5


def test_turn_when_each_text_leans_its_own_way_then_deskews(line) -> None:
    step, _ = turn_upright([line(falls=12), line(falls=-12), line()])
    assert step is not None and step.name == "deskew"


def test_turn_when_text_is_level_or_there_is_none_then_is_none(line) -> None:
    assert turn_upright([line(falls=1), line()])[0] is None
    assert turn_upright([])[0] is None


@pytest.mark.parametrize(("quarters", "degrees"), [(1, 90), (2, 180), (3, 270)])
def test_mounting_when_text_runs_another_way_then_turns_it_level(
    line, picture, quarters: int, degrees: int
) -> None:
    corners = line(falls=5).outline
    for _ in range(quarters):
        corners = tuple((800 - y, x) for x, y in corners)
    one = Line("A1", 0.9, corners)
    step, _ = mounting([one, one, one, line()])
    assert step is not None and step.options.degrees == degrees
    frame = Frame(picture().image, 1, np.zeros((800, 1000), np.uint8), Transform())
    (x1, y1), (x2, y2) = preprocess(frame, [step]).transform.to_frame(np.array(corners[:2]))
    assert x2 > x1 and abs(y2 - y1) < 6


def test_mounting_when_text_runs_both_ways_or_as_it_should_then_is_none(line) -> None:
    (a, b, c, d) = line().outline
    head = Line("A1", 0.9, (c, d, a, b))
    assert mounting([head, line()])[0] is None
    assert mounting([line(), line()])[0] is None
    assert mounting([])[0] is None
