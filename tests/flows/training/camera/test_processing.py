from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from made import image

from flows.training.camera import processing
from flows.training.camera.scene import Scene, mark_contrast
from flows.training.marking.chance import Chance
from stages.preprocess import filters, morphology, tone
from stages.records import Frame
from stages.transform import Transform


def marks(count: int, mark: int = 80, ground: int = 150) -> torch.Tensor:
    rng = np.random.default_rng(0)
    picture = rng.normal(ground, 5, (60, 300)).clip(0, 255).astype(np.uint8)
    cv2.putText(picture, "B8S5-Z2", (8, 48), 0, 1.6, mark, 5, cv2.LINE_AA)
    return torch.from_numpy(picture).float().expand(count, 60, 300).contiguous() / 255


def scene(count: int, text_px: float = 40.0) -> Scene:
    ones = torch.ones(count)
    return Scene(ones, ones * 0.7, ones * text_px, text_px)


def frame(pixels: torch.Tensor) -> Frame:
    return Frame(image(), 1, (pixels * 255).round().byte().numpy(), Transform())


def chance() -> Chance:
    return Chance(torch.Generator().manual_seed(0))


@pytest.mark.parametrize("effect", [processing.darken, processing.brighten])
def test_morphology_of_large_text_is_that_of_the_stage(effect: Callable) -> None:
    plain = marks(1)
    stage = morphology.erode if effect is processing.darken else morphology.dilate
    wanted = stage(frame(plain[0]), morphology.MorphologyOptions(kernel_px=3)).pixels
    seen = effect(plain, scene(1, text_px=30.0), chance())
    assert np.array_equal((seen[0] * 255).round().byte().numpy(), wanted)


def test_smooth_is_a_blur_of_the_stage() -> None:
    plain = marks(16)
    seen = (processing.smooth(plain, scene(16), chance()) * 255).numpy()
    wanted = [
        filters.blur(frame(plain[0]), filters.BlurOptions(kernel_px=size)).pixels for size in (3, 5)
    ]
    for picture in seen:
        off = [np.abs(picture - stage).mean() for stage in wanted]
        assert min(off) < 0.6
    assert len({int(np.argmin([np.abs(p - stage).mean() for stage in wanted])) for p in seen}) == 2


def test_bilateral_smooths_the_surface_and_keeps_edges_as_the_stage_does() -> None:
    plain = marks(1)
    stage = filters.bilateral(
        frame(plain[0]), filters.BilateralOptions(diameter_px=5, sigma_colour=40)
    ).pixels
    seen = (processing.bilateral(plain, scene(1), chance()) * 255)[0].numpy()
    before = (plain[0] * 255).numpy()
    assert seen[:, 250:].std() < before[:, 250:].std() * 0.7
    assert np.abs(seen - stage).mean() < np.abs(before - stage).mean() / 2
    assert mark_contrast(torch.from_numpy(seen)[None]) > 0.9 * mark_contrast(plain * 255)


def test_contrast_is_that_of_the_stage_for_some_factor() -> None:
    plain = marks(8)
    for picture in processing.contrast(plain, scene(8), chance()):
        ours = (picture * 255).round().numpy()
        factors = np.arange(1, 4.05, 0.05)
        off = [
            np.abs(
                tone.contrast(frame(plain[0]), tone.ContrastOptions(factor=f)).pixels - ours
            ).mean()
            for f in factors
        ]
        assert min(off) < 3


@pytest.mark.parametrize("effect", [processing.stretch, processing.equalise, processing.threshold])
def test_stronger_contrast_makes_a_faint_mark_plainer(effect: Callable) -> None:
    faint = marks(16, mark=118, ground=145)
    seen = effect(faint, scene(16), chance())
    assert (seen >= 0).all() and (seen <= 1).all()
    assert (mark_contrast(seen) > 1.2 * mark_contrast(faint)).all()


def test_threshold_separates_the_mark_from_its_ground() -> None:
    seen = processing.threshold(marks(16), scene(16), chance())
    ink = marks(1)[0] < 110 / 255
    assert (seen[:, ink].mean(1) < 0.2).all()
    assert ((seen < 0.2) | (seen > 0.8)).float().mean() > 0.7


def test_invert_swaps_black_and_white() -> None:
    plain = marks(2)
    assert torch.allclose(processing.invert(plain, scene(2), chance()) + plain, torch.ones(1))
