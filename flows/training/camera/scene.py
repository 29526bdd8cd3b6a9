"""What an effect of the camera may know of the pictures it works on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

_AMPLITUDE_PER_DEVIATION = 2.5
"""A mark that covers a fifth of its surroundings has 0.4 of its amplitude as deviation."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The sample by sample conditions of n pictures.

    `severity` (n,): 0..1, how strong an effect may be here. `fill` (n,): height of the text as a
    share of the crop's. `text_px` (n,): the same in pixels of the camera, less where letters
    are narrow; by it an effect tells what stays legible. `tallest_px`: no `text_px` is above it.
    """

    severity: torch.Tensor
    fill: torch.Tensor
    text_px: torch.Tensor
    tallest_px: float

    def pick(self, rows: torch.Tensor) -> Scene:
        """Return the scene of some of the pictures."""
        return Scene(self.severity[rows], self.fill[rows], self.text_px[rows], self.tallest_px)


def mark_contrast(pixels: torch.Tensor) -> torch.Tensor:
    """Return (n,): about how far the mark's grey lies from its surroundings', for (n, h, w).

    It is the deviation inside tiles of a quarter to half of the height, so shading counts for
    little, after the smallest details are averaged away, so noise and roughness do too.
    """
    height = pixels.shape[1]
    detail = max(1, height // 16)
    coarse = functional.avg_pool2d(pixels[:, None], detail) if detail > 1 else pixels[:, None]
    tile = min(8, *coarse.shape[2:])
    mean = functional.avg_pool2d(coarse, tile, ceil_mode=True)
    square = functional.avg_pool2d(coarse.square(), tile, ceil_mode=True)
    deviation = (square - mean.square()).clamp_min(0).mean((1, 2, 3)).sqrt()
    return deviation * _AMPLITUDE_PER_DEVIATION


def surroundings(pixels: torch.Tensor, tile: int) -> torch.Tensor:
    """Return (n, h, w): at each pixel the mean of (n, h, w) over tiles, interpolated as CLAHE's."""
    size = pixels.shape[1:]
    tiles = functional.interpolate(
        pixels[:, None], [max(1, round(side / tile)) for side in size], mode="area"
    )
    return functional.interpolate(tiles, size, mode="bilinear")[:, 0]
