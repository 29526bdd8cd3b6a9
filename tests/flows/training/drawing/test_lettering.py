"""Lines drawn with a face: size, stroke, hand, bridges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flows.training.drawing.lettering import Atlas, FaceWriter
from flows.training.drawing.lines import CAP, Hand
from flows.training.material.fonts import FaceSet


@pytest.fixture(scope="module")
def writer(plain_faces: FaceSet) -> FaceWriter:
    return FaceWriter(Atlas(plain_faces.faces[0]), Hand())


def _columns(picture: np.ndarray) -> int:
    """Runs of columns with ink."""
    inked = (picture.max(axis=0) > 127).astype(int)
    return int((np.diff(np.concatenate(([0], inked))) == 1).sum())


def test_write_when_capitals_then_they_are_cap_rows_high(writer: FaceWriter) -> None:
    line = writer.write(np.random.default_rng(0), "HEL")
    assert abs(line.picture.shape[0] - CAP) <= 2
    assert abs(line.baseline - CAP) <= 2


def test_write_when_only_a_point_then_the_line_is_still_a_capital_high(writer: FaceWriter) -> None:
    assert writer.write(np.random.default_rng(0), ".").picture.shape[0] >= CAP


def test_write_when_spaced_then_the_gaps_lie_between_the_characters(writer: FaceWriter) -> None:
    spaced = replace(writer, hand=Hand(spacing=0.4))
    line = spaced.write(np.random.default_rng(0), "HHHH")
    assert _columns(line.picture) >= 4
    assert len(line.gaps) == 3
    assert line.picture[:, np.rint(line.gaps).astype(int)].max() == 0


@pytest.mark.parametrize("weight", [-2.0, 2.0])
def test_write_when_weighted_then_ink_and_stroke_follow(writer: FaceWriter, weight: float) -> None:
    plain = writer.write(np.random.default_rng(0), "H08")
    heavy = replace(writer, weight=weight).write(np.random.default_rng(0), "H08")
    assert np.sign(int(heavy.picture.sum()) - int(plain.picture.sum())) == np.sign(weight)
    assert heavy.stroke - plain.stroke == pytest.approx(weight)


def test_write_when_bridged_then_a_zero_falls_apart(writer: FaceWriter) -> None:
    line = replace(writer, bridged=True).write(np.random.default_rng(0), "0")
    assert _columns(line.picture) == 2


def test_write_when_the_hand_is_unsteady_then_each_line_differs(writer: FaceWriter) -> None:
    shaky = replace(writer, hand=Hand(jitter_y=0.05, jitter_angle=5.0, jitter_size=0.05))
    rng = np.random.default_rng(0)
    first, second = shaky.write(rng, "HHHH").picture, shaky.write(rng, "HHHH").picture
    assert first.shape != second.shape or (first != second).any()


def test_covers_when_the_face_lacks_a_character_then_false(writer: FaceWriter) -> None:
    assert writer.covers("A-1")
    assert not writer.covers("中")


def test_place_when_monospaced_then_all_steps_are_the_widest() -> None:
    advances = np.array([10.0, 30.0, 20.0])
    places = Hand(monospaced=True).place(np.random.default_rng(0), "1M0", advances)
    assert np.diff(places.middle).tolist() == [30.0, 30.0]


def test_place_when_bowed_then_the_ends_lie_off_the_middle() -> None:
    places = Hand(arc=0.2).place(np.random.default_rng(0), "HHHHHHH", np.full(7, 30.0))
    assert abs(places.y[0] - places.y[3]) == pytest.approx(0.2 * CAP, rel=0.35)
    assert places.angle[0] == pytest.approx(-places.angle[6])
