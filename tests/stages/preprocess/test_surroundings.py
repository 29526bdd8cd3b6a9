"""The ground holds no strokes, and what stands out is the strokes."""

from __future__ import annotations

import numpy as np
import pytest
from lettering import lettering

from stages.preprocess.surroundings import standing_out, surroundings

INK = lettering("KX204817", (200, 480), 40, 0.5)


@pytest.mark.parametrize("window", [81, 300.5])
@pytest.mark.parametrize("colour", [False, True])
def test_surroundings_when_there_are_strokes_then_they_are_not_in_it(window, colour):
    pixels = np.where(INK, 90, 180).astype(np.uint8)
    if colour:
        pixels = np.dstack([pixels] * 3)
    ground = surroundings(pixels, window)
    assert ground.shape == pixels.shape
    assert np.abs(ground.astype(int) - 180).max() < 12


def test_surroundings_when_an_edge_is_broad_then_it_is_in_it():
    halves = np.repeat(np.array([[60, 200]], np.uint8), 200, axis=1).repeat(200, axis=0)
    ground = surroundings(halves, 61)
    assert np.abs(ground[:, 170].astype(int) - 60).max() < 4
    assert np.abs(ground[:, 230].astype(int) - 200).max() < 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2, 3)])
def test_surroundings_when_the_picture_is_tiny_then_has_its_shape(shape):
    assert surroundings(np.zeros(shape, np.uint8), 101).shape == shape


@pytest.mark.parametrize(("ink", "side"), [(90, -1), (250, 1)])
@pytest.mark.parametrize("repeat", [1, 4], ids=["small", "large"])
def test_standing_out_when_there_is_text_then_it_is_the_text_with_its_sign(ink, side, repeat):
    mask = INK.repeat(repeat, axis=0).repeat(repeat, axis=1)
    light = np.linspace(0.6, 1, mask.shape[1])
    noise = np.random.default_rng(0).normal(0, 3, mask.shape)
    pixels = np.clip(np.where(mask, ink, 180) * light + noise, 0, 255).astype(np.uint8)
    grey, out, scale = standing_out(pixels)
    assert scale == max(1.0, mask.shape[1] / 640)
    assert grey.shape == out.shape == (round(mask.shape[0] / scale), round(mask.shape[1] / scale))
    where = np.flatnonzero(out)
    assert (np.sign(out.ravel()[where]) == side).mean() > 0.85
    rows, columns = np.unravel_index(where, out.shape)
    hits = mask[((rows + 0.5) * scale).astype(int), ((columns + 0.5) * scale).astype(int)]
    assert hits.mean() > 0.8


def test_standing_out_when_there_is_only_noise_then_nothing_does():
    noise = np.random.default_rng(0).normal(120, 5, (300, 400)).astype(np.uint8)
    assert not standing_out(noise)[1].any()
