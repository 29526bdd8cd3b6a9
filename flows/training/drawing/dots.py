"""Lines of dots: matrices of needles or ink drops, and points pecked along an engraver's path.

In: text and a writer. Out: `Line`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from flows.training.drawing.lines import CAP, HEADROOM, Hand, Line, Places, line_of
from flows.training.drawing.matrices import Matrix
from flows.training.drawing.strokes import Alphabet, covers

_PHASES = 4
_SIZES = (0.8, 1.0, 1.2)


@dataclass(frozen=True, slots=True)
class Dots:
    """How dots are set; lengths in pitches.

    `edge` is the width of the dot's soft rim, `drift` by how many pitches the top row leads the
    bottom row, `row_noise` the shift of whole rows, `missing` the part of dots that is not there,
    `satellites` the part that has a droplet beside it, `unevenness` of size and strength.
    """

    diameter: float = 0.9
    edge: float = 0.2
    aspect: float = 1.0
    jitter: float = 0.0
    drift: float = 0.0
    row_noise: float = 0.0
    missing: float = 0.0
    satellites: float = 0.0
    unevenness: float = 0.0


@dataclass(frozen=True, slots=True)
class MatrixWriter:
    """Writes with the cells of a `Matrix`, `gap` empty columns between characters."""

    matrix: Matrix
    dots: Dots
    hand: Hand
    gap: float = 1.0

    def covers(self, text: str) -> bool:
        return self.matrix.covers(text)

    def write(self, rng: np.random.Generator, text: str) -> Line:
        pitch = CAP / self.matrix.rows
        across = pitch * self.dots.aspect
        cells = [self.matrix.cells[character] for character in text]
        advances = np.array([(cell.width + self.gap) * across for cell in cells])
        places = self.hand.place(rng, text, advances)
        counts = [cell.columns.size for cell in cells]
        rows = np.concatenate([cell.rows for cell in cells])
        x = np.concatenate([cell.columns for cell in cells]) * across + np.repeat(places.x, counts)
        y = -rows * pitch + np.repeat(places.y, counts)
        lead = rows / self.matrix.rows - 0.5
        x = x + (self.dots.drift * pitch) * lead
        if self.dots.row_noise:
            shifts = rng.normal(0, self.dots.row_noise * pitch, 2 * self.matrix.rows)
            x = x + shifts[np.clip(rows + self.matrix.rows // 2, 0, shifts.size - 1)]
        return _dotted(rng, np.column_stack((x, y)), pitch, self.dots, places)


@dataclass(frozen=True, slots=True)
class PeckWriter:
    """Writes dots along the single-stroke alphabet's paths, `per_cap` to a cap height."""

    alphabet: Alphabet
    dots: Dots
    hand: Hand
    per_cap: int = 10
    gap: float = 0.25

    def covers(self, text: str) -> bool:
        return covers(text)

    def write(self, rng: np.random.Generator, text: str) -> Line:
        places = self.hand.place(rng, text, self.alphabet.advances(text, self.gap))
        parts = [np.zeros((0, 2))]
        for index, character in enumerate(text):
            points = _pecked(self.alphabet, character, self.per_cap)
            parts.append(points + np.array([places.x[index], places.y[index]]))
        return _dotted(rng, np.concatenate(parts), CAP / self.per_cap, self.dots, places)


@functools.lru_cache(maxsize=4096)
def _pecked(alphabet: Alphabet, character: str, per_cap: int) -> np.ndarray:
    points = [np.zeros((0, 2))]
    for path in alphabet.paths(character):
        lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))))
        count = 1 + round(lengths[-1] * per_cap / CAP)
        along = np.linspace(0, lengths[-1], count)
        points.append(
            np.column_stack([np.interp(along, lengths, path[:, axis]) for axis in (0, 1)])
        )
    return np.concatenate(points)


def _dotted(
    rng: np.random.Generator, points: np.ndarray, pitch: float, dots: Dots, places: Places
) -> Line:
    """The dots at `points` (pixels, y down from the baseline) as a line."""
    baseline = HEADROOM + CAP
    shape = (baseline + HEADROOM, int(places.length) + 2 * HEADROOM)
    points = points + np.array([HEADROOM, baseline - pitch / 2])
    if dots.missing:
        points = points[rng.random(len(points)) >= dots.missing]
    if dots.jitter:
        points = points + rng.standard_normal(points.shape).clip(-2, 2) * (dots.jitter * pitch)
    diameter = dots.diameter * pitch
    sizes = np.ones(len(points), int)
    strength = np.full(len(points), 255.0)
    if dots.unevenness:
        sizes = np.clip(np.rint(rng.normal(1, 1.2 * dots.unevenness, len(points))), 0, 2).astype(
            int
        )
        strength *= 1 - dots.unevenness * rng.random(len(points))
    page = _stamped(points, sizes, strength, diameter, dots.edge, shape)
    if dots.satellites:
        chosen = points[rng.random(len(points)) < dots.satellites]
        flung = chosen + rng.normal(0, 0.55 * pitch, chosen.shape) + (0.45 * pitch, 0)
        strength = 255 * rng.uniform(0.4, 0.9, len(chosen))
        droplets = _stamped(flung, np.zeros(len(chosen), int), strength, 0.4 * diameter, 0.5, shape)
        page = np.maximum(page, droplets)
    return line_of(page, places, diameter)


def _stamped(
    points: np.ndarray,
    sizes: np.ndarray,
    strength: np.ndarray,
    diameter: float,
    edge: float,
    shape: tuple[int, int],
) -> np.ndarray:
    bank = _discs(max(2, round(diameter * 2)), round(edge * 10))
    reach = bank.shape[-1] // 2
    steps = np.rint(points * _PHASES).astype(int)
    whole, phase = steps // _PHASES, steps % _PHASES
    x = whole[:, 0].clip(reach, shape[1] - 1 - reach)
    y = whole[:, 1].clip(reach, shape[0] - 1 - reach)
    span = np.arange(-reach, reach + 1)
    window = (span[:, None] * shape[1] + span[None, :]).ravel()
    places = (y * shape[1] + x)[:, None] + window
    values = (
        bank[sizes, phase[:, 1], phase[:, 0]].reshape(len(points), window.size) * strength[:, None]
    )
    total = np.bincount(places.ravel(), values.ravel(), minlength=shape[0] * shape[1])
    return np.minimum(total, 255.0).astype(np.uint8).reshape(shape)


@functools.lru_cache(maxsize=512)
def _discs(diameter_in_halves: int, edge_in_tenths: int) -> np.ndarray:
    """Discs (size, row phase, column phase, k, k) in 0..1, each at 4 x 4 positions in its pixel."""
    diameter = diameter_in_halves / 2
    soft = max(0.7, edge_in_tenths / 10 * diameter)
    reach = int(np.ceil(max(_SIZES) * diameter / 2 + soft / 2)) + 1
    span = np.arange(-reach, reach + 1)
    shift = np.arange(_PHASES) / _PHASES
    offset = span[None, :] - shift[:, None]
    distance = np.hypot(offset[:, None, :, None], offset[None, :, None, :])
    return np.stack(
        [np.clip((size * diameter / 2 - distance) / soft + 0.5, 0, 1) for size in _SIZES]
    ).astype(np.float32)
