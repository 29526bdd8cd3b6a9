"""What stands around a line: it keeps off the line and shows up in the crop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from flows.training.drawing import clutter, housing
from flows.training.drawing.layout import Crop, Placing, crop_of, warped
from flows.training.drawing.lines import CAP, Line
from flows.training.drawing.sketch import Sketch

_LINE = Line(np.full((CAP, 160), 255, np.uint8), CAP, 4.0, np.array([40.0, 80.0, 120.0]))
_LOOSE = Placing(top=0.4, bottom=0.4, left=0.6, right=0.6)


@pytest.mark.parametrize(
    "draw", [clutter.label, clutter.hardware, clutter.edge, housing.plate, housing.housing]
)
def test_draw_when_seeds_differ_then_something_shows_and_the_line_stays_free(
    draw: Callable[[Sketch, Crop, np.random.Generator], None],
) -> None:
    crop = crop_of(_LINE, _LOOSE)
    line = warped(_LINE.picture, (0, 0), crop.ink) > 200
    shown = 0
    for seed in range(40):
        sketch = Sketch(crop.natural)
        draw(sketch, crop, np.random.default_rng(seed))
        shown += sketch.picture.max() > 80
        assert (sketch.picture[line] > 80).mean() < 0.02, seed
    assert shown > 20


def test_frame_when_turned_then_it_turns_with_the_line() -> None:
    crop = crop_of(_LINE, Placing(angle=5.0, top=0.3, bottom=0.3))
    sketch = Sketch(crop.natural)
    width, height = crop.size
    sketch.frame((-2.0, -2.0, width + 2, height + 2), 3.0, 0.0, 255)
    ink = warped(_LINE.picture, (0, 0), crop.ink)
    assert np.minimum(ink, sketch.picture).max() < 128
    top = [int(np.argmax(sketch.picture[:, column] > 127)) for column in (100, 284)]
    assert top[0] > top[1]


def test_wheels_when_drawn_then_a_bar_stands_in_each_gap() -> None:
    crop = crop_of(_LINE, _LOOSE)
    sketch = Sketch(crop.ink)
    clutter.wheels(sketch, CAP, _LINE.gaps, np.random.default_rng(0))
    middle = np.array([[gap, CAP / 2, 1.0] for gap in _LINE.gaps]) @ crop.ink.T
    assert all(sketch.picture[int(y), int(x)] > 60 for x, y in middle)


def test_smear_when_seeds_differ_then_it_mostly_shows() -> None:
    crop = crop_of(_LINE, _LOOSE)
    shown = 0
    for seed in range(20):
        sketch = Sketch(crop.natural)
        clutter.smear(sketch, crop, np.random.default_rng(seed))
        shown += bool(sketch.picture.any())
    assert shown > 15


def test_seal_when_drawn_in_a_gap_then_it_keeps_to_its_room() -> None:
    crop = crop_of(_LINE, _LOOSE)
    for seed in range(20):
        sketch = Sketch(crop.ink)
        housing.seal(sketch, 80.0, CAP / 2, 30.0, np.random.default_rng(seed))
        columns = np.flatnonzero(sketch.picture.max(axis=0) > 80)
        bounds = [(crop.ink @ (x, CAP / 2, 1.0))[0] for x in (65.0, 95.0)]
        assert len(columns)
        assert bounds[0] <= columns[0] <= columns[-1] <= bounds[1]
