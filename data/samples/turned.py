"""Makes hard-turning.png: a hard-turned ring, laser-marked round its outside, as a camera of 8
megapixels sees it, and hard-turning.csv, which says what stands on it and where.

    python data/samples/turned.py [--out DIR]

The ring is a solid of revolution. Each pixel's ray is met with the pieces of its profile; turned
metal mirrors soft lights as the bands and bow ties that its grooves make of them. The camera looks
down on the ring and is turned by 45 degrees against its axis.
"""

from __future__ import annotations

import argparse
import csv
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from marks import stroked
from PIL import Image
from scene import Rng, fractal, noise

FILE = "hard-turning.png"
TEXT = "HT04812509KA70416"
SIZE = (3264, 2448)
TURN = np.radians(45.0)
LEAN = np.radians(30.0)
CENTRE = (1080.0, 380.0)
"""Where the middle of the ring's face lies in the picture."""
RADIUS, BAND_Z = 1900.0, -395.0
CAP, PEN = 130.0, 15.0
LEVELS = 4
"""Grey values are stored in steps of so many: with all of its noise the file is twice as large."""

TILTS = np.linspace(-1.2, 1.2, 49)
ANGLES = np.linspace(-np.pi, np.pi, 361)


@dataclass(frozen=True)
class Piece:
    """A part of the profile, from radius and height to radius and height, in pixels.

    `rough` and `groove` are how far the facets and the tool's marks lean, in radians; `feed` is
    the width of a tool's mark.
    """

    r0: float
    z0: float
    r1: float
    z1: float
    rough: float = 0.17
    tone: float = 0.6
    feed: float = 7.0
    groove: float = 0.10

    @property
    def way(self) -> tuple[float, float]:
        """Along the profile, to radius and height."""
        length = np.hypot(self.r1 - self.r0, self.z1 - self.z0)
        return (self.r1 - self.r0) / length, (self.z1 - self.z0) / length


# Up the bore, over the face with its recess, over the chamfer and down the outside.
RING = (
    Piece(860, -1500, 860, -60, rough=0.30, tone=0.35, groove=0.05),
    Piece(860, -60, 900, 0, tone=0.62),
    Piece(900, 0, 1320, 0, rough=0.30, feed=9.0),
    Piece(1320, 0, 1340, -26),
    Piece(1340, -26, 1600, -26, rough=0.26, tone=0.5, feed=9.0),
    Piece(1600, -26, 1618, 0),
    Piece(1618, 0, 1826, 0, rough=0.30, feed=9.0),
    Piece(1826, 0, RADIUS, -74, rough=0.12, tone=0.66, feed=5.0),
    Piece(RADIUS, -74, RADIUS, -742, rough=0.2, feed=6.5),
    Piece(RADIUS, -742, 1852, -790, tone=0.6),
    Piece(1852, -790, 1852, -930, rough=0.3, tone=0.36),
    Piece(1852, -930, RADIUS, -978, tone=0.6),
    Piece(RADIUS, -978, RADIUS, -1440, rough=0.2, feed=6.5),
    Piece(RADIUS, -1440, 1830, -1510, tone=0.5),
)
BAND = 8

# Soft lights: direction (right, up, to the camera), half width and height in radians, power.
LIGHTS = (
    ((0.10, -0.84, 0.54), (0.90, 0.30), 1.15),
    ((-0.92, -0.20, 0.30), (0.13, 0.60), 1.3),
    ((0.25, 0.80, -0.50), (0.40, 0.22), 1.9),
    ((-0.70, 0.55, -0.10), (0.12, 0.35), 1.3),
    ((0.85, 0.35, 0.20), (0.12, 0.40), 1.0),
    ((0.20, 0.20, 0.95), (0.25, 0.16), 0.7),
)


def shop(way: np.ndarray) -> np.ndarray:
    """How bright it is in directions (..., 3): a dim room with a lighter ceiling, soft lights."""
    seen = 0.09 + 0.10 * np.clip(way[..., 1], 0, 1) + 0.05 * np.clip(way[..., 2], 0, 1)
    for middle, (wide, high), power in LIGHTS:
        ahead = np.array(middle) / np.linalg.norm(middle)
        right = np.cross((0.0, 1.0, 0.0), ahead)
        right /= np.linalg.norm(right)
        x, y, z = (way @ axis for axis in (right, np.cross(ahead, right), ahead))
        off = (np.arctan2(x, z) / wide) ** 4 + (np.arctan2(y, np.hypot(x, z)) / high) ** 4
        seen = seen + power * np.exp(-np.minimum(off, 60)) * (z > 0)
    return seen


AXIS = np.array([0.0, np.cos(LEAN), np.sin(LEAN)])
FRONT = np.array([0.0, -np.sin(LEAN), np.cos(LEAN)])
RIGHT = np.array([1.0, 0.0, 0.0])


def shine(piece: Piece) -> np.ndarray:
    """What the metal mirrors, by the tilt of its grooves (rows) and the angle round the ring."""
    outward = np.sin(ANGLES)[:, None] * RIGHT + np.cos(ANGLES)[:, None] * FRONT
    around = np.cos(ANGLES)[:, None] * RIGHT - np.sin(ANGLES)[:, None] * FRONT
    along = piece.way[0] * outward + piece.way[1] * AXIS
    normal = piece.way[0] * AXIS - piece.way[1] * outward
    table = np.zeros((len(TILTS), len(ANGLES)))
    for side in (-0.05, 0.0, 0.05):
        leaning = normal + np.tan(TILTS)[:, None, None] * along + side * around
        leaning /= np.linalg.norm(leaning, axis=-1, keepdims=True)
        mirrored = 2 * leaning[..., 2:] * leaning
        mirrored[..., 2] -= 1
        table += np.clip(leaning[..., 2], 0, 1) ** 0.3 * shop(mirrored) / 3
    spread = piece.rough / (TILTS[1] - TILTS[0])
    return (piece.tone * cv2.GaussianBlur(table, (0, 0), 0.01, sigmaY=spread)).astype(np.float32)


def meet(piece: Piece, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where rays meet a piece: depth to the camera (-inf: nowhere), depth to the front, height."""
    cos, sin = np.float32(np.cos(LEAN)), np.float32(np.sin(LEAN))
    if piece.z0 == piece.z1:
        depth = (piece.z0 - v * cos) / sin
        front = depth * cos - v * sin
        radius = np.hypot(u, front)
        on = (radius >= min(piece.r0, piece.r1)) & (radius <= max(piece.r0, piece.r1))
        return np.where(on, depth, -np.inf), front, np.full_like(u, piece.z0)
    slope = np.float32((piece.r1 - piece.r0) / (piece.z1 - piece.z0))
    base = np.float32(piece.r0) + slope * (v * cos - np.float32(piece.z0))
    a = cos**2 - slope**2 * sin**2
    b = -v * sin * cos - slope * sin * base
    root = np.sqrt(np.maximum(b**2 - a * (u**2 + v**2 * sin**2 - base**2), 0))
    real = b**2 >= a * (u**2 + v**2 * sin**2 - base**2)
    # Of the two walls the one that faces the camera: of the outside the near, of a bore the far.
    depth = (-b + (root if piece.way[1] < 0 else -root)) / a
    front, height = depth * cos - v * sin, depth * sin + v * cos
    on = real & (height >= min(piece.z0, piece.z1)) & (height <= max(piece.z0, piece.z1))
    return np.where(on, depth, -np.inf), front, height


def texture(rng: Rng, piece: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Tilt and tone over (along the profile, round the ring); a column is 4 pixels of the round."""
    length = int(np.hypot(piece.r1 - piece.r0, piece.z1 - piece.z0)) + 4
    shape = length, int(2 * np.pi * max(piece.r0, piece.r1) / 4)
    rows = np.arange(length)[:, None]
    chatter = 0.5 * noise(rng, shape, 500, 40)
    tool = np.sin(2 * np.pi * rows / piece.feed + chatter) + 0.4 * noise(rng, (length, 1), 1, 1.3)
    worn = 1 + 0.25 * noise(rng, shape, 300, 90)
    tilt = piece.groove * (tool * worn + 0.35 * noise(rng, shape, 120, 1.5))
    tone = 1 + 0.025 * noise(rng, shape, 60, 1.2) + 0.03 * fractal(rng, shape, 150, 4)
    return tilt.astype(np.float32), tone.astype(np.float32)


def scratches(rng: Rng, shape: tuple[int, int], count: int) -> np.ndarray:
    """Thin straight lines of handling, light (up to 1) or dark (down to -1)."""
    lines = np.zeros(shape, np.float32)
    for _ in range(count):
        start, way = rng.uniform((0, 0), shape[::-1]), rng.normal(0, (40, 70))
        ends = [tuple(int(v * 8) for v in point) for point in (start, start + way)]
        cv2.line(lines, *ends, float(rng.uniform(-0.7, 1)), 1, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(lines, (0, 0), 0.6)


def burn(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """The mark on the flat band, 0 to 1, hatched as lasers fill strokes, and the heat round it."""
    mark = stroked(TEXT, CAP, PEN).astype(np.float32)
    rows = np.arange(mark.shape[0])[:, None]
    hatch = 0.93 + 0.07 * np.sin(2 * np.pi * rows / 3.2 + 0.3 * noise(rng, mark.shape, 60, 9))
    uneven = np.clip(0.93 + 0.07 * noise(rng, mark.shape, 7, 7), 0.6, 1)
    padded = np.pad(mark * hatch * uneven, 40)
    heat = cv2.GaussianBlur(np.pad(mark, 40), (0, 0), 9)
    return padded.astype(np.float32), heat


def floor(rng: Rng) -> np.ndarray:
    """What lies behind the ring, (H, W): a dark machine table, far out of focus."""
    small = (SIZE[1] // 16, SIZE[0] // 16)
    seen = 0.022 + 0.006 * fractal(rng, small, 60, 2)
    y, x = np.mgrid[: small[0], : small[1]]
    for across, down, size, power in ((0.96, 0.78, 6, 0.05), (0.83, 0.97, 9, 0.03)):
        away = np.hypot(x - across * small[1], y - down * small[0])
        seen += power / (1 + np.exp((away - size) / 1.2))
    return cv2.resize(seen.astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)


def outline() -> np.ndarray:
    """The mark's outline in the picture, (N, 2), clockwise from its first letter's top left."""
    margin = PEN / 2
    width = (len(TEXT) - 1) * 5.8 * CAP / 6 + 4 * CAP / 6 + 2 * margin
    # `stroked` leaves a letter's gap after the last letter too, and is put on by its middle.
    begin = -(len(TEXT) * 5.8 * CAP / 6) / 2 - margin
    across = begin + np.linspace(0, width, 200)
    top = np.full(200, BAND_Z + CAP / 2 + margin)
    edges = [(across, top), (across[::-1], top - CAP - 2 * margin)]
    around, height = (np.concatenate(each) for each in zip(*edges, strict=True))
    front = RADIUS * np.cos(around / RADIUS)
    u, v = RADIUS * np.sin(around / RADIUS), height * np.cos(LEAN) - front * np.sin(LEAN)
    x = CENTRE[0] + u * np.cos(TURN) - v * np.sin(TURN)
    y = CENTRE[1] - u * np.sin(TURN) - v * np.cos(TURN)
    return np.column_stack([x, y])


def render(part: tuple[slice, slice] = np.s_[: SIZE[1], : SIZE[0]]) -> np.ndarray:
    """The picture, (H, W) grey uint8, or rows and columns of it.

    A part is as the whole is there but for some 400 pixels at its edges, where it lacks the bloom
    of what lies outside.
    """
    # One source of chance each, so that what is random does not depend on the part.
    rng, behind, sensor = np.random.default_rng(zlib.crc32(FILE.encode())).spawn(3)
    y, x = np.mgrid[part].astype(np.float32)
    x, y = x + 0.5 - CENTRE[0], CENTRE[1] - y - 0.5
    u = (x * np.cos(TURN) + y * np.sin(TURN)).astype(np.float32)
    v = (y * np.cos(TURN) - x * np.sin(TURN)).astype(np.float32)

    hits = [meet(piece, u, v) for piece in RING]
    nearest = np.argmax([depth for depth, _, _ in hits], axis=0)
    deep = np.max([depth for depth, _, _ in hits], axis=0)
    seen = floor(behind)[part]
    mark, heat = burn(rng)
    for index, (piece, (_, front, up)) in enumerate(zip(RING, hits, strict=True)):
        here = np.isfinite(deep) & (nearest == index)
        tilt, tone = texture(rng, piece)
        nicks = scratches(rng, tilt.shape, 60)
        if not here.any():
            continue
        at_u, at_front, at_up = u[here], front[here], up[here]
        angle = np.arctan2(at_u, at_front)
        radius = np.hypot(at_u, at_front)
        along = np.hypot(radius - piece.r0, at_up - piece.z0) + 1.5
        around = (angle + np.pi) * ((tilt.shape[1] - 1) / (2 * np.pi))
        lean, shade, nick = (look(each, around, along) for each in (tilt, tone, nicks))
        table = shine(piece)
        row = (lean - TILTS[0]) / (TILTS[1] - TILTS[0])
        column = (angle + np.pi) * ((len(ANGLES) - 1) / (2 * np.pi))
        metal = look(table, column, row) * shade * (1 + 0.25 * nick)
        if index == BAND:
            across = angle * RADIUS + mark.shape[1] / 2 - 0.5
            down = BAND_Z - at_up + mark.shape[0] / 2 - 0.5
            burnt, warm = look(mark, across, down), look(heat, across, down)
            metal = metal * (1 - 0.10 * warm)
            metal = metal * (1 - burnt) + burnt * (0.20 * metal + 0.035)
        seen[here] = metal
    return photograph(sensor, seen, deep, part)


def look(table: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The table's values at (N,) columns x and rows y; 0 outside."""
    table, x, y = (each.astype(np.float32) for each in (table, x, y))
    # cv2.remap takes no longer side.
    parts = [slice(begin, begin + 32_000) for begin in range(0, len(x), 32_000)]
    return np.concatenate([cv2.remap(table, x[p], y[p], cv2.INTER_LINEAR).ravel() for p in parts])


def photograph(
    rng: Rng, seen: np.ndarray, deep: np.ndarray, part: tuple[slice, slice]
) -> np.ndarray:
    """Depth of field, bloom, vignetting, tone curve and noise."""
    rows, columns = seen.shape
    focus = RADIUS * np.cos(LEAN) + BAND_Z * np.sin(LEAN)
    away = np.where(np.isfinite(deep), np.abs(deep - focus), 900).astype(np.float32)
    out = cv2.GaussianBlur(np.clip((away - 150) / 450, 0, 3), (0, 0), 8)
    blurred = [cv2.GaussianBlur(seen, (0, 0), sigma) for sigma in (1.2, 2.2, 4.5, 10.0)]
    seen = sum(np.clip(1 - np.abs(out - i), 0, 1) * each for i, each in enumerate(blurred))
    small = (columns // 8, rows // 8)
    bloom = cv2.resize(np.clip(seen - 0.85, 0, 2), small, interpolation=cv2.INTER_AREA)
    seen = seen + 0.35 * cv2.resize(cv2.GaussianBlur(bloom, (0, 0), 12), (columns, rows))
    y, x = np.mgrid[part].astype(np.float32)
    width, height = SIZE
    corner = ((x / width - 0.5) ** 2 + (y / width - height / width / 2) ** 2) / 0.39
    seen = seen * (1 - 0.35 * corner)
    grey = 255 * (1 - np.exp(-2.6 * np.clip(seen - 0.012, 0, None))) ** 0.78
    noise_here = rng.standard_normal((height, width), np.float32)[part]
    grey = grey + (0.3 + 0.04 * np.sqrt(grey)) * noise_here
    return (np.clip(np.rint(grey / LEVELS), 0, 255 // LEVELS) * LEVELS).astype(np.uint8)


def make(out: Path) -> None:
    """Write the picture, and a table of what stands on it: text, box and corners."""
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(render()).save(out / FILE, optimize=True)
    line = outline()
    cord = [round(float(v), 1) for v in (*line.min(0), *line.max(0))]
    corners = [[round(float(v), 1) for v in line[i]] for i in (0, 199, 200, 399)]
    with open(out / "hard-turning.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "text", "cord", "outline"))
        rows.writerow((FILE, TEXT, json.dumps(cord), json.dumps(corners)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    make(parser.parse_args().out)
