"""What the sensor and its electronics add: exposure, noise, lost lines, halos, enlargement."""

from __future__ import annotations

import torch
from torch.nn import functional

from flows.training.camera.optics import spread
from flows.training.camera.scene import Scene, mark_contrast
from flows.training.marking.chance import Chance, normal, plane, tailed

_FAINTEST_MARK = 0.16
"""Of the grey scale: 40 grey levels, which a person still reads through noise."""

_NOISE_PER_TEXT_PX = 0.015
"""Noise over the mark's contrast that may be added per pixel of text height: larger text is
recognised through more noise, as the eye averages over a stroke."""

_NOTHING = 0.03
_MAX_NOISE_ON_NOTHING = 0.06

_SMALLEST_TEXT_PX = 11.0
_MODES = ("nearest", "bilinear", "bicubic")


def expose(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Change contrast, black level, gain and gamma, and clip to 0..1 as a sensor does.

    A mark that would drown keeps enough of its contrast.
    """
    n, severity = len(pixels), scene.severity
    before = mark_contrast(pixels)
    contrast = 1 - 0.7 * chance.uniform(n) ** 2 * severity
    gain = 2 ** (tailed(chance, n, 1.5) * 1.8 * severity)
    gamma = 2 ** (tailed(chance, n, 1.5) * 1.2 * severity)
    level = tailed(chance, n, 1.5) * 0.4 * severity
    mean = pixels.mean((1, 2), keepdim=True)
    curved = (mean + (pixels - mean) * plane(contrast)).clamp(1e-4, 1)
    curved = curved ** plane(gamma) * plane(gain) + plane(level)
    least = torch.minimum(before, before.clamp(max=_FAINTEST_MARK).maximum(before / 4))
    left = mark_contrast(curved)
    raised = (least / left.clamp_min(1e-3)).clamp_min(1)
    # So near to black or white at most that fine strokes are not clipped with the ground, where
    # most of it is; a glare on the rest may be.
    margin = (left * raised / 3).clamp(max=0.5)
    middle = curved.mean((1, 2))
    dark, bright = ((ground - middle) * raised for ground in _grounds(curved))
    new_middle = middle.maximum(margin - dark).minimum(1 - margin - bright)
    changed = (plane(new_middle) + (curved - plane(middle)) * plane(raised)).clamp(0, 1)
    after = mark_contrast(changed)
    back = ((least - after) / (before - after).clamp_min(1e-3)).clamp(0, 1)
    return torch.lerp(changed, pixels, plane(back))


def _grounds(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return (n,) twice: the level below and above which a sixth of the surroundings lies."""
    tiles = functional.avg_pool2d(pixels[:, None], max(1, min(pixels.shape[1:]) // 3))
    ordered = tiles.flatten(1).sort(1).values
    last = ordered.shape[1] - 1
    return ordered[:, round(last / 6)], ordered[:, round(last * 5 / 6)]


def noise(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Add read, shot and multiplicative noise and a fixed pattern of rows and columns.

    Its strength is bounded by the mark's contrast and the height of the text.
    """
    n, height, width = pixels.shape
    amount = 0.005 + chance.uniform(n) ** 1.5 * 0.14 * scene.severity
    contrast = mark_contrast(pixels)
    bound = contrast * (_NOISE_PER_TEXT_PX * scene.text_px).clamp(max=0.5)
    # Nothing is there to be spared, and noise must not come to mean that something is.
    bound = torch.where(contrast < _NOTHING, _MAX_NOISE_ON_NOTHING, bound.clamp_min(0.01))
    amount = torch.minimum(amount, bound)
    kinds = chance.uniform(3 * n).view(n, 3) ** 2
    read, shot, speckle = (kinds / kinds.sum(1, keepdim=True)).unbind(1)
    scale = plane(read) + plane(shot) * pixels.clamp_min(0).sqrt() + plane(speckle) * pixels
    noisy = pixels + normal(chance, (n, height, width)) * scale * plane(amount)
    rows = (chance.uniform(n) < 0.15).float() * amount * 0.5
    columns = (chance.uniform(n) < 0.1).float() * amount * 0.4
    noisy = noisy + normal(chance, (n, height, 1)) * plane(rows)
    noisy = noisy + normal(chance, (n, 1, width)) * plane(columns)
    return noisy.clamp(0, 1)


def shift_lines(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Shift every other line (interlacing), or each line by its own small amount (jitter)."""
    n, height, width = pixels.shape
    room = 0.06 * scene.text_px * scene.severity
    comb = (torch.arange(height, device=pixels.device) % 2) * chance.sign(n)[:, None]
    jitter = normal(chance, (n, height)).clamp(-2, 2) * 0.5
    interlaced = chance.uniform(n)[:, None] < 0.5
    shift = torch.where(interlaced, comb, jitter) * room.clamp(0.6, 2.0)[:, None]
    source = torch.arange(width, device=pixels.device) + shift.round().long()[:, :, None]
    return pixels.gather(2, source.clamp(0, width - 1))


def specks(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Set single pixels black or white: dead pixels, dust, transmission errors."""
    share = plane((0.002 + 0.025 * chance.uniform(len(pixels)) ** 2) * scene.severity)
    where = chance.uniform(pixels.numel()).view_as(pixels)
    pixels = torch.where(where < share / 2, torch.zeros_like(pixels), pixels)
    return torch.where(where > 1 - share / 2, torch.ones_like(pixels), pixels)


def sharpen(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Sharpen by an unsharp mask as cameras do, with halos."""
    n = len(pixels)
    sigma = chance.uniform(n, 0.6, 1.6)
    amount = chance.uniform(n, 0.3, 2.5) * (0.2 + 0.8 * scene.severity)
    zero = torch.zeros_like(sigma)
    soft = spread(pixels, sigma, zero, zero, 3)
    return torch.lerp(soft, pixels, plane(1 + amount)).clamp(0, 1)


def enlarge(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Reduce (n, h, w) and enlarge it again: video that was scaled, crops saved too large."""
    height, width = pixels.shape[1:]
    smallest = _SMALLEST_TEXT_PX + 8 * (1 - scene.severity)
    most = (scene.text_px / smallest).min().clamp(1.0, 3.0)
    share, reduction, enlargement, most = [*chance.uniform(3).tolist(), most.item()]
    ratio = 1 + share * (most - 1)
    small = (max(8, round(height / ratio)), max(8, round(width / ratio)))
    if small[0] >= height or small[1] >= width:
        return pixels
    antialias = reduction < 0.7
    reduced = functional.interpolate(pixels[:, None], small, mode="bilinear", antialias=antialias)
    mode = _MODES[int(enlargement * len(_MODES))]
    return functional.interpolate(reduced, (height, width), mode=mode)[:, 0].clamp(0, 1)
