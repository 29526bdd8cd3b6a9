import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from flows.training.camera.photograph import EFFECTS, Shot, crops, model_input, photograph
from flows.training.camera.scene import Scene
from flows.training.marking.chance import Chance


def pictures(count: int, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(count):
        picture = rng.normal(190, 8, (48, 384)).clip(0, 255).astype(np.uint8)
        cv2.putText(picture, f"A7{number % 10}K4", (30, 38), 0, 1.2, 50, 3, cv2.LINE_AA)
        drawn.append(picture)
    return torch.from_numpy(np.stack(drawn)).float() / 255


def batch(count: int, severity: float, seed: int = 0) -> list[Shot]:
    generator = torch.Generator().manual_seed(seed)
    aspect = torch.rand(count, generator=generator) * 12 + 0.5
    return photograph(pictures(count), aspect, torch.full((count,), severity), generator)


@pytest.mark.parametrize("count", [1, 3, 64, 100])
def test_photograph_of_any_batch_gives_each_picture_once(count: int) -> None:
    shots = batch(count, 0.7)
    assert sorted(torch.cat([shot.index for shot in shots]).tolist()) == list(range(count))
    for shot in shots:
        assert len(shot.pixels) == len(shot.index)
        assert 10 <= shot.pixels.shape[1] <= 64
        assert 8 <= shot.pixels.shape[2] <= 1024


@pytest.mark.parametrize("severity", [0.0, 1.0])
def test_photograph_when_stored_loses_nothing(severity: float) -> None:
    for shot in batch(64, severity):
        assert shot.pixels.dtype == torch.float32
        assert shot.pixels.min() >= 0 and shot.pixels.max() <= 1
        levels = shot.pixels * 255
        assert (levels - levels.round()).abs().max() < 1e-3


def test_photograph_with_the_same_seed_gives_the_same_pixels() -> None:
    first, again, other = (model_input(batch(40, 1.0, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_photograph_of_low_text_keeps_it_tall_enough_to_read() -> None:
    n = 48
    generator = torch.Generator().manual_seed(3)
    fill = torch.linspace(0.3, 0.9, n)
    shots = photograph(pictures(n), torch.full((n,), 5.0), torch.ones(n), generator, fill)
    for shot in shots:
        assert (fill[shot.index] * shot.pixels.shape[1]).min() >= 9


def test_photograph_of_pictures_of_mixed_aspect_keeps_them_nearly_isotropic() -> None:
    generator = torch.Generator().manual_seed(4)
    aspect = torch.exp(torch.rand(128, generator=generator) * 3 - 0.5)
    shots = photograph(pictures(128), aspect, torch.full((128,), 0.5), generator)
    ratios = [shot.pixels.shape[2] / shot.pixels.shape[1] / aspect[shot.index] for shot in shots]
    off = torch.cat(ratios).log().abs()
    assert off.median() < 0.15
    assert off.max() < 0.6


def test_photograph_at_severity_0_is_nearly_the_picture() -> None:
    n = 32
    generator = torch.Generator().manual_seed(5)
    clean = pictures(n)
    shots = photograph(clean, torch.full((n,), 6.0), torch.zeros(n), generator)
    plain = torch.nn.functional.interpolate(
        clean[:, None], (32, 256), mode="bilinear", antialias=True
    )[:, 0]
    difference = (model_input(shots) - plain).abs().mean((1, 2))
    assert difference.median() < 0.04


def test_photograph_when_severity_grows_departs_from_the_picture() -> None:
    n = 64
    changed = []
    for severity in (0.0, 0.5, 1.0):
        generator = torch.Generator().manual_seed(6)
        shots = photograph(
            pictures(n), torch.full((n,), 6.0), torch.full((n,), severity), generator
        )
        plain = torch.nn.functional.interpolate(
            pictures(n)[:, None], (32, 256), mode="bilinear", antialias=True
        )[:, 0]
        changed.append((model_input(shots) - plain).abs().mean().item())
    assert changed[0] < changed[1] < changed[2]


def test_every_effect_at_each_end_keeps_shape_and_numbers() -> None:
    pixels = pictures(4)[:, ::2, ::2].contiguous()
    for severity in (0.0, 1.0):
        ones = torch.ones(4)
        scene = Scene(ones * severity, ones * 0.7, ones * 17, 17)
        for effect in EFFECTS:
            before = pixels.clone()
            after = effect.apply(pixels, scene, Chance(torch.Generator().manual_seed(1)))
            assert after.shape == pixels.shape, effect
            assert torch.isfinite(after).all(), effect
            assert torch.equal(before, pixels), effect


@pytest.mark.parametrize("shape", [(10, 80), (32, 256), (33, 19), (48, 640), (64, 97)])
def test_model_input_when_stretched_agrees_with_pillow(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    stored = rng.integers(0, 256, (3, *shape), np.uint8)
    shot = Shot(torch.from_numpy(stored).float() / 255, torch.arange(3))
    made = (model_input([shot]) * 255).round().numpy()
    for picture, ours in zip(stored, made, strict=True):
        theirs = Image.fromarray(picture).resize((256, 32), Image.Resampling.BILINEAR)
        assert np.abs(ours - np.asarray(theirs, np.float32)).max() <= 1


def test_model_input_of_shuffled_shots_is_in_batch_order() -> None:
    grey = torch.linspace(0, 1, 6)[:, None, None]
    shots = [
        Shot(grey[[4, 0]].expand(2, 12, 40), torch.tensor([4, 0])),
        Shot(grey[[5, 3, 1, 2]].expand(4, 20, 90), torch.tensor([5, 3, 1, 2])),
    ]
    rows = model_input(shots, (16, 64))
    assert rows.shape == (6, 16, 64)
    assert torch.allclose(rows.mean((1, 2)), grey[:, 0, 0], atol=1e-3)


def test_crops_of_shots_are_natural_pictures_in_batch_order() -> None:
    shots = batch(20, 0.5)
    stored = crops(shots)
    assert len(stored) == 20
    for shot in shots:
        for pixels, place in zip(shot.pixels, shot.index.tolist(), strict=True):
            assert stored[place].dtype == np.uint8
            assert np.array_equal(stored[place], (pixels * 255).round().numpy())
