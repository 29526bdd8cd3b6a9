"""How a mark looks on its material: strips of ink and surfaces become grey pictures.

`mark` picks a surface and tones for each sample by its style (`looks.py`), makes the mark
(`inking.py`, `relief.py`), sees to it that a person can still read it, and puts dirt and light over
it (`lighting.py`). All in batches on the tensors' device; all chance comes from the generator.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from flows.training.drawing.styles import Style
from flows.training.marking.chance import Chance, plane
from flows.training.marking.inking import inked, lasered, lit
from flows.training.marking.lighting import illuminated, soiled
from flows.training.marking.looks import Looks, Making
from flows.training.marking.relief import shaped
from flows.training.marking.surfaces import Surfaces
from flows.training.marking.workpieces import Workpieces

LEAST = (0.25, 0.1)
"""Least contrast of a mark with its ground at severity 0 and 1, of the full scale."""

LEFT = 0.7
"""Part of the least contrast that is left under dirt and glare."""

ABOVE_TEXTURE = (3.5, 1.4)
"""Least ratio of the mark's contrast to the texture's at severity 0 and 1.

Rose's criterion asks for about 5 for single features; strokes are many times longer than a grain of
the texture, and what the eye sums over them makes up for the rest.
"""

OF_RELIEF = 2.4
"""How much more relief needs: its strokes are light and dark at once, and only at their edges."""

EASY_STROKE = 3.0
"""Rows; narrower strokes need more contrast, by the root, as the eye sums over their width."""

BLANK = 10.0
"""A mark of less area than this, in pixels of the canvas, is no mark."""

BEARABLE = 2.4
"""Of four afflictions at full strength, how many a mark bears together."""

MAKERS: dict[Making, Callable[[Workpieces, Surfaces, Chance], torch.Tensor]] = {
    Making.INKED: inked,
    Making.LASERED: lasered,
    Making.SHAPED: shaped,
    Making.LIT: lit,
}


@torch.no_grad()
def mark(
    ink: torch.Tensor,
    clutter: torch.Tensor,
    aspect: torch.Tensor,
    stroke: torch.Tensor,
    styles: torch.Tensor,
    surfaces: Surfaces,
    severity: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Grey pictures (N, 48, 384) in 0..1 of strips on their materials.

    `ink` and `clutter` (N, 48, 384) are coverages in 0..1, `aspect` (N,) natural width by height,
    `stroke` (N,) the stroke's width in rows, `styles` (N,) long values of `Style`, `severity` (N,)
    from 0, clean and clear, to 1, hard but legible. All are on the generator's device.
    """
    chance = Chance(generator)
    looks = Looks.of(styles)
    faint, worn, rough, foul = _afflictions(severity, chance)
    texture = surfaces.sample(aspect, looks.on, generator)
    tone, contrast = _tones(looks, faint, chance)
    roughness = chance.uniform(len(ink), 0.004, 0.03 + 0.11 * rough)
    grain = plane(roughness) * texture
    others = _clutter_contrast(tone, contrast, styles, chance)
    ground = (plane(tone) + grain).addcmul_(clutter, plane(others))
    pieces = Workpieces(
        ground=ground,
        texture=texture,
        ink=ink,
        roughness=roughness,
        contrast=contrast,
        aspect=aspect,
        stroke=stroke,
        severity=worn,
        raised=looks.raised,
        painted=looks.painted,
        conical=looks.conical,
    )
    making = torch.multinomial(looks.by, 1, generator=generator)[:, 0]
    pictures = torch.empty_like(ground)
    for by, make in MAKERS.items():
        some = (making == by).nonzero()[:, 0]
        if len(some):
            pictures[some] = make(pieces.pick(some), surfaces, chance)

    thin = (EASY_STROKE / stroke).clamp(1.0, 4.0).sqrt()
    least = thin * _between(LEAST, severity)
    above = thin * _between(ABOVE_TEXTURE, severity)
    above = torch.where(making == Making.SHAPED, OF_RELIEF * above, above)
    pictures, signal = _legible(pictures, pieces, grain, least, above)
    # Two veils over a mark at once are common, three are not.
    veil = 1 - (LEFT * least / signal).clamp(max=1).sqrt()
    pictures = soiled(pictures, aspect, foul, veil, surfaces, chance)
    return illuminated(pictures, aspect, foul, veil, texture, chance)


def _between(ends: tuple[float, float], severity: torch.Tensor) -> torch.Tensor:
    """Geometric interpolation by severity (N,)."""
    return ends[0] * (ends[1] / ends[0]) ** severity


def _afflictions(severity: torch.Tensor, chance: Chance) -> torch.Tensor:
    """Severity shared out (4, N): faint tone, worn ink, rough ground, foul light and dirt."""
    shares = chance.uniform(4 * len(severity), 0.2, 1.0).view(4, -1)
    return severity * shares * (BEARABLE / shares.sum(0)).clamp(max=1)


_PLAIN = 0.4
"""Share of marks that are not made faint, however severe the rest."""


def _tones(
    looks: Looks, severity: torch.Tensor, chance: Chance
) -> tuple[torch.Tensor, torch.Tensor]:
    """The ground's tone and the mark's signed difference from it (N,), both within 0.03..0.97."""
    count = len(severity)
    # bad light, wear and a poor camera come to plain marks as well: real crops mostly are plain
    severity = torch.where(chance.uniform(count) < _PLAIN, 0.2 * severity, severity)
    clear, hard = chance.uniform(count, *looks.clear), chance.uniform(count, *looks.hard)
    contrast = clear ** (1 - severity) * hard**severity
    way = chance.sign(count, looks.light)
    tone = chance.uniform(count, *looks.ground)
    # A ground that leaves no room for the contrast gives way, and not the contrast.
    above = torch.maximum(tone, 0.03 + contrast)
    below = torch.minimum(tone, 0.97 - contrast)
    return torch.where(way > 0, below, above), way * contrast


def _clutter_contrast(
    tone: torch.Tensor, contrast: torch.Tensor, styles: torch.Tensor, chance: Chance
) -> torch.Tensor:
    """The signed difference (N,) of what is not the mark's own; unlit elements are faint."""
    count = len(tone)
    alike = contrast * chance.uniform(count, 0.5, 1.1)
    other = chance.uniform(count, 0.03, 0.97) - tone
    difference = torch.where(chance.uniform(count) < 0.4, alike, other)
    unlit = contrast * chance.uniform(count, 0.02, 0.22)
    return torch.where(styles == Style.SEGMENTS, unlit, difference)


def _legible(
    pictures: torch.Tensor,
    pieces: Workpieces,
    grain: torch.Tensor,
    least: torch.Tensor,
    above: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The pictures with marks lifted and grain calmed where a mark is lost in it; marks' contrast.

    A mark's contrast is the root mean square of what it changed, over the area of its ink; that of
    `grain`, the texture as it shows in the ground, is its deviation over about a stroke's distance,
    down or across, the larger of both. `least` (N,) and `above` (N,) are what a mark must have, of
    the full scale and of the grain's contrast.
    """
    change = pictures - pieces.ground
    area = pieces.ink.sum((1, 2))
    signal = (change.square().sum((1, 2)) / area.clamp(min=1)).sqrt().clamp(min=1e-3)
    # Where there is nothing to read, nothing is lifted, or grain would tell what is a mark.
    signal = torch.where(area < BLANK, 1.0, signal)
    down = (grain[:, 6:] - grain[:, :-6]).square_().mean((1, 2))
    along = (grain[:, :, 24:] - grain[:, :, :-24]).square_().mean((1, 2))
    noise = (torch.maximum(down, along) / 2).sqrt()
    tone = pieces.ground.mean((1, 2))
    room = torch.where(change.sum((1, 2)) > 0, 1 - tone, tone)
    lack = (above * noise / signal).clamp(min=1.0)
    faint = (least / signal).clamp(min=1.0)
    lift = torch.maximum(lack.sqrt().clamp(max=2.0), faint)
    lift = torch.minimum(lift, (room / signal).clamp(min=1.0))
    calm = (lift / lack).clamp(max=1.0)
    legible = change.mul_(plane(lift)).add_(pieces.ground).addcmul_(grain, plane(calm - 1))
    return legible, signal * lift
