"""The newcomer's program: it makes the recipe's picture."""

from __future__ import annotations

import numpy as np
import pytest

from flows.bench.bare import CHECKOUT
from flows.bench.original import QUICK, Newcomer, likeness, measure
from stages.errors import ConfigError

pytestmark = pytest.mark.usefixtures("threads_as_they_were")


def test_likeness_when_a_picture_is_moved_or_flat_then_is_not_the_same():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    assert likeness(pixels, pixels).same
    assert not likeness(pixels, np.roll(pixels, 1, axis=1)).same
    assert not likeness(pixels, (pixels // 8 + 100).astype(np.uint8)).same
    with pytest.raises(ValueError, match="pictures of"):
        likeness(pixels, pixels[1:])


def test_newcomer_when_it_unrolls_then_each_column_begins_at_the_band():
    rows = np.arange(1800, dtype=np.float32)[:, None]
    pixels = np.broadcast_to(rows, (1800, 2600))
    band = Newcomer.unroll(pixels)
    assert band.shape == (335, 2200)
    assert band[0, 0] == 1204
    assert band[0, 1100] == 1382
    assert (np.diff(band[:, 500]) == 1).all()


def test_measure_when_run_then_the_steps_of_both_ways_are_there_and_the_code_is_read(tmp_path):
    said = []
    figures = list(measure(QUICK, said.append, tmp_path))

    assert "correlation 0.99" in said[0]
    names = [each.series.removesuffix(", 1 thread") for each in figures]
    steps = {name.partition(": ")[2] for name in names if name.startswith("recipe: ")}
    assert {"read", "crop again", "rotate", "unroll", "bilateral", "resize"} <= steps
    for step in steps:
        assert {f"recipe: {step}", f"original: {step}"} <= set(names)
    read = {each.series: each.note for each in figures if "code read" in each.series}
    assert set(read.values()) == {"code: HT04812509KA70416"}
    assert (tmp_path / "original.csv").read_text().count("HT04812509KA70416\n") >= 1


def test_measure_when_the_pictures_differ_then_says_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr(Newcomer, "picture", lambda self: np.zeros((160, 575), np.uint8))
    with pytest.raises(ConfigError, match="grey levels apart"):
        next(measure(QUICK, lambda _: None, tmp_path))


def test_checkout_when_looked_for_then_has_the_samples():
    assert (CHECKOUT / "data" / "samples" / "expected.csv").is_file()
