import cv2
import numpy as np
import pytest
import torch

from flows.training.camera.scene import Scene, mark_contrast, surroundings


def mark(amplitude: float, height: int = 32) -> torch.Tensor:
    ink = np.zeros((height, 6 * height), np.uint8)
    scale = height / 32
    place = (round(6 * scale), round(26 * scale))
    cv2.putText(ink, "B8S5-Z2", place, 0, 0.9 * scale, 255, max(1, round(3 * scale)), cv2.LINE_AA)
    return 0.3 + amplitude * torch.from_numpy(ink).float()[None] / 255


@pytest.mark.parametrize("height", [20, 32, 60])
@pytest.mark.parametrize("amplitude", [0.1, 0.4, -0.25])
def test_mark_contrast_of_a_mark_is_about_its_amplitude(amplitude: float, height: int) -> None:
    found = mark_contrast(mark(amplitude, height)).item()
    assert 0.6 < found / abs(amplitude) < 1.6


def test_mark_contrast_of_shading_and_fine_noise_is_small() -> None:
    noise = torch.randn(1, 48, 300, generator=torch.Generator().manual_seed(0)) * 0.1
    shading = torch.linspace(0.2, 0.9, 300).expand(1, 48, 300)
    assert mark_contrast(0.5 + noise) < 0.13
    assert mark_contrast(shading) < 0.06


@pytest.mark.parametrize("shape", [(8, 8), (10, 8), (64, 1024), (13, 9)])
def test_mark_contrast_of_any_size_is_finite(shape: tuple[int, int]) -> None:
    found = mark_contrast(torch.rand(3, *shape, generator=torch.Generator().manual_seed(1)))
    assert found.shape == (3,)
    assert torch.isfinite(found).all()


def test_surroundings_follow_shading_and_not_the_mark() -> None:
    shading = torch.linspace(0.2, 0.8, 192).expand(1, 32, 192)
    around = surroundings(shading + mark(0.2) - 0.3, 32)
    assert around.shape == (1, 32, 192)
    assert ((around - shading)[:, :, 16:-16].abs() < 0.12).all()


def test_pick_of_rows_takes_each_value_of_them() -> None:
    values = torch.arange(4.0)
    picked = Scene(values, values + 10, values + 20, 24.0).pick(torch.tensor([3, 1]))
    assert picked.severity.tolist() == [3, 1]
    assert picked.fill.tolist() == [13, 11]
    assert picked.text_px.tolist() == [23, 21]
    assert picked.tallest_px == 24
