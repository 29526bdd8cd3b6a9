"""What JPEG leaves of a grey picture: the 8 x 8 cosine transform, quantised and undone."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from flows.training.camera.scene import Scene, mark_contrast
from flows.training.marking.chance import Chance

_SIDE = 8
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""ITU-T T.81 (1992), table K.1."""

_WORST_QUALITY = 25.0
_BEST_QUALITY = 95.0
_SCALE_PER_CONTRAST = 14.0
"""Scale of the table over the mark's contrast: coarser steps swallow the strokes of faint marks."""


def compress(pixels: torch.Tensor, scene: Scene, chance: Chance) -> torch.Tensor:
    """Send (n, h, w) through JPEG at a quality between 25 and 95, worse where it does no harm.

    The crop was cut out of a larger picture, so its grid of blocks begins anywhere.
    """
    n = len(pixels)
    lowest = _BEST_QUALITY - (_BEST_QUALITY - _WORST_QUALITY) * scene.severity
    quality = lowest + chance.uniform(n) * (_BEST_QUALITY - lowest)
    coarsest = mark_contrast(pixels) * _SCALE_PER_CONTRAST * (scene.text_px / 20).clamp(max=1)
    bound = coarsest.clamp(0.1, 2.0)
    scale = torch.minimum(table_scale(quality), bound)
    top, left = (chance.uniform(2) * _SIDE).long().tolist()
    return quantised(pixels, scale, top, left)


def table_scale(quality: torch.Tensor) -> torch.Tensor:
    """Return what libjpeg multiplies the table by, for a quality of 1 to 100."""
    return torch.where(quality < 50, 50 / quality, 2 - quality / 50)


def quantised(pixels: torch.Tensor, scale: torch.Tensor, top: int, left: int) -> torch.Tensor:
    """Return (n, h, w) after quantisation by the luminance table times `scale` (n,).

    The first block begins `top` rows above and `left` columns left of the picture.
    """
    n, height, width = pixels.shape
    bottom, right = -(height + top) % _SIDE, -(width + left) % _SIDE
    padded = functional.pad(pixels, (left, right, top, bottom), mode="replicate") * 255 - 128
    rows, columns = padded.shape[1] // _SIDE, padded.shape[2] // _SIDE
    blocks = padded.view(n, rows, _SIDE, columns, _SIDE).transpose(2, 3).reshape(n, -1, _SIDE**2)
    cosine = _transform(pixels.device)
    table = torch.tensor(_LUMINANCE, device=pixels.device, dtype=pixels.dtype).flatten()
    steps = (table * scale[:, None] + 0.5).floor().clamp(1, 255)[:, None]
    blocks = ((blocks @ cosine.T) / steps).round() * steps @ cosine
    padded = blocks.view(n, rows, columns, _SIDE, _SIDE).transpose(2, 3).reshape(padded.shape)
    picture = padded[:, top : top + height, left : left + width]
    return ((picture + 128) / 255).clamp(0, 1)


def _transform(device: torch.device) -> torch.Tensor:
    """Return (64, 64): the orthonormal two-dimensional DCT-II of a flattened block."""
    steps = torch.arange(_SIDE, device=device, dtype=torch.float32)
    cosine = torch.cos((2 * steps + 1) * steps[:, None] * math.pi / (2 * _SIDE)) / 2
    cosine[0] /= math.sqrt(2)
    return torch.kron(cosine, cosine)
