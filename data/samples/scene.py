"""Parts, light and camera: from a material to a photograph.

A `Surface` is a part laid flat. Materials make one, wear and marks change its height or colour.
It is then laid into the picture (flat, round a cylinder or along an arc), lit by a lamp near it
(Lambert, Blinn-Phong) and photographed.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Rng = np.random.Generator
Shape = tuple[int, int]
Colour = tuple[float, float, float]


@dataclass
class Surface:
    """A part, flat: `albedo` (H, W, 3) and `gloss`, `alpha` (H, W) 0 to 1, `height` in pixels."""

    albedo: np.ndarray
    height: np.ndarray
    gloss: np.ndarray
    alpha: np.ndarray


@dataclass(frozen=True)
class Shot:
    """How a part lies before the camera, and how it is lit and photographed.

    `angle` in degrees, `turn` in quarter turns to the left; `bend`, a cylinder's or an arc's
    radius, `sag`, `blur` and `smear` in pixels; `shift` in parts of the picture. In picture widths
    from its middle: `lamp` x, y, z; `glare` x, y, radius (and strength); `shadow` x (and slant).
    """

    angle: float = 0.0
    tilt: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    bend: float = 0.0
    sag: float = 0.0
    around: str = "flat"
    lamp: tuple[float, float, float] = (-0.7, -0.6, 0.7)
    ambient: float = 0.35
    glare: tuple[float, float, float, float] | None = None
    shadow: tuple[float, float] | None = None
    warmth: float = 0.0
    blur: float = 0.6
    smear: int = 0
    grain: float = 0.012
    grey: bool = False
    turn: int = 0
    quality: int = 85


# ---- textures and materials -----------------------------------------------------------------


def noise(rng: Rng, shape: Shape, wide: float, high: float) -> np.ndarray:
    """Smooth noise, mean 0 and deviation 1, with features of about wide x high pixels."""
    rows, cols = (
        max(2, int(side / step) + 2) for side, step in zip(shape, (high, wide), strict=True)
    )
    grown = cv2.resize(
        rng.standard_normal((rows, cols)), shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    return (grown - grown.mean()) / grown.std()


def fractal(rng: Rng, shape: Shape, scale: float, octaves: int = 5) -> np.ndarray:
    """Fractal noise, mean 0 and deviation about 1, whose largest features are `scale` pixels."""
    layers = [noise(rng, shape, s := max(1.0, scale / 2**i), s) / 1.6**i for i in range(octaves)]
    return sum(layers) / 1.3


def surface(
    shape: Shape, colour: Colour, shade: np.ndarray | float, height: np.ndarray, gloss: float
) -> Surface:
    """A surface of one colour, made lighter and darker by `shade` (0 = as it is)."""
    tone = np.broadcast_to(1 + np.asarray(shade), shape)[..., None]
    return Surface(tone * np.array(colour), height, np.full(shape, gloss), np.ones(shape))


def steel(rng: Rng, shape: Shape, tone: float = 0.42, feed: float = 0.0) -> Surface:
    """Brushed steel; with `feed`, a turned face with the tool's marks every so many pixels."""
    brush = 0.5 * noise(rng, shape, 260, 1) + 0.4 * noise(rng, shape, 70, 1.3)
    brush += 0.25 * noise(rng, shape, 18, 1)
    shade = 0.09 * brush + 0.06 * fractal(rng, shape, 200)
    if feed:
        rows = np.arange(shape[0])[:, None] + 0.6 * noise(rng, shape, 400, 9)
        shade = shade + 0.10 * np.sin(2 * np.pi * rows / feed)
    return surface(shape, (tone * 0.97, tone, tone * 1.03), shade, 0.10 * brush, 0.5)


def iron(rng: Rng, shape: Shape) -> Surface:
    """The skin of a sand casting."""
    grain = fractal(rng, shape, 9, 3)
    shade = 0.10 * fractal(rng, shape, 160) + 0.05 * grain
    return surface(shape, (0.30, 0.29, 0.28), shade, 0.3 * grain, 0.2)


def paint(rng: Rng, shape: Shape, colour: Colour, gloss: float = 0.4) -> Surface:
    """Painted metal or moulded plastic."""
    peel = noise(rng, shape, 7, 7)
    return surface(shape, colour, 0.03 * fractal(rng, shape, 120), 0.10 * peel, gloss)


def card(rng: Rng, shape: Shape) -> Surface:
    """Corrugated cardboard."""
    fibre = noise(rng, shape, 16, 1.2) + 0.6 * noise(rng, shape, 1.2, 9)
    flutes = np.sin(2 * np.pi * np.arange(shape[1]) / 23)[None, :]
    shade = 0.035 * fibre + 0.05 * fractal(rng, shape, 90) + 0.018 * flutes
    return surface(shape, (0.60, 0.44, 0.28), shade, 0.12 * fibre, 0.0)


def foil(rng: Rng, shape: Shape) -> Surface:
    """Creased aluminium foil."""
    creases = 1 - np.abs(fractal(rng, shape, 150, 3))
    return surface(shape, (0.5, 0.51, 0.53), 0.02 * noise(rng, shape, 2, 60), 2.2 * creases, 0.8)


# ---- outlines and wear ----------------------------------------------------------------------


def cut(
    part: Surface, width: float, height: float, corner: float = 18, bevel: float = 4
) -> Surface:
    """Give the part a rectangle's outline with rounded corners and a bevelled edge."""
    rows, cols = part.height.shape
    y, x = np.mgrid[:rows, :cols]
    away = [
        np.abs(axis + 0.5 - n / 2) - side / 2 + corner
        for axis, n, side in ((x, cols, width), (y, rows, height))
    ]
    inside = corner - np.hypot(*(np.maximum(a, 0) for a in away)) - np.minimum(np.maximum(*away), 0)
    part.alpha = np.clip(inside + 0.5, 0, 1)
    part.height = part.height + np.clip(inside, 0, bevel) * 0.6
    return part


def bore(part: Surface, x: float, y: float, radius: float) -> None:
    """A hole through the part, x and y in pixels from the middle, with a countersunk edge."""
    rows, cols = part.height.shape
    grid_y, grid_x = np.mgrid[:rows, :cols]
    away = np.hypot(grid_x - cols / 2 - x, grid_y - rows / 2 - y) - radius
    part.height = part.height * np.clip(away, 0, 1) + np.clip(away, -1, 5) * 0.8
    dark = np.clip(away + 1, 0, 1)[..., None]
    part.albedo = part.albedo * dark + 0.02 * (1 - dark)
    part.gloss = part.gloss * np.clip(away, 0, 1)


def rust(rng: Rng, part: Surface, amount: float) -> None:
    """Patches of rust over about `amount` of the part."""
    patch = fractal(rng, part.height.shape, 130, 6)
    cover = np.clip((patch - np.quantile(patch, 1 - amount)) * 0.9 + 0.1, 0, 0.8)[..., None]
    mottle = 1 + 0.10 * noise(rng, patch.shape, 3, 3) + 0.25 * fractal(rng, patch.shape, 50)
    brown = np.array((0.20, 0.105, 0.055)) * mottle[..., None]
    part.albedo = part.albedo * (1 - cover) + brown * cover
    part.gloss = part.gloss * (1 - cover[..., 0])


def scratch(rng: Rng, part: Surface, count: int, depth: float = 0.7) -> None:
    """Thin straight scratches at any angle."""
    rows, cols = part.height.shape
    lines = np.zeros((rows, cols), np.uint8)
    for _ in range(count):
        start, way = rng.uniform((0, 0), (cols, rows)), rng.normal(0, cols / 5, 2)
        ends = [tuple(int(v * 8) for v in point) for point in (start, start + way)]
        cv2.line(lines, *ends, int(rng.uniform(60, 255)), 1, cv2.LINE_AA, 3)
    groove = cv2.GaussianBlur(lines / 255.0, (0, 0), 0.7)
    part.height = part.height - depth * groove
    part.albedo = part.albedo * (1 + 0.5 * groove[..., None])


# ---- putting a mark on a part ------------------------------------------------------------------


def window(part: Surface, mark: np.ndarray, x: float, y: float) -> tuple[slice, slice]:
    """Where a mark lies whose middle is x, y pixels from the part's middle."""
    top = int(part.height.shape[0] / 2 + y - mark.shape[0] / 2)
    left = int(part.height.shape[1] / 2 + x - mark.shape[1] / 2)
    return np.s_[top : top + mark.shape[0], left : left + mark.shape[1]]


def ink(
    part: Surface,
    mark: np.ndarray,
    colour: Colour,
    *,
    x: float = 0,
    y: float = 0,
    strength: float = 0.92,
    gloss: float = 0.6,
) -> None:
    """Colour the mark; `gloss` is what remains of the shine below it."""
    at, cover = window(part, mark, x, y), mark * strength
    part.albedo[at] += (np.array(colour) - part.albedo[at]) * cover[..., None]
    part.gloss[at] *= 1 - cover * (1 - gloss)


def relief(
    part: Surface,
    mark: np.ndarray,
    depth: float,
    *,
    x: float = 0,
    y: float = 0,
    soft: float = 1.0,
    soil: float = 0.0,
) -> None:
    """Raise (or sink, below 0) the mark by `depth` pixels; `soil` darkens it."""
    form = cv2.GaussianBlur(mark, (0, 0), soft)
    at = window(part, mark, x, y)
    part.height[at] += depth * form
    part.albedo[at] *= 1 - soil * form[..., None]


# ---- the picture: laying out, light, camera ---------------------------------------------------


def lay(rng: Rng, part: Surface, size: tuple[int, int], shot: Shot) -> tuple[Surface, np.ndarray]:
    """Lay the part into a picture over a dark bench; also its slope in x, (H, W), if round."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x + 0.5 - width * (0.5 + shot.shift[0]), y + 0.5 - height * (0.5 + shot.shift[1])
    turn = np.deg2rad(shot.angle)
    x, y = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    slope, seen = np.zeros_like(x), np.ones_like(x)
    if shot.around == "cylinder":
        across = np.clip(x / shot.bend, -0.995, 0.995)
        seen = np.clip(shot.bend - np.abs(x), 0, 1)
        slope = across / np.sqrt(1 - across**2)
        x, y = shot.bend * np.arcsin(across), y - shot.sag * np.sqrt(1 - across**2) + shot.sag
    elif shot.around == "arc":
        away = np.hypot(x, y - shot.bend)
        x, y = shot.bend * np.arctan2(x, shot.bend - y), shot.bend - away
    else:
        depth = 1 + shot.tilt * y / height
        x, y = x / depth, y / depth
    rows, cols = part.height.shape
    at = (x + cols / 2).astype(np.float32), (y + rows / 2).astype(np.float32)
    layers = [
        cv2.remap(layer, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        for layer in (part.albedo, part.height, part.gloss)
    ]
    alpha = seen * cv2.remap(part.alpha, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    bench = paint(rng, (height, width), (0.10, 0.095, 0.09), 0.1)
    bench.albedo *= (1 + 0.3 * fractal(rng, (height, width), 260))[..., None]
    aside = np.array([[1, 0, width / 70], [0, 1, width / 70]])
    shadow = cv2.warpAffine(alpha, aside, size, borderMode=cv2.BORDER_REPLICATE)
    bench.albedo *= 1 - 0.7 * cv2.GaussianBlur(shadow, (0, 0), width / 60)[..., None]
    below = bench.albedo, bench.height, bench.gloss
    covers = alpha[..., None], alpha, alpha
    merged = [b + (a - b) * cover for a, b, cover in zip(layers, below, covers, strict=True)]
    return Surface(*merged, alpha), slope


def light(scene: Surface, slope: np.ndarray, shot: Shot) -> np.ndarray:
    """Lambert's and Blinn-Phong's shading under a near lamp; linear (H, W, 3), 1 is white."""
    rows, cols = scene.height.shape
    y, x = np.mgrid[:rows, :cols]
    x, y = x / cols - 0.5, (y - rows / 2) / cols
    to_x, to_y, to_z = shot.lamp[0] - x, shot.lamp[1] - y, shot.lamp[2]
    far = np.sqrt(to_x**2 + to_y**2 + to_z**2)
    down, across = np.gradient(scene.height)
    lean_x, lean_y = slope - across, -down
    size = np.sqrt(lean_x**2 + lean_y**2 + 1)
    facing = (lean_x * to_x + lean_y * to_y + to_z) / (size * far)
    half_x, half_y, half_z = to_x / far, to_y / far, to_z / far + 1
    shine = lean_x * half_x + lean_y * half_y + half_z
    shine = shine / (size * np.sqrt(half_x**2 + half_y**2 + half_z**2))
    fall = (to_z / far) ** 0.8 * 1.5
    if shot.shadow:
        beyond = x - shot.shadow[0] + shot.shadow[1] * y * cols / rows
        fall = fall * (1 - 0.6 / (1 + np.exp(-90 * beyond)))
    lit = scene.albedo * (shot.ambient + np.clip(facing, 0, None) * fall)[..., None]
    spread = 0.3 * scene.gloss * fall * np.clip(shine, 0, None) ** 30
    if shot.glare:
        glare_x, glare_y, radius, strength = shot.glare
        lobe = strength * np.exp(-((x - glare_x) ** 2 + (y - glare_y) ** 2) / radius**2)
        spread = spread + scene.gloss * lobe * np.clip(1 + 1.5 * (across - down), 0, 3)
    return lit + spread[..., None]


def photograph(rng: Rng, seen: np.ndarray, shot: Shot) -> np.ndarray:
    """Lens, sensor and tone curve: linear (H, W, 3) to uint8, (H, W) when grey."""
    rows, cols = seen.shape[:2]
    y, x = np.mgrid[:rows, :cols]
    corner = np.hypot(x / cols - 0.5, (y - rows / 2) / cols)
    seen = seen * (1 - 0.55 * corner**2)[..., None]
    seen = seen * (1 + shot.warmth * np.array((1.0, 0.1, -1.0)))
    seen = cv2.GaussianBlur(seen, (0, 0), max(shot.blur, 0.3))
    if shot.smear:
        seen = cv2.blur(seen, (shot.smear, 1))
    if shot.grey:
        seen = seen @ np.array((0.3, 0.59, 0.11))
    seen = seen + shot.grain * np.sqrt(np.clip(seen, 0.02, 1)) * rng.standard_normal(seen.shape)
    picture = (255 * np.clip(seen, 0, 1) ** (1 / 2.0) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(picture, shot.turn))
