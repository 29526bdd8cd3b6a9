"""Looks: the crop itself first, then others of the same kind, however small the crop."""

from __future__ import annotations

import numpy as np
import pytest

from stages.recognisers.looks import looks


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 1), (32, 256), (40, 60, 3)])
def test_looks_when_of_any_size_then_each_is_a_picture_of_the_same_kind(
    shape: tuple[int, ...],
) -> None:
    crop = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    first, *others = looks(crop)
    assert first is crop
    assert others
    for other in others:
        assert other.dtype == np.uint8
        assert other.shape[2:] == crop.shape[2:]
        assert min(other.shape) >= 1


def test_looks_when_of_a_mark_then_they_differ_from_one_another() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 200), np.uint8)
    seen = {(each.shape, each.tobytes()) for each in looks(crop)}
    assert len(seen) == len(looks(crop))


def test_looks_when_grey_in_colour_then_grey_they_stay() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (48, 90), np.uint8)
    for look in looks(np.repeat(grey[..., None], 3, axis=2)):
        assert (look == look[..., :1]).all()
