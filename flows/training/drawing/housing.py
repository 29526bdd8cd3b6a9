"""What carries a line and what lies behind: number plates, panels, bezels, their frames and scenes.

In: a sketch, a `Crop` and a generator. Out: coverage on the sketch, stretched as the ink is.
"""

from __future__ import annotations

import numpy as np

from flows.training.drawing.layout import Crop
from flows.training.drawing.sketch import CIRCLE, Sketch, rounded


def plate(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """A number plate's frame, its holder or the car around it, bolts and bands."""
    width, height = crop.size
    _, top, _, bottom = crop.margins
    strength = int(rng.integers(120, 256))
    side = (0.08 + 0.35 * rng.random()) * height
    over = (0.08 + 0.3 * rng.random()) * height
    under = (0.08 + 0.25 * rng.random()) * height
    box = (-side, -over, width + side * rng.uniform(0.7, 1.3), height + under)
    choice = rng.random()
    if choice < 0.5:
        thin = rng.uniform(0.02, 0.1) * height
        sketch.frame(box, thin, rng.uniform(0.0, 0.25) * height, strength)
    if choice < 0.3 or choice > 0.6:
        _outside(sketch, crop, rng, box)
    if rng.random() < 0.25 and over > 0.2 * height:
        sketch.box(box[0], box[1] - 0.3 * height, box[2], -0.1 * height, int(rng.integers(90, 256)))
    if rng.random() < 0.5:
        radius = rng.uniform(0.04, 0.09) * height
        shade = int(rng.integers(110, 256))
        inset = rng.uniform(0.1, 0.3) * width
        level = rng.uniform(0.12, 0.3) * height
        for x in (inset, width - inset):
            if top > 0.1 * height:
                sketch.disc(x, -level, radius, shade)
            if bottom > 0.1 * height and rng.random() < 0.5:
                sketch.disc(x, height + level, radius, shade)


def housing(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """A panel in its frame and the scene behind it, as a loose crop of a plate or display shows."""
    width, height = crop.size
    left, over, right, under = crop.margins
    if rng.random() < 0.75:
        sketch.box(-9 * width, -9 * height, 9 * width, 9 * height, int(rng.integers(0, 256)))
        for _ in range(int(rng.integers(0, 7))):
            x = rng.uniform(-left, width + right)
            y = rng.uniform(-over, height + under)
            wide, high = rng.uniform(0.1, 2.0, 2) * height
            sketch.box(x, y, x + wide, y + high, int(rng.integers(0, 256)))
    gaps = (0.03 + 0.6 * rng.random(4) ** 2) * height
    thick = (0.03 + 0.45 * rng.random() ** 1.5) * height
    radius = rng.uniform(0, 0.35) * height * (rng.random() < 0.8)
    inner = (-gaps[0], -gaps[1], width + gaps[2], height + gaps[3])
    outer = (inner[0] - thick, inner[1] - thick, inner[2] + thick, inner[3] + thick)
    rim = int(rng.integers(60, 256))
    sketch.polygon(rounded(outer, radius + thick), rim)
    sketch.polygon(rounded(inner, radius), 0)
    if rng.random() < 0.5:
        size = min(thick, 0.25 * height) * rng.uniform(0.25, 0.45)
        shade = 0 if rim > 150 else 255
        inset = rng.uniform(0.05, 0.35) * width
        for x in (inset, width - inset):
            for y in (inner[1] - thick / 2, inner[3] + thick / 2):
                sketch.disc(x, y, size * rng.uniform(0.8, 2.0), shade)


def seal(sketch: Sketch, x: float, y: float, room: float, rng: np.random.Generator) -> None:
    """What stands between the groups of a plate: a crest, a square, two round seals."""
    strength = int(rng.integers(110, 256))
    size = room * rng.uniform(0.15, 0.34)
    choice = rng.random()
    if choice < 0.35:
        sketch.box(x - size, y - size, x + size, y + size * rng.uniform(0.6, 1.4), strength)
        if rng.random() < 0.5:
            sketch.disc(x, y, 0.5 * size, 0)
    elif choice < 0.65:
        for away in (-1.2, 1.2):
            sketch.disc(x, y + away * size, size, strength)
    else:
        radii = np.repeat(rng.uniform(0.5, 1.0, 8), 3)
        sketch.polygon(CIRCLE * (radii * size)[:, None] + (x, y), strength)


def beyond(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """What lies round the panel, label or bezel that carries the line."""
    width, height = crop.size
    away = (0.1 + 0.5 * rng.random(4) ** 1.5) * height
    _outside(sketch, crop, rng, (-away[0], -away[1], width + away[2], height + away[3]))


def _outside(
    sketch: Sketch, crop: Crop, rng: np.random.Generator, box: tuple[float, float, float, float]
) -> None:
    """All that lies some way outside of a box, in one tone."""
    height = crop.size[1]
    panel = tuple(
        edge + sign * rng.uniform(0.05, 0.2) * height
        for edge, sign in zip(box, (-1, -1, 1, 1), strict=True)
    )
    far = max(crop.size) + sum(crop.margins)
    sketch.frame(panel, far, rng.uniform(0, 0.15) * height, int(rng.integers(90, 256)))
