"""Grey textures of the materials that marks are made on, drawn from noise.

Each painter takes `(rng, height, width)` and returns floats `(height, width)` in any range;
`standardise` brings them to one deviation, as marking chooses how strongly a texture shows. Lengths
are pixels of a tile, of which a strip is 24 to 144 high.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

import cv2
import numpy as np

MIDDLE, DEVIATION = 128, 40
"""Mean and standard deviation of a texture in uint8: three deviations either way are kept."""


class Substrate(IntEnum):
    """What a surface is made of, or how it was worked."""

    BRUSHED = 0
    TURNED = 1
    MACHINED = 2
    CAST = 3
    BLASTED = 4
    PLASTIC = 5
    CARD = 6
    RUBBER = 7
    PAINTED = 8
    RUSTED = 9
    MOULD = 10
    PANEL = 11
    PHOTOGRAPHED = 12


def standardise(texture: np.ndarray) -> np.ndarray:
    """The texture as uint8 with mean `MIDDLE` and deviation `DEVIATION`, clipped."""
    texture = texture - texture.mean()
    scaled = MIDDLE + DEVIATION * texture / max(float(texture.std()), 1e-6)
    return np.clip(scaled + 0.5, 0, 255).astype(np.uint8)


def _white(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.standard_normal((height, width), dtype=np.float32)


def _smooth(
    rng: np.random.Generator, height: int, width: int, across: float, down: float
) -> np.ndarray:
    """Gaussian noise of correlation lengths `across` and `down`, unit deviation.

    Long lengths are drawn coarse and enlarged, which looks the same and costs a fraction.
    """
    step_x, step_y = max(1, int(across // 2)), max(1, int(down // 2))
    grid = _white(rng, -(-height // step_y) + 2, -(-width // step_x) + 2)
    grid = cv2.GaussianBlur(
        grid, (0, 0), sigmaX=max(across / step_x, 0.3), sigmaY=max(down / step_y, 0.3)
    )
    if step_x > 1 or step_y > 1:
        grid = cv2.resize(
            grid,
            (grid.shape[1] * step_x, grid.shape[0] * step_y),
            interpolation=cv2.INTER_CUBIC,
        )
    grid = grid[:height, :width]
    return grid / max(float(grid.std()), 1e-6)


def fractal(
    rng: np.random.Generator, height: int, width: int, coarsest: float, octaves: int
) -> np.ndarray:
    """Sum of smooth noises, each of half the length and 0.6 of the amplitude of the one before."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        length = max(coarsest / 2**octave, 0.5)
        total += 0.6**octave * _smooth(rng, height, width, length, length)
    return total / max(float(total.std()), 1e-6)


def _rotated(texture: np.ndarray, degrees: float, height: int, width: int) -> np.ndarray:
    centre = (texture.shape[1] / 2, texture.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    turn[:, 2] += width / 2 - centre[0], height / 2 - centre[1]
    return cv2.warpAffine(texture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def _lines_along_x(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Grinding lines of mixed length and width along x."""
    fine = _smooth(rng, height, width, rng.uniform(15, 60), rng.uniform(0.3, 0.7))
    long = _smooth(rng, height, width, rng.uniform(60, 300), rng.uniform(0.4, 1.6))
    broad = _smooth(rng, height, width, 200, rng.uniform(4, 15))
    return fine + rng.uniform(0.3, 1.2) * long + rng.uniform(0, 0.7) * broad


def brushed(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Brushed or ground metal: lines along x, along y or at a slant."""
    way = rng.integers(3)
    if way == 0:
        return _lines_along_x(rng, height, width)
    if way == 1:
        return _lines_along_x(rng, width, height).T.copy()
    side = int(np.hypot(height, width)) + 2
    return _rotated(_lines_along_x(rng, side, side), rng.uniform(0, 180), height, width)


def turned(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A turned face: rings about a centre near or off the picture, with their bow-tie of light."""
    cx = rng.uniform(-0.3, 1.3) * width
    cy = rng.choice([-1, 1]) * rng.uniform(0.2, 3) * height + height / 2
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = np.hypot(x - cx, y - cy)
    rings = _smooth(rng, 1, int(radius.max()) + 8, rng.uniform(0.4, 2.0), 1)[0]
    rings = rings + rng.uniform(0, 1) * _smooth(rng, 1, len(rings), rng.uniform(4, 12), 1)[0]
    level = np.interp(radius, np.arange(len(rings)), rings).astype(np.float32)
    bow = np.cos(2 * np.arctan2(y - cy, x - cx) + rng.uniform(0, 6.3))
    return level * (0.7 + 0.3 * bow) + rng.uniform(0, 1.2) * bow + 0.2 * _white(rng, height, width)


def machined(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Milled or shaped metal: regular feed marks, straight or in wide arcs, over fine lines."""
    period = rng.uniform(4, 24)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    if rng.random() < 0.5:
        bow = rng.uniform(200, 900)
        along = along + (y * np.cos(angle) - x * np.sin(angle)) ** 2 / (2 * bow)
    wave = np.sin(2 * np.pi * along / period + 0.5 * fractal(rng, height, width, 40, 2))
    return np.sign(wave) * np.abs(wave) ** rng.uniform(0.5, 2) + rng.uniform(0.3, 1) * brushed(
        rng, height, width
    )


def cast(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Cast or forged metal: lumpy, lit from one side, with dark pits."""
    lumps = fractal(rng, height, width, rng.uniform(4, 14), 4)
    angle = rng.uniform(0, 2 * np.pi)
    lit = cv2.Sobel(lumps, cv2.CV_32F, 1, 0) * np.cos(angle) + cv2.Sobel(
        lumps, cv2.CV_32F, 0, 1
    ) * np.sin(angle)
    pits = np.minimum(_smooth(rng, height, width, 2.0, 2.0) + rng.uniform(1.2, 2), 0)
    return lit / lit.std() + rng.uniform(0, 1) * lumps + rng.uniform(0.5, 2) * pits


def blasted(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Shot-blasted or matt metal: even fine speckle."""
    grain = rng.uniform(0.4, 1.3)
    return _smooth(rng, height, width, grain, grain) + 0.3 * fractal(rng, height, width, 60, 2)


def plastic(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Moulded plastic: spark-eroded grain or nearly smooth, with flow lines."""
    length = rng.uniform(0.7, 3)
    grain = np.tanh(rng.uniform(0.5, 2) * _smooth(rng, height, width, length, length))
    return grain + rng.uniform(0.2, 1) * fractal(rng, height, width, rng.uniform(40, 120), 2)


def card(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Card or paper: cloudy formation, fibres, and sometimes the flutes of corrugated board."""
    sheet = fractal(rng, height, width, rng.uniform(6, 30), 4)
    fibres = np.zeros((height, width), np.float32)
    count = int(rng.integers(150, 700))
    starts = rng.uniform((0, 0), (width, height), (count, 2))
    angles, lengths = rng.uniform(0, 2 * np.pi, count), rng.uniform(4, 25, count)
    ends = starts + lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    for start, end, tone in zip(
        starts.astype(int).tolist(),
        ends.astype(int).tolist(),
        rng.normal(0, 1, count).tolist(),
        strict=True,
    ):
        cv2.line(fibres, start, end, tone, 1, cv2.LINE_AA)
    if rng.random() < 0.3:
        sheet += rng.uniform(0.5, 1.5) * np.sin(
            np.arange(width, dtype=np.float32) * 2 * np.pi / rng.uniform(12, 40)
        )
    return sheet + rng.uniform(0.3, 1.5) * fibres + 0.3 * _white(rng, height, width)


def rubber(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Rubber: smears of bloom, ribs now and then, pale dust."""
    smears = _smooth(rng, height, width, rng.uniform(15, 80), rng.uniform(5, 20))
    dust = np.maximum(_smooth(rng, height, width, 0.7, 0.7) - rng.uniform(1.8, 2.8), 0)
    ribs = 0.0
    if rng.random() < 0.4:
        rows = np.arange(height, dtype=np.float32)[:, None]
        ribs = rng.uniform(0.3, 1) * np.sin(rows * 2 * np.pi / rng.uniform(5, 20))
    return smears + ribs + rng.uniform(1, 4) * dust + 0.4 * _white(rng, height, width)


def scratches(rng: np.random.Generator, height: int, width: int, count: int) -> np.ndarray:
    """Thin bent lines in 0..1, mostly in a few directions as handling leaves them."""
    drawn = np.zeros((height, width), np.uint8)
    ways = rng.uniform(0, np.pi, 3)
    for _ in range(count):
        angle = rng.choice(ways) + rng.normal(0, 0.15)
        length, bend = rng.uniform(20, 350), rng.normal(0, 0.15)
        t = np.linspace(-0.5, 0.5, 9)
        x = rng.uniform(0, width) + length * (t * np.cos(angle) - bend * t**2 * np.sin(angle))
        y = rng.uniform(0, height) + length * (t * np.sin(angle) + bend * t**2 * np.cos(angle))
        line = (np.stack([x, y], 1) * 8).astype(np.int32)[:, None]
        thickness = 1 if rng.random() < 0.85 else 2
        cv2.polylines(
            drawn, [line], False, int(rng.integers(60, 256)), thickness, cv2.LINE_AA, shift=3
        )
    return drawn.astype(np.float32) / 255


def painted(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Painted sheet: orange peel, scratches and chips of either tone."""
    peel = _smooth(rng, height, width, rng.uniform(1.5, 5), rng.uniform(1.5, 5))
    chips = np.maximum(fractal(rng, height, width, 10, 3) - rng.uniform(1.8, 3), 0)
    lines = scratches(rng, height, width, int(rng.integers(5, 60)))
    return (
        rng.uniform(0.2, 1) * peel
        + rng.choice([-1, 1]) * rng.uniform(1, 4) * lines
        + rng.choice([-1, 1]) * 3 * np.minimum(chips, 1)
    )


def rusted(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Rust: blobs with sharp rims over a mottled ground, pitted."""
    ground = fractal(rng, height, width, rng.uniform(20, 70), 5)
    spots = fractal(rng, height, width, rng.uniform(6, 30), 5)
    blobs = 1 / (1 + np.exp(-rng.uniform(3, 10) * (spots - rng.uniform(-0.3, 1.2))))
    return 0.6 * ground - rng.uniform(0.8, 2) * blobs + 0.3 * _smooth(rng, height, width, 0.8, 0.8)


def mould(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Mould compound of a chip: fine grain with pale filler."""
    grain = _smooth(rng, height, width, rng.uniform(0.4, 1.1), rng.uniform(0.4, 1.1))
    filler = np.maximum(_smooth(rng, height, width, 0.8, 0.8) - rng.uniform(1, 2), 0)
    return grain + rng.uniform(0.5, 2) * filler


def panel(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A display's panel: smudges, a faint raster, specks of dust."""
    smudges = fractal(rng, height, width, rng.uniform(30, 120), 3)
    raster = 0.0
    if rng.random() < 0.5:
        pitch = rng.uniform(3, 7)
        columns = np.sin(np.arange(width, dtype=np.float32) * 2 * np.pi / pitch)
        rows = np.sin(np.arange(height, dtype=np.float32) * 2 * np.pi / pitch)[:, None]
        raster = rng.uniform(0.1, 0.5) * (columns + rows)
    dust = np.maximum(_smooth(rng, height, width, 0.8, 0.8) - 2.6, 0)
    return smudges + raster + 3 * dust + 0.2 * _white(rng, height, width)


PAINTERS: dict[Substrate, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    Substrate.BRUSHED: brushed,
    Substrate.TURNED: turned,
    Substrate.MACHINED: machined,
    Substrate.CAST: cast,
    Substrate.BLASTED: blasted,
    Substrate.PLASTIC: plastic,
    Substrate.CARD: card,
    Substrate.RUBBER: rubber,
    Substrate.PAINTED: painted,
    Substrate.RUSTED: rusted,
    Substrate.MOULD: mould,
    Substrate.PANEL: panel,
}
