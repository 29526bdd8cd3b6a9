"""What stands around a mark and is not the mark's own: rules, screws, bars, edges, stains.

In: a sketch, a `Crop` and a generator. Out: coverage on the sketch, stretched as the ink is.
"""

from __future__ import annotations

import numpy as np

from flows.training.drawing.layout import Crop
from flows.training.drawing.sketch import CIRCLE, Sketch


def label(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """One thing that stands on labels: a rule, a box, a bar code, a label's edge, a logo."""
    width, height = crop.size
    strength = int(rng.integers(120, 256))
    choice = rng.random()
    thin = rng.uniform(0.02, 0.08) * height
    if choice < 0.3:
        _rule(sketch, crop, rng, thin, strength)
    elif choice < 0.5:
        gap = rng.uniform(0.1, 0.4, 4) * height
        box = (-gap[0], -gap[1], width + gap[2], height + gap[3])
        sketch.frame(box, thin, rng.uniform(0, 0.2) * height * (rng.random() < 0.5), strength)
    elif choice < 0.65:
        _bars(sketch, crop, rng, strength)
    elif choice < 0.85:
        edge(sketch, crop, rng)
    else:
        _logo(sketch, crop, rng, strength)


def wheels(sketch: Sketch, height: float, gaps: np.ndarray, rng: np.random.Generator) -> None:
    """The gaps between a counter's wheels, at `gaps` along a line `height` high, in its pixels."""
    thin = rng.uniform(0.04, 0.14) * height
    strength = int(rng.integers(90, 256))
    reach = rng.uniform(0.1, 0.5) * height
    width = float(np.median(np.diff(gaps))) if len(gaps) > 1 else height
    ends = np.concatenate((gaps[:1] - width, gaps, gaps[-1:] + width))
    for x in ends:
        sketch.box(x - thin / 2, -reach, x + thin / 2, height + reach, strength)
    if rng.random() < 0.5:
        for y in (-reach, height + reach):
            sketch.box(ends[0], y - thin / 2, ends[-1], y + thin / 2, strength)


def smear(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """Long scratches, hatching or stains: marks that are no writing."""
    width, height = crop.size
    choice = rng.random()
    strength = int(rng.integers(90, 256))
    if choice < 0.4:
        for _ in range(int(rng.integers(1, 5))):
            x = np.linspace(-2 * height, width + 2 * height, 12)
            y = rng.uniform(-0.2, 1.2) * height + rng.normal(0, 0.3) * (x - width / 2)
            y = y + np.sin(x / height * rng.uniform(0.1, 0.6)) * rng.uniform(0, 0.4) * height
            half = rng.uniform(0.01, 0.08) * height * rng.uniform(0.4, 1.0, 12)
            upper, lower = np.column_stack((x, y - half)), np.column_stack((x, y + half))
            sketch.polygon(np.concatenate((upper, lower[::-1])), strength)
    elif choice < 0.65:
        pitch, lean = rng.uniform(0.08, 0.3) * height, rng.uniform(-1, 1) * height
        for x in np.arange(-height, width + height, max(pitch, width / 60)):
            wide = pitch * rng.uniform(0.2, 0.5)
            far = 2 * height
            sketch.polygon(
                np.array(
                    [
                        (x - lean, -far),
                        (x - lean + wide, -far),
                        (x + lean + wide, far),
                        (x + lean, far),
                    ]
                ),
                strength,
            )
    else:
        for _ in range(int(rng.integers(1, 8))):
            radii = np.repeat(rng.uniform(0.6, 1.0, 12), 2) * rng.uniform(0.05, 0.6) * height
            middle = rng.random(2) * (width, height)
            sketch.polygon(CIRCLE * radii[:, None] * (rng.uniform(0.5, 2), 1) + middle, strength)


def edge(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """The edge of a label or part: everything beyond one or two sides."""
    width, height = crop.size
    far = 4 * (max(crop.size) + sum(crop.margins))
    gaps = np.array([0.15, 0.12, 0.15, 0.12]) * height + rng.random(4) * 0.5 * height
    gaps[rng.random(4) < 0.5] = far
    box = (-gaps[0], -gaps[1], width + gaps[2], height + gaps[3])
    sketch.frame(box, far, rng.uniform(0, 0.2) * height, int(rng.integers(90, 256)))


def hardware(sketch: Sketch, crop: Crop, rng: np.random.Generator) -> None:
    """A screw or a hole beside the line, or an edge of the part."""
    width, height = crop.size
    if rng.random() < 0.5:
        edge(sketch, crop, rng)
        return
    radius = rng.uniform(0.2, 0.7) * height
    gap = rng.uniform(0.12, 0.3) * height
    x = -gap - radius if rng.random() < 0.5 else width + gap + radius
    y = rng.uniform(-0.2, 1.2) * height
    if rng.random() < 0.5:
        x, y = (
            rng.uniform(0, 1) * width,
            (-gap - radius if rng.random() < 0.5 else height + gap + radius),
        )
    strength = int(rng.integers(100, 256))
    sketch.disc(x, y, radius, strength)
    if rng.random() < 0.6:
        sketch.disc(x, y, radius * rng.uniform(0.75, 0.9), int(rng.integers(0, 120)))
        turn, slot = rng.uniform(0, np.pi), rng.uniform(0.08, 0.15) * radius
        along = np.array([np.cos(turn), np.sin(turn)])
        across = np.array([-along[1], along[0]]) * slot
        ends = np.array([(x, y)]) + np.outer((-0.6, 0.6), along) * radius
        sketch.polygon(
            np.array([ends[0] + across, ends[1] + across, ends[1] - across, ends[0] - across]),
            strength,
        )


def _rule(sketch: Sketch, crop: Crop, rng: np.random.Generator, thin: float, strength: int) -> None:
    """A rule above or below, as long as the text or right across, single or repeated."""
    width, height = crop.size
    across = rng.random() < 0.6
    far = width + crop.margins[0] + crop.margins[2]
    left, right = (-far, 2 * far) if across else (-0.1 * height, width + 0.1 * height)
    gap = rng.uniform(0.08, 0.4) * height
    if rng.random() < 0.6:
        sketch.box(left, height + gap, right, height + gap + thin, strength)
    if rng.random() < 0.5:
        sketch.box(left, -gap - thin, right, -gap, strength)


def _bars(sketch: Sketch, crop: Crop, rng: np.random.Generator, strength: int) -> None:
    """A bar code's bars, upright, above or below the line."""
    width, height = crop.size
    gap = rng.uniform(0.15, 0.4) * height
    top, bottom = (height + gap, 4 * height) if rng.random() < 0.5 else (-4 * height, -gap)
    module = rng.uniform(0.04, 0.1) * height
    x, stop = -rng.uniform(0, 1) * height, width + rng.uniform(0, 1) * height
    for count in rng.integers(1, 4, 2 * min(60, int((stop - x) / (2 * module)))).reshape(-1, 2):
        sketch.box(x, top, x + count[0] * module, bottom, strength)
        x += (count[0] + count[1]) * module
        if x > stop:
            break


def _logo(sketch: Sketch, crop: Crop, rng: np.random.Generator, strength: int) -> None:
    """A blob of arcs and corners at one end, off the text by more than a blank."""
    width, height = crop.size
    size = rng.uniform(0.3, 0.8) * height
    x = -size * 1.1 - 0.3 * height if rng.random() < 0.5 else width + size * 1.1 + 0.3 * height
    radii = (
        rng.uniform(0.5, 1.0, 24) if rng.random() < 0.5 else np.repeat(rng.uniform(0.5, 1, 8), 3)
    )
    sketch.polygon(CIRCLE * (radii * size)[:, None] + (x, height / 2), strength)
    if rng.random() < 0.6:
        sketch.disc(x, height / 2, size * rng.uniform(0.2, 0.4), 0)
