"""Flat marks: printed, sprayed, lasered, lit. They change a surface's tone, not its shape."""

from __future__ import annotations

import math

import torch

from flows.training.marking.canvas import across, blur
from flows.training.marking.chance import Chance, plane
from flows.training.marking.surfaces import Surfaces
from flows.training.marking.workpieces import Workpieces


def inked(pieces: Workpieces, surfaces: Surfaces, chance: Chance) -> torch.Tensor:
    """Pictures (N, 48, 384) of ink or paint, which hides more or less of the texture."""
    count = len(pieces)
    cover = _cover(pieces, surfaces, chance)
    hidden = chance.uniform(count, 0.0, 1.0) * pieces.roughness
    picture = pieces.ground + cover * (plane(pieces.contrast) - plane(hidden) * pieces.texture)

    some = chance.chosen(0.02 + 0.12 * pieces.severity)
    mist = blur(
        cover[some],
        chance.uniform(len(some), 1.0, 2.5) * pieces.stroke[some],
        pieces.squeeze[some],
    )
    mist *= 1 + 0.5 * pieces.texture[some]
    depth = chance.uniform(len(some), 0.1, 0.35) * pieces.contrast[some]
    picture[some] += plane(depth) * mist * (1 - cover[some])
    return picture


def lasered(pieces: Workpieces, surfaces: Surfaces, chance: Chance) -> torch.Tensor:
    """Pictures (N, 48, 384) of annealed or bleached marks, through which the texture shows.

    Raster lines of the beam, a second pass beside the first, a halo of heat in either tone.
    """
    cover = _cover(pieces, surfaces, chance)
    made = cover.clone()
    some = chance.chosen(0.1 + 0.3 * pieces.severity)
    made[some] *= _raster(made[some], pieces.aspect[some], chance)

    some = chance.chosen(0.05 + 0.25 * pieces.severity)
    made[some] = torch.maximum(made[some], _second_pass(cover[some], pieces.pick(some), chance))

    picture = pieces.ground + plane(pieces.contrast) * made
    some = chance.chosen(0.15 + 0.35 * pieces.severity)
    count = len(some)
    reach = chance.uniform(count, 0.6, 2.0) * pieces.stroke[some]
    halo = blur(cover[some], reach, pieces.squeeze[some])
    depth = chance.uniform(count, 0.1, 0.45) * chance.sign(count, 0.65) * pieces.contrast[some]
    picture[some] += plane(depth) * halo
    return picture


def lit(pieces: Workpieces, surfaces: Surfaces, chance: Chance) -> torch.Tensor:
    """Pictures (N, 48, 384) of a display's elements.

    Lighter than the panel they glow, darker they cast a shadow on its back.
    """
    count = len(pieces)
    stroke, glowing = pieces.stroke, pieces.contrast > 0
    soft = torch.where(glowing, chance.uniform(count, 0.5, 2.5), chance.uniform(count, 0.1, 0.4))
    far = torch.where(glowing, 0.0, chance.uniform(count, 0.2, 1.0)) * stroke
    angle = chance.uniform(count, 0.2, math.pi - 0.2)
    halo = blur(pieces.ink, soft * stroke, pieces.squeeze, far * angle.sin(), far * angle.cos())
    halo *= plane(chance.uniform(count, 0.05, 0.25 + 0.35 * pieces.severity))
    return pieces.ground + plane(pieces.contrast) * torch.maximum(pieces.ink, halo)


def _cover(pieces: Workpieces, surfaces: Surfaces, chance: Chance) -> torch.Tensor:
    """How much ink lies where (N, 48, 384): bled, hollow, thin, faded, banded and worn away."""
    made = pieces.ink.clone()
    severity = pieces.severity

    some = chance.chosen(0.15 + 0.3 * severity)
    made[some] = _bled(pieces.pick(some), chance)

    some = chance.chosen(0.04 + 0.08 * severity)
    core = blur(pieces.ink[some], 0.35 * pieces.stroke[some], pieces.squeeze[some])
    core = ((core - 0.55) * 4).clamp_(0, 1)
    made[some] *= 1 - core * plane(chance.uniform(len(some), 0.2, 0.75))

    some = chance.chosen(0.5 * severity)
    specks = surfaces.sample_blotches(pieces.aspect[some], (2.0, 6.0), chance.generator)
    depth = chance.uniform(len(some), 0.1, 0.8) * severity[some]
    made[some] *= 1 - specks.square_() * plane(depth)

    some = chance.chosen(0.3 * severity)
    made[some] *= _faded(pieces.pick(some), chance)

    some = chance.chosen(0.2 * severity)
    made[some] *= _banded(pieces.pick(some), chance)

    some = chance.chosen(0.45 * severity)
    patches = surfaces.sample_blotches(pieces.aspect[some], (0.5, 4.0), chance.generator)
    share = plane(chance.uniform(len(some), 0.03, 0.25) * severity[some])
    loss = plane(chance.uniform(len(some), 0.3, 0.8))
    made[some] *= 1 - loss * torch.sigmoid_((share - patches) * 40)
    return made


def _bled(pieces: Workpieces, chance: Chance) -> torch.Tensor:
    """Edges moved in or out and ragged along the grain, as ink creeps in fibres."""
    count, severity = len(pieces), pieces.severity
    soft = blur(pieces.ink, chance.uniform(count, 0.15, 0.35) * pieces.stroke, pieces.squeeze)
    level = plane(chance.uniform(count, 0.5 - 0.15 * severity, 0.5 + 0.05 * severity))
    soft += plane(chance.uniform(count, 0.0, 0.12) * severity) * pieces.texture
    return torch.sigmoid_((soft - level) * plane(chance.uniform(count, 6.0, 16.0)))


def _faded(pieces: Workpieces, chance: Chance) -> torch.Tensor:
    """A factor that falls off towards one side, to 0.35 at worst."""
    count = len(pieces)
    upright = chance.uniform(count) < 0.3
    angle = torch.where(upright, math.pi / 2, 0.0)
    down, along = across(pieces.ink, pieces.aspect, angle)
    extent = torch.where(upright, 1.0, pieces.aspect)
    ramp = (down + along) * plane(chance.sign(count) / extent) + 0.5
    depth = plane(chance.uniform(count, 0.2, 0.65) * pieces.severity)
    return 1 - depth * (ramp * plane(chance.uniform(count, 1.0, 2.5)) - 0.3).clamp_(0, 1)


def _banded(pieces: Workpieces, chance: Chance) -> torch.Tensor:
    """A factor with streaks of a print head: rows or columns that print weakly or not at all."""
    count, rows, columns = pieces.ink.shape
    depth = plane(chance.uniform(count, 0.3, 0.9) * pieces.severity)
    weak = plane(chance.uniform(count, 0.02, 0.12))

    def streaks(length: int, width: int) -> torch.Tensor:
        drawn = chance.uniform(count * (length // width)).view(count, length // width, 1)
        return drawn.expand(-1, -1, width).reshape(count, length)

    down = (streaks(rows, 1)[:, :, None] < weak).float()
    along = (streaks(columns, 3)[:, None] < weak).float()
    lying = plane(chance.uniform(count) < 0.6)
    return 1 - depth * torch.where(lying, down, along)


def _raster(cover: torch.Tensor, aspect: torch.Tensor, chance: Chance) -> torch.Tensor:
    """A factor with the lines of a beam that fills the strokes, mostly level or upright."""
    count = len(cover)
    slanted = chance.uniform(count, 0, math.pi)
    straight = (slanted * 2 / math.pi).floor() * math.pi / 2
    angle = torch.where(chance.uniform(count) < 0.7, straight, slanted)
    down, along = across(cover, aspect, angle)
    phase = (down + along) * plane(2 * math.pi * cover.shape[1] / chance.uniform(count, 1.5, 4.0))
    return 1 - plane(chance.uniform(count, 0.15, 0.6)) * (0.5 + 0.5 * phase.sin_())


def _second_pass(cover: torch.Tensor, pieces: Workpieces, chance: Chance) -> torch.Tensor:
    """The mark once more, weaker and off by up to a stroke's width."""
    count, stroke = len(cover), pieces.stroke
    angle = chance.uniform(count, 0, 2 * math.pi)
    far = chance.uniform(count, 0.3, 1.2) * stroke
    moved = blur(cover, 0.1 * stroke, pieces.squeeze, far * angle.sin(), far * angle.cos())
    return moved.mul_(plane(chance.uniform(count, 0.2, 0.3 + 0.4 * pieces.severity)))
