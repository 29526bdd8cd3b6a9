"""Raised and sunken marks: a height map under a lamp, with paint on or in it at times."""

from __future__ import annotations

import math

import torch

from flows.training.marking.canvas import blur, slopes
from flows.training.marking.chance import Chance, plane
from flows.training.marking.surfaces import Surfaces
from flows.training.marking.workpieces import Workpieces


def shaped(pieces: Workpieces, surfaces: Surfaces, chance: Chance) -> torch.Tensor:
    """Pictures (N, 48, 384) of embossed, engraved, stamped and peened marks."""
    count, severity = len(pieces), pieces.severity
    raised = chance.sign(count, pieces.raised)
    depth = chance.uniform(count, 0.9 - 0.55 * severity, 1.8 - 0.9 * severity)
    edge = torch.where(
        pieces.conical, chance.uniform(count, 0.25, 0.4), chance.uniform(count, 0.12, 0.4)
    )
    edge = edge * pieces.stroke
    profile = blur(pieces.ink, edge, pieces.squeeze)
    azimuth = chance.uniform(count, 0, 2 * math.pi)
    picture = _lit_relief(pieces, profile, raised * depth * edge, azimuth, chance)

    # Hollows see less of the sky; the tops of raised marks are worn bright, or dirty.
    tops = chance.uniform(count, -0.3, 0.3)
    hollow = torch.where(raised < 0, chance.uniform(count, 0.0, 0.4), tops)
    picture *= 1 - plane(hollow * depth.clamp(max=1)) * profile

    some = chance.chosen(torch.full_like(depth, 0.4))
    far = chance.uniform(len(some), 0.3, 1.2) * raised[some] * pieces.stroke[some]
    picture[some] *= _cast_shadow(pieces.pick(some), far, azimuth[some], chance)

    some = chance.chosen(pieces.painted * (1 - 0.5 * severity))
    paint = profile[some] * (1 + 0.3 * pieces.texture[some] * plane(severity[some])).clamp_(0, 1.2)
    strength = chance.uniform(len(some), 0.4, 1.0) * pieces.contrast[some]
    picture[some] += plane(strength) * paint
    return picture


def _lit_relief(
    pieces: Workpieces,
    profile: torch.Tensor,
    rise: torch.Tensor,
    azimuth: torch.Tensor,
    chance: Chance,
) -> torch.Tensor:
    """The ground by Lambert's law and Blinn's highlight, over a `profile` (N, 48, 384) of 0..1.

    `rise` (N,) is the slope of the flanks times the width of their blur, in rows, negative where
    the mark is sunken; the lamp stands at `azimuth` (N,).
    """
    count = len(pieces)
    # A step of height 1 blurred by sigma is as steep as 1 / (sqrt(2 pi) sigma).
    along, down = slopes(profile, pieces.squeeze)
    along *= plane(math.sqrt(2 * math.pi) * rise)
    down *= plane(math.sqrt(2 * math.pi) * rise)
    elevation = chance.uniform(count, 0.35, 1.2)
    x, y, z = (
        elevation.cos() * azimuth.cos(),
        elevation.cos() * azimuth.sin(),
        elevation.sin(),
    )
    length = torch.addcmul(along.square().add_(1), down, down).sqrt_()
    towards = (plane(-x) * along).addcmul_(plane(-y), down)
    ambient = chance.uniform(count, 0.15, 0.5)
    shade = (towards + plane(z)).clamp_(min=0).div_(length).mul_(plane((1 - ambient) / z))
    shade = shade.add_(plane(ambient)).clamp_(max=2.2)

    # The normal meets the direction half way between the lamp and a camera straight above.
    half = torch.sqrt(x**2 + y**2 + (z + 1) ** 2)
    sharp = chance.log_uniform(count, 6.0, 50.0)
    flat = ((z + 1) / half) ** sharp
    gloss = towards.add_(plane(z + 1)).div_(length.mul_(plane(half))).clamp_(1e-3, 1)
    gloss = gloss.log_().mul_(plane(sharp)).exp_().sub_(plane(flat))
    strength = 0.5 * chance.uniform(count) ** 1.5
    return shade.mul_(pieces.ground).addcmul_(gloss, plane(strength))


def _cast_shadow(
    pieces: Workpieces, far: torch.Tensor, azimuth: torch.Tensor, chance: Chance
) -> torch.Tensor:
    """A factor: the shadow of a raised mark beside it, or that of the rim inside a sunken one.

    `far` (N,) rows, negative where sunken.
    """
    shadow = blur(
        pieces.ink,
        0.2 * pieces.stroke,
        pieces.squeeze,
        -far * azimuth.sin(),
        -far * azimuth.cos(),
    )
    ink = pieces.ink
    cast = torch.where(plane(far < 0), ink * (1 - shadow), shadow * (1 - ink))
    return 1 - plane(chance.uniform(len(pieces), 0.15, 0.6)) * cast.clamp_(0, 1)
