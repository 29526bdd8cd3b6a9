"""Jitter: a crop stays itself, and is never the same twice."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flows.training.jitter import jittered

SIZE = (32, 256)


@pytest.fixture
def crop() -> np.ndarray:
    picture = np.full((60, 400), 200, np.uint8)
    cv2.putText(picture, "KX204817", (20, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 4)
    return picture


def test_jittered_when_repeated_then_like_the_crop_but_never_the_same(crop: np.ndarray):
    plain = cv2.resize(crop, SIZE[::-1], interpolation=cv2.INTER_AREA).ravel()
    rng = np.random.default_rng(2)
    made = [jittered(crop, SIZE, rng) for _ in range(40)]
    assert all(each.shape == SIZE and each.dtype == np.uint8 for each in made)
    assert len({each.tobytes() for each in made}) == 40
    alike = [np.corrcoef(plain, each.ravel())[0, 1] for each in made]
    assert np.median(alike) > 0.5
    # dark on light stays dark on light
    assert min(alike) > 0


def test_jittered_when_seeded_then_repeatable(crop: np.ndarray):
    one, two = (jittered(crop, SIZE, np.random.default_rng(3)) for _ in range(2))
    assert (one == two).all()
