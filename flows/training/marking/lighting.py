"""What lies between a mark and the camera: grime, scratches, uneven light, shadows and glare."""

from __future__ import annotations

import math

import torch

from flows.training.marking.canvas import across
from flows.training.marking.chance import Chance, plane
from flows.training.marking.surfaces import Surfaces

STAINS = ((0.3, (0.03, 0.4), (0.4, 2.5)), (0.2, (0.002, 0.02), (2.0, 5.0)))
"""Stains and dust: how often at severity 1, the share of the area, the zoom into the blotches."""


def soiled(
    pictures: torch.Tensor,
    aspect: torch.Tensor,
    severity: torch.Tensor,
    veil: torch.Tensor,
    surfaces: Surfaces,
    chance: Chance,
) -> torch.Tensor:
    """`pictures` (N, 48, 384) with stains, dust and scratches over the mark, changed in place.

    `veil` (N,) is the most of a mark's contrast that anything may take.
    """
    for probability, share, zoom in STAINS:
        some = chance.chosen(probability * severity)
        count = len(some)
        blotches = surfaces.sample_blotches(aspect[some], zoom, chance.generator)
        part = plane(chance.log_uniform(count, *share))
        mask = torch.sigmoid_((part - blotches) * plane(chance.log_uniform(count, 8, 60)))
        strength = chance.uniform(count, 0.2, 0.8) * (0.3 + 0.7 * severity[some])
        mask *= plane(torch.minimum(strength, veil[some]))
        tone = plane(chance.uniform(count, 0.0, 1.0))
        pictures[some] += mask * (tone - pictures[some])

    some = chance.chosen(0.35 * severity)
    lines = surfaces.sample_scratches(aspect[some], chance.generator)
    depth = chance.uniform(len(some), 0.1, 0.5) * severity[some]
    depth = torch.minimum(depth, 0.1 + veil[some]) * chance.sign(len(some), 0.6)
    pictures[some] += plane(depth) * lines
    return pictures


def illuminated(
    pictures: torch.Tensor,
    aspect: torch.Tensor,
    severity: torch.Tensor,
    veil: torch.Tensor,
    texture: torch.Tensor,
    chance: Chance,
) -> torch.Tensor:
    """`pictures` (N, 48, 384) under uneven light, shadows and glare, exposed; 0..1, in place.

    `veil` (N,) is the most of a mark's contrast that anything may take.
    """
    pictures *= _uneven(pictures, severity, chance)

    some = chance.chosen(0.25 * severity)
    distance = _from_line(pictures[some], aspect[some], chance)
    steep = plane(chance.log_uniform(len(some), 4, 60))
    depth = chance.uniform(len(some), 0.2, 0.7) * (0.3 + 0.7 * severity[some])
    depth = plane(torch.minimum(depth, veil[some]))
    pictures[some] *= 1 - depth * torch.sigmoid_(distance * steep)

    some = chance.chosen(0.4 * severity)
    distance = _from_line(pictures[some], aspect[some], chance)
    width = plane(chance.log_uniform(len(some), 0.08, 0.9))
    strength = chance.uniform(len(some), 0.2, 0.9) * (0.3 + 0.7 * severity[some])
    strength = plane(torch.minimum(strength, veil[some]))
    broken = plane(chance.uniform(len(some), 0.0, 0.15))
    lobe = torch.exp(-0.5 * (distance / width).square_())
    lobe = (lobe * strength).mul_(1 + broken * texture[some]).clamp_(0, 0.85)
    bright = plane(chance.uniform(len(some), 0.8, 1.15))
    pictures[some] += lobe * (bright - pictures[some])
    return _exposed(pictures, chance).clamp_(0, 1)


def _uneven(pictures: torch.Tensor, severity: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Light (N, 48, 384) of 0.45 to 1.3: a level, a slope and a bow along and across."""
    count, rows, columns = pictures.shape
    y = torch.linspace(-1, 1, rows, device=pictures.device)
    x = torch.linspace(-1, 1, columns, device=pictures.device)

    def bent(axis: torch.Tensor, slope: float, bow: float) -> torch.Tensor:
        rise = chance.uniform(count, -slope, slope) * severity
        fall = chance.uniform(count, -0.2 * bow, bow) * severity
        return rise[:, None] * axis - fall[:, None] * axis**2

    level = 1 + bent(y, 0.2, 0.2)[:, :, None]
    light = level + bent(x, 0.45, 0.4)[:, None]
    return light.mul_(plane(chance.uniform(count, 1 - 0.4 * severity, 1.0))).clamp_(0.45, 1.3)


def _from_line(pictures: torch.Tensor, aspect: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Signed distance (N, 48, 384), in heights of the strip, from a random line through it."""
    count = len(pictures)
    angle = chance.uniform(count, 0, 2 * math.pi)
    down, along = across(pictures, aspect, angle)
    reach = 0.5 * (angle.cos().abs() * aspect + angle.sin().abs())
    return down + along + plane(chance.uniform(count, -0.9, 0.9) * reach)


def _exposed(pictures: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Dark pictures brightened, as automatic exposure does, as far as the lights are not lost."""
    count = len(pictures)
    mean = pictures.mean((1, 2))
    deviation = (pictures.square().mean((1, 2)) - mean**2).clamp(min=0).sqrt()
    wanted = chance.uniform(count, 0.15, 0.55)
    gain = torch.minimum(wanted / mean.clamp(min=0.02), 1 / (mean + 2.5 * deviation).clamp(0.1))
    return pictures.mul_(plane(gain.clamp(1.0, 4.0)))
