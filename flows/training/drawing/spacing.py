"""How a line is cropped: the margins a detector or a fixed box leaves, and the turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flows.training.drawing.layout import Placing
from flows.training.drawing.styles import Style


def margins(rng: np.random.Generator, severity: float, style: Style) -> tuple[float, float]:
    """Margins above and below in line heights: the line mostly fills 80 % of the crop."""
    # how loose a detector crops has little to do with how bad the picture is
    often = 0.75 if style is Style.PLATE else 0.22
    loose = rng.random() < often * min(1.0, 3 * severity)
    fill = 0.8
    if loose:
        fill = rng.uniform(0.35, 0.6)
    elif rng.random() < 0.12 * severity:
        fill = rng.uniform(1.0, 1.0 + 0.08 * severity)
    elif severity > 0:
        fill = rng.triangular(0.8 - 0.2 * severity, 0.8, 0.8 + 0.2 * severity)
    share = 0.5 + severity * (rng.random() - 0.5)
    return (1 / fill - 1) * share, (1 / fill - 1) * (1 - share)


def side(rng: np.random.Generator, severity: float, style: Style) -> float:
    """The margin left or right in line heights: mostly tight, at times far too wide."""
    choice = rng.random()
    if style is Style.PLATE and choice < min(0.7, 2 * severity):
        return rng.uniform(0.05, 0.8)
    if choice < 0.55 * severity:
        return rng.uniform(-0.02, 0.12)
    if choice < 0.75 * severity:
        return rng.uniform(0.12, 0.6)
    if choice < 0.85 * severity:
        return rng.uniform(0.6, 1.5)
    return rng.uniform(0.08, 0.2)


def angle(rng: np.random.Generator, severity: float, aspect: float) -> float:
    """Mostly within 2 degrees, at most 7, and less for lines that would leave their crop."""
    angle = rng.normal(0, 1.3) if rng.random() < 0.8 else rng.uniform(-7, 7)
    climb = 0.5 if rng.random() < 0.3 else 0.15
    limit = float(np.degrees(np.arcsin(min(1.0, climb / max(aspect, 0.5)))))
    return float(np.clip(angle * min(1.0, 1.5 * severity), -min(7.0, limit), min(7.0, limit)))


def roomy(rng: np.random.Generator, placing: Placing) -> Placing:
    """The placing with as much around the line as a fixed box or a coarse detector leaves."""
    over = (1 / rng.uniform(0.3, 0.65) - 1) * rng.uniform(0.3, 0.7)
    under = (1 / rng.uniform(0.3, 0.65) - 1) * rng.uniform(0.3, 0.7)
    left, right = rng.uniform(0.1, 1.6, 2)
    return replace(placing, top=over, bottom=under, left=left, right=right, room=False)
