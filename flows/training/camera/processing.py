"""What users put into a recipe before reading: this project's operations, and their like.

The operations are those of `stages.preprocess` in torch; thresholding, inversion and local
normalisation come from scanners and from cameras that process pictures themselves.
"""

from __future__ import annotations

import torch
from torch.nn import functional

from flows.training.camera.optics import spread
from flows.training.camera.scene import Scene, mark_contrast, surroundings
from flows.training.marking.chance import Chance, plane

_BILATERAL_RADIUS = 2
_MORPHOLOGY_TEXT_PX = 24.0
"""From this height of text on, strokes survive a neighbourhood of 3 pixels; of 5 from twice it."""


def contrast(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Spread about the mean by a factor up to 4, as `stages.preprocess.tone` does."""
    highest = (0.7 / mark_contrast(pixels).clamp_min(0.05)).clamp(1.3, 4.0)
    factor = 1 + chance.uniform(len(pixels)) * (highest - 1)
    mean = pixels.mean((1, 2), keepdim=True)
    return (mean + (pixels - mean) * plane(factor)).clamp(0, 1)


def smooth(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Blur by the Gaussian of a kernel of 3 or 5 px, as `stages.preprocess.filters.blur` does."""
    sigma = torch.where(
        (scene.text_px > 18) & (chance.uniform(len(pixels)) < 0.5), 0.15 * 5 + 0.35, 0.8
    )
    zero = torch.zeros_like(sigma)
    return spread(pixels, sigma, zero, zero, 2)


def bilateral(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Smooth surfaces and keep edges (Tomasi and Manduchi 1998), over 5 x 5 pixels."""
    n, height, width = pixels.shape
    reach = _BILATERAL_RADIUS
    padded = functional.pad(pixels, (reach,) * 4, mode="replicate")
    tolerance = plane(chance.uniform(n, 0.5, 1.0) * mark_contrast(pixels).clamp(0.04, 0.3))
    inverse = -0.5 / tolerance.square()
    total, weights = torch.zeros_like(pixels), torch.zeros_like(pixels)
    for row in range(2 * reach + 1):
        for start in range(2 * reach + 1):
            near = padded[:, row : row + height, start : start + width]
            weight = torch.exp((near - pixels).square_() * inverse)
            total.addcmul_(weight, near)
            weights += weight
    return total / weights


def darken(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Let the dark grow, as `stages.preprocess.morphology.erode` does, where text is large."""
    return 1 - brighten(1 - pixels, scene, chance)


def brighten(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Let the bright grow, as `stages.preprocess.morphology.dilate` does, where text is large."""
    small = functional.max_pool2d(pixels[:, None], 3, 1, 1)
    large = functional.max_pool2d(small, 3, 1, 1)[:, 0]
    text = scene.text_px * chance.uniform(len(pixels), 0.7, 1.0)
    grown = torch.where(plane(text > 2 * _MORPHOLOGY_TEXT_PX), large, small[:, 0])
    # Below that height the neighbourhood is less than a pixel: what a resize leaves of it.
    share = (scene.text_px / _MORPHOLOGY_TEXT_PX).clamp(max=1) ** 2
    return torch.lerp(pixels, grown, plane(share))


def stretch(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Spread the grey values over 0..1, a percent at either end cut off."""
    low, high = _quantiles(pixels, 0.01, 0.99)
    return ((pixels - plane(low)) / plane((high - low).clamp_min(0.08))).clamp(0, 1)


def equalise(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Even out mean and deviation place by place, bounded in gain, as CLAHE does."""
    n, height, _ = pixels.shape
    tile = height // 2
    mean = surroundings(pixels, tile)
    deviation = (surroundings(pixels.square(), tile) - mean.square()).clamp_min(0).sqrt()
    gain = (0.22 / deviation.clamp_min(1e-3)).clamp(max=4.0)
    evened = (pixels - mean) * gain + 0.5 + (mean - 0.5) * 0.4
    return torch.lerp(pixels, evened, plane(chance.uniform(n, 0.5, 1.0))).clamp(0, 1)


def invert(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Swap black and white."""
    return 1 - pixels


def threshold(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Make it nearly black and white, against the local mean or the middle of its greys."""
    n, height, _ = pixels.shape
    low, high = _quantiles(pixels, 0.04, 0.96)
    local = surroundings(pixels, height)
    middle = torch.where(
        plane(chance.uniform(n) < 0.5), plane((low + high) / 2).expand_as(local), local
    )
    contrast = mark_contrast(pixels)
    softness = plane(contrast.clamp_min(0.02) * chance.uniform(n, 0.02, 0.3))
    black_and_white = torch.sigmoid((pixels - middle) / softness)
    # A faint mark breaks up; who sees that does not do it.
    return torch.lerp(pixels, black_and_white, plane((contrast / 0.25).clamp(max=1)))


def _quantiles(pixels: torch.Tensor, low: float, high: float) -> tuple[torch.Tensor, torch.Tensor]:
    ordered = pixels[:, ::2, ::2].flatten(1).sort(1).values
    last = ordered.shape[1] - 1
    return ordered[:, round(low * last)], ordered[:, round(high * last)]
