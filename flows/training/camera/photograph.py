"""Pictures -> photographs -> model input: a marked part as some camera in a plant sees it.

A batch is cut into groups of like aspect; a group is one camera with its own resolution. There
`view` puts all of them before the camera, and each effect of `EFFECTS` comes over some of them.
Torch only, on the device of the pictures; all chance comes from the generator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from flows.training.camera import jpeg, optics, processing, sensor
from flows.training.camera.scene import Scene, mark_contrast
from flows.training.marking.chance import Chance

_ROWS = (10, 64)
_CLEAN_ROWS = (32, 48)
_COLUMNS = (8, 1024)
_MAX_PIXELS = 24_000

_CLEAN_TEXT_PX = 17.0
_HARD_TEXT_PX = 11.0
"""The least height of text at severity 0 and 1."""

_USUAL_FILL = 0.6
_HEIGHT_PER_PITCH = 1.5
"""Of usual letters. Narrower ones are as hard to read as lower ones would be."""

_GROUP = (8, 16)
_ALIKE = 0.35
"""Difference of the logarithms of two aspects that one camera may see."""

_ENDURED_STRAIN = 1.6
"""The sum of strains that a mark bears at full strength; beyond it, each effect is weakened."""

_PLAIN_MARK = 0.3
"""Of the grey scale: a mark of less contrast is given weaker effects, in proportion."""
_FAINTEST_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Shot:
    """Pictures of one camera.

    `pixels` (n, h, w) are grey from 0 to 1 in steps of 1/255; `index` (n,) is each one's place in
    the batch.
    """

    pixels: torch.Tensor
    index: torch.Tensor


@dataclass(frozen=True, slots=True)
class Effect:
    """What may come over a picture, how often at severity 0 and 1, how much legibility it takes."""

    apply: Callable[[torch.Tensor, Scene, Chance], torch.Tensor]
    clean_chance: float
    hard_chance: float
    strain: float


EFFECTS = (
    Effect(optics.blur, 0.4, 0.8, 1.0),
    Effect(sensor.expose, 0.1, 0.7, 0.7),
    Effect(sensor.noise, 0.3, 0.75, 1.0),
    Effect(sensor.shift_lines, 0.0, 0.04, 1.0),
    Effect(sensor.specks, 0.0, 0.06, 0.5),
    Effect(sensor.sharpen, 0.1, 0.35, 0.3),
    Effect(sensor.enlarge, 0.05, 0.3, 1.0),
    Effect(jpeg.compress, 0.3, 0.7, 0.7),
    Effect(processing.contrast, 0.01, 0.04, 0.2),
    Effect(processing.smooth, 0.005, 0.02, 0.5),
    Effect(processing.bilateral, 0.005, 0.025, 0.3),
    Effect(processing.darken, 0.0, 0.02, 0.5),
    Effect(processing.brighten, 0.0, 0.02, 0.5),
    Effect(processing.stretch, 0.01, 0.02, 0.0),
    Effect(processing.equalise, 0.0, 0.03, 0.3),
    Effect(processing.invert, 0.01, 0.01, 0.0),
    Effect(processing.threshold, 0.0, 0.02, 1.0),
)
"""In the order in which light, electronics, file and recipe come."""


@torch.no_grad()
def photograph(
    pictures: torch.Tensor,
    aspect: torch.Tensor,
    severity: torch.Tensor,
    generator: torch.Generator,
    fill: torch.Tensor | None = None,
    pitch: torch.Tensor | None = None,
) -> list[Shot]:
    """Photograph grey pictures (N, H, W) of 0..1, each stretched from its `aspect` to the canvas.

    `severity` (N,) from 0, a clean scan, to 1, hard but legible. `fill` (N,) is the height of the
    text as a share of the picture's, 0.6 where not given, and `pitch` (N,) the mean width that a
    character takes up, as a share of the picture's height, wide where not given: they bound what
    would make text illegible. All are on the generator's device, and outside of autocast.
    """
    if fill is None:
        fill = torch.full_like(aspect, _USUAL_FILL)
    chance = Chance(generator)
    legible = fill if pitch is None else torch.minimum(fill, pitch * _HEIGHT_PER_PITCH)
    least = _least_rows(severity, legible)
    wanted = _wanted_rows(aspect, severity, least, chance)
    low, high, strain = (
        torch.tensor(values, device=aspect.device)[:, None]
        for values in zip(
            *((e.clean_chance, e.hard_chance, e.strain) for e in EFFECTS), strict=True
        )
    )
    wishes = chance.uniform(len(EFFECTS) * len(aspect)).view(len(EFFECTS), -1)
    chosen = wishes < torch.lerp(low, high, severity)
    load = (strain * chosen).sum(0).clamp_min(_ENDURED_STRAIN)
    faint = (mark_contrast(pictures) / _PLAIN_MARK).clamp(_FAINTEST_SHARE, 1.0)
    bearable = severity * (_ENDURED_STRAIN / load).sqrt() * faint
    # One way to the host: waiting for a GPU at each effect would take longer than the effect.
    facts = torch.stack([aspect, wanted, least, legible]).cpu()
    chosen = chosen.cpu()
    shots = []
    for members, size in _groups(*facts[:3]):
        index = members.to(aspect.device)
        narrowed = (size[1] / size[0] / aspect[index]).clamp(max=1.0)
        text_px = legible[index] * size[0] * narrowed
        tallest = facts[3, members].max().item() * size[0]
        scene = Scene(bearable[index], fill[index], text_px, tallest)
        pixels = optics.view(pictures[index], size, scene, chance)
        for effect, mask in zip(EFFECTS, chosen[:, members], strict=True):
            rows = mask.nonzero()[:, 0].to(aspect.device)
            if len(rows):
                pixels[rows] = effect.apply(pixels[rows], scene.pick(rows), chance)
        shots.append(Shot((pixels.clamp_(0, 1) * 255).round_() / 255, index))
    return shots


@torch.no_grad()
def model_input(shots: Sequence[Shot], size: tuple[int, int] = (32, 256)) -> torch.Tensor:
    """Stretch all shots to `size` (rows, columns): (N, rows, columns) of 0..1 in batch order.

    As Pillow's `Image.resize` with `BILINEAR` and the image processors built on it do, to 1/255.
    """
    device = shots[0].pixels.device
    result = torch.empty((sum(len(shot.index) for shot in shots), *size), device=device)
    for shot in shots:
        result[shot.index] = functional.interpolate(
            shot.pixels[:, None], size, mode="bilinear", antialias=True
        )[:, 0]
    return (result * 255).round_() / 255


def crops(shots: Sequence[Shot]) -> list[np.ndarray]:
    """Return the photographs in batch order, each (h, w) uint8, as a camera would store them."""
    stored: dict[int, np.ndarray] = {}
    for shot in shots:
        pixels = (shot.pixels * 255).round().to(torch.uint8).cpu().numpy()
        stored.update(zip(shot.index.tolist(), pixels, strict=True))
    return [stored[place] for place in range(len(stored))]


def _least_rows(severity: torch.Tensor, legible: torch.Tensor) -> torch.Tensor:
    text = _CLEAN_TEXT_PX + (_HARD_TEXT_PX - _CLEAN_TEXT_PX) * severity
    return (text / legible.clamp_min(0.05)).clamp(*_ROWS)


def _wanted_rows(
    aspect: torch.Tensor, severity: torch.Tensor, least: torch.Tensor, chance: Chance
) -> torch.Tensor:
    """Return (N,) camera rows, more often below the middle of the range than at its ends."""
    low = math.log(_CLEAN_ROWS[0]) + math.log(_ROWS[0] / _CLEAN_ROWS[0]) * severity
    high = math.log(_CLEAN_ROWS[1]) + math.log(_ROWS[1] / _CLEAN_ROWS[1]) * severity
    between = chance.uniform(2 * len(aspect)).view(2, -1).mean(0) ** 1.4
    rows = torch.exp(low + (high - low) * between)
    return torch.minimum(rows, (_MAX_PIXELS / aspect).sqrt()).maximum(least)


def _groups(
    aspect: torch.Tensor, wanted: torch.Tensor, least: torch.Tensor
) -> Iterator[tuple[torch.Tensor, tuple[int, int]]]:
    """Cut the batch into cameras: who is in one (long), and its rows and columns.

    By aspect first, so that a camera's pixels are nearly square on each of its pictures; then
    within a range of aspects by the rows that are wanted.
    """
    few, many = _GROUP
    size = min(max(len(aspect) // 32, few), many)
    ordered = aspect.argsort(stable=True)
    for alike in ordered.tensor_split(_breaks(aspect[ordered].log().tolist())):
        by_rows = alike[wanted[alike].argsort(stable=True)]
        for members in by_rows.tensor_split(max(1, round(len(alike) / size))):
            usual = wanted[members].log().mean().exp().item()
            # Not of the tallest need: one picture of low text would sharpen all its neighbours.
            rows = max(usual, least[members].quantile(0.75).item())
            narrow, wide = aspect[members].aminmax()
            columns = round(rows * math.sqrt(narrow.item() * wide.item()))
            yield members, (round(rows), min(max(columns, _COLUMNS[0]), _COLUMNS[1]))


def _breaks(ascending: list[float]) -> list[int]:
    """Return where ranges of at most `_ALIKE` begin, but for the first."""
    breaks, start = [], ascending[0]
    for place, value in enumerate(ascending):
        if value - start > _ALIKE:
            breaks.append(place)
            start = value
    return breaks
