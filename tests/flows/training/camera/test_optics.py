import math

import torch

from flows.training.camera.optics import blur, spread, view
from flows.training.camera.scene import Scene
from flows.training.marking.chance import Chance


def scene(count: int, severity: float, text_px: float = 20.0, fill: float = 0.6) -> Scene:
    ones = torch.ones(count)
    return Scene(ones * severity, ones * fill, ones * text_px, text_px)


def point(height: int = 31, width: int = 41) -> torch.Tensor:
    pixels = torch.zeros(1, height, width)
    pixels[0, height // 2, width // 2] = 1
    return pixels


def deviations(pixels: torch.Tensor) -> tuple[float, float]:
    rows, columns = (torch.arange(side) - side // 2 for side in pixels.shape[1:])
    down = (pixels[0].sum(1) * rows**2).sum()
    across = (pixels[0].sum(0) * columns**2).sum()
    return math.sqrt(down), math.sqrt(across)


def test_spread_without_length_is_a_gaussian() -> None:
    seen = spread(point(), torch.tensor([1.5]), torch.zeros(1), torch.zeros(1), 7)
    assert abs(seen.sum().item() - 1) < 1e-4
    down, across = deviations(seen)
    assert abs(down - 1.5) < 0.05
    assert abs(across - 1.5) < 0.05


def test_spread_along_a_segment_smears_only_in_its_direction() -> None:
    length = torch.tensor([9.0])
    seen = spread(point(41, 41), torch.tensor([0.5]), length, torch.zeros(1), 8)
    down, across = deviations(seen)
    assert down < 0.7
    assert abs(across - math.sqrt(9**2 / 12 + 0.5**2)) < 0.2
    turned = spread(point(41, 41), torch.tensor([0.5]), length, torch.tensor([math.pi / 2]), 8)
    assert torch.allclose(turned, seen.mT, atol=0.01)


def test_blur_of_small_text_is_weaker_than_of_large() -> None:
    stripes = (torch.arange(120) // 3 % 2).float().expand(64, 40, 120).contiguous()
    left = [
        blur(stripes, scene(64, 1.0, text_px), Chance(torch.Generator().manual_seed(0))).std()
        for text_px in (10.0, 40.0)
    ]
    assert left[0] > left[1] * 1.2


def test_view_at_severity_0_shows_the_whole_picture_upright() -> None:
    across = torch.linspace(0, 1, 384).expand(8, 48, 384)
    down = torch.linspace(0, 1, 48)[:, None].expand(8, 48, 384)
    chance = Chance(torch.Generator().manual_seed(0))
    for ramp, axis in ((across, 2), (down, 1)):
        seen = view(ramp.contiguous(), (24, 192), scene(8, 0.0), chance)
        assert seen.shape == (8, 24, 192)
        wanted = (torch.arange(seen.shape[axis]) + 0.5) / seen.shape[axis]
        profile = seen.mean(3 - axis)
        assert (profile - wanted).abs().max() < 0.06


def test_view_at_severity_1_keeps_the_text_in_the_crop() -> None:
    n, fill = 128, 0.6
    box = torch.zeros(n, 48, 384)
    inset = round(48 * (1 - fill) / 2)
    box[:, inset : 48 - inset, 12:-12] = 1
    seen = view(
        box, (32, 256), scene(n, 1.0, fill * 32, fill), Chance(torch.Generator().manual_seed(1))
    )
    edges = torch.stack([seen[:, 0].mean(1), seen[:, -1].mean(1)])
    assert (edges > 0.1).float().mean() < 0.02
    assert seen.mean((1, 2)).min() > 0.35


def test_view_when_shrinking_does_not_alias() -> None:
    stripes = (torch.arange(384) % 2).float().expand(4, 48, 384).contiguous()
    seen = view(stripes, (12, 96), scene(4, 0.0), Chance(torch.Generator().manual_seed(2)))
    assert (seen - 0.5).abs().max() < 0.1
