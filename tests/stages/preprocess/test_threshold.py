"""Black and white: Otsu for even light, Sauvola for any, and no text out of noise."""

from __future__ import annotations

import numpy as np
import pytest
from lettering import lettering
from pydantic import ValidationError

from stages.preprocess.threshold import ThresholdOptions, threshold

TEXT = np.where(lettering("KX204817", (120, 400), 44), 70, 200).astype(np.uint8)
SHADED = (TEXT * np.linspace(0.2, 1, 400)).astype(np.uint8)


@pytest.mark.parametrize("method", ["otsu", "sauvola"])
def test_threshold_when_the_light_is_even_then_ink_is_black_and_ground_white(frame_of, method):
    result = threshold(frame_of(TEXT), ThresholdOptions(method=method)).pixels
    assert set(np.unique(result)) == {0, 255}
    assert np.array_equal(result == 0, TEXT < 135)


def test_threshold_when_a_shadow_falls_then_only_sauvola_keeps_the_text(frame_of):
    wrong = {
        method: (
            (threshold(frame_of(SHADED), ThresholdOptions(method=method)).pixels == 0)
            != (TEXT < 135)
        ).mean()
        for method in ("otsu", "sauvola")
    }
    assert wrong["sauvola"] < 0.005
    assert wrong["otsu"] > 0.05


def test_sauvola_when_compared_with_its_formula_then_is_the_same(frame_of):
    # Patches, since mere noise counts as blank.
    patches = np.random.default_rng(1).integers(0, 256, (5, 5), dtype=np.uint8)
    grey = patches.repeat(4, axis=0).repeat(5, axis=1)
    result = threshold(
        frame_of(grey), ThresholdOptions(method="sauvola", window_px=7, k=0.3)
    ).pixels
    padded = np.pad(grey.astype(float), 3, mode="symmetric")
    for row in range(20):
        for column in range(25):
            window = padded[row : row + 7, column : column + 7]
            level = window.mean() * (1 + 0.3 * (window.std() / 128 - 1))
            assert result[row, column] == (255 if grey[row, column] > level else 0)


@pytest.mark.parametrize("method", ["otsu", "sauvola"])
def test_threshold_when_there_is_only_noise_then_is_white(frame_of, method):
    noise = np.random.default_rng(2).normal(120, 4, (200, 300))
    result = threshold(frame_of(noise), ThresholdOptions(method=method)).pixels
    assert (result == 255).all()


def test_threshold_when_the_picture_is_coloured_then_the_result_is_grey(frame_of):
    result = threshold(frame_of(np.dstack([TEXT] * 3)), ThresholdOptions()).pixels
    assert result.shape == TEXT.shape


@pytest.mark.parametrize("typed", [{"method": "mean"}, {"window_px": 24}, {"k": 2}])
def test_threshold_options_when_they_make_no_sense_then_are_refused(typed):
    with pytest.raises(ValidationError):
        ThresholdOptions(**typed)
