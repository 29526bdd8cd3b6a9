"""Recognise: one call for a chunk, geometry kept, contract checked."""

import numpy as np
import pytest

from stages.errors import PluginError
from stages.recognise import recognise
from stages.records import Character, Region, Transcript


def region(number):
    outline = ((0, 0), (number, 0), (number, 9), (0, 9))
    return Region(
        f"field-{number}", 1, (0, 0, number, 9), outline, 0.5, np.full((9, number), 7, np.uint8)
    )


class Widths:
    """Reads each crop as its width."""

    model = "widths@00000000"

    def __init__(self, answer=None):
        self.calls = []
        self.answer = answer

    def read(self, crops, constraints):
        self.calls.append((list(crops), list(constraints)))
        if self.answer is not None:
            return self.answer
        texts = [str(crop.shape[1]) for crop in crops]
        return [Transcript(text, tuple(Character(char, 1.0) for char in text)) for text in texts]


def test_recognise_when_several_regions_then_one_call_and_readings_in_order():
    engine, regions = Widths(), [region(12), region(3)]

    readings = recognise(regions, [None, None], engine)

    assert len(engine.calls) == 1
    assert engine.calls[0][0][1] is regions[1].crop
    assert [each.transcript.text for each in readings] == ["12", "3"]
    assert [(each.field, each.page, each.box, each.outline) for each in readings] == [
        (each.field, each.page, each.box, each.outline) for each in regions
    ]
    assert {each.model for each in readings} == {"widths@00000000"}


def test_recognise_when_no_regions_then_the_engine_is_not_called():
    engine = Widths()

    assert recognise([], [], engine) == ()
    assert engine.calls == []


def test_recognise_when_constraints_do_not_match_regions_then_value_error():
    with pytest.raises(ValueError, match="1 constraints for 2 regions"):
        recognise([region(1), region(2)], [None], Widths())


@pytest.mark.parametrize(
    "answer", [[], [Transcript("", ())] * 2, [Transcript("AB", (Character("A", 1.0),))]]
)
def test_recognise_when_the_engine_breaks_its_contract_then_plugin_error(answer):
    with pytest.raises(PluginError, match="Widths"):
        recognise([region(5)], [None], Widths(answer))


class WayUp:
    """Reads crops that begin with a dark column as upright, others as on their head."""

    model = "way-up@00000000"

    def __init__(self):
        self.calls = []

    def read(self, crops, constraints):
        self.calls.append(len(crops))
        assert len(constraints) == len(crops)
        return [
            Transcript("UP", (Character("U", 0.99), Character("P", 0.98)))
            if crop[0, 0] == 0
            else Transcript("dn", (Character("d", 0.3), Character("n", 0.2)))
            for crop in crops
        ]


def marked(*, upright, turned):
    crop = np.full((9, 30), 200, np.uint8)
    crop[:, 0 if upright else -1] = 0
    outline = ((0, 0), (30, 0), (30, 9), (0, 9))
    return Region("code", 1, (0, 0, 30, 9), outline, 0.5, crop, turned)


def test_recognise_when_lines_may_stand_on_their_head_then_one_second_call_for_all_of_them():
    engine = WayUp()
    regions = [
        marked(upright=True, turned="doubt"),
        marked(upright=False, turned="doubt"),
        marked(upright=False, turned="never"),
        marked(upright=True, turned="always"),
        marked(upright=False, turned="always"),
    ]

    readings = recognise(regions, [None] * 5, engine)

    assert engine.calls == [5, 3]
    assert [each.transcript.text for each in readings] == ["UP", "UP", "dn", "UP", "UP"]
    first = [each.outline[0] for each in readings]
    assert first == [(0, 0), (30, 9), (0, 0), (0, 0), (30, 9)]
    assert {each.box for each in readings} == {(0, 0, 30, 9)}


def test_recognise_when_every_line_is_clear_then_the_engine_is_called_once():
    engine = WayUp()
    recognise([marked(upright=True, turned="doubt")] * 3, [None] * 3, engine)
    assert engine.calls == [3]
