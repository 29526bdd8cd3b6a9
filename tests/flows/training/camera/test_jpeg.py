import cv2
import numpy as np
import pytest
import torch

from flows.training.camera.jpeg import compress, quantised, table_scale
from flows.training.camera.scene import Scene
from flows.training.marking.chance import Chance


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = rng.normal(170, 12, (height, width)).clip(0, 255).astype(np.uint8)
    cv2.putText(drawn, "K4-7", (4, height - 6), 0, 0.8, 30, 2, cv2.LINE_AA)
    return drawn


@pytest.mark.parametrize("quality", [25, 50, 75, 95])
@pytest.mark.parametrize("shape", [(32, 96), (29, 83)])
def test_quantised_pictures_agree_with_libjpeg(quality: int, shape: tuple[int, int]) -> None:
    drawn = picture(*shape)
    _, stored = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, quality])
    theirs = cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE).astype(np.float32)
    pixels = torch.from_numpy(drawn).float()[None] / 255
    ours = quantised(pixels, table_scale(torch.tensor([float(quality)])), 0, 0)
    assert np.abs(ours[0].numpy() * 255 - theirs).mean() < 0.6


def test_quantised_blocks_begin_where_they_are_put() -> None:
    pixels = torch.rand(1, 24, 40, generator=torch.Generator().manual_seed(1))
    scale = torch.tensor([2.0])
    whole = quantised(pixels, scale, 0, 0)
    part = quantised(pixels[:, 3:, 5:], scale, 3, 5)
    assert torch.allclose(whole[:, 8:, 8:], part[:, 5:, 3:], atol=1e-5)
    assert not torch.allclose(
        whole[:, 8:, 8:], quantised(pixels[:, 3:, 5:], scale, 0, 0)[:, 5:, 3:]
    )


def test_compress_of_a_faint_mark_leaves_it_visible() -> None:
    ones = torch.ones(16)
    drawn = torch.from_numpy(picture(32, 96)).float().expand(16, 32, 96) / 255
    faint = 0.5 + (drawn - 0.5) * 0.12
    seen = compress(
        faint, Scene(ones, ones * 0.7, ones * 22, 22), Chance(torch.Generator().manual_seed(2))
    )
    kept = torch.stack(
        [
            torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
            for a, b in zip(faint, seen, strict=True)
        ]
    )
    assert kept.min() > 0.8
