"""Text as factories print, jet, peen, burn and light it: each function draws one line of it.

The result is coverage or depth, 0 to 1, float64, in an array (H, W) just larger than the text.
The typefaces are Pillow's own and three tables here: 5 x 7 dots, strokes and seven segments.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont


def _table(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


# Five columns a character, the lowest bit is the top row.
DOTS = _table("""
0=3E4141413E 1=00427F4000 2=4261514946 3=2141454B31 4=1814127F10 5=2745454539
6=3C4A494930 7=0171090503 8=3649494936 9=064949291E A=7E1111117E B=7F49494936 C=3E41414122
D=7F4141221C E=7F49494941 F=7F09090901 G=3E4149497A H=7F0808087F J=2040413F01 K=7F08142241
L=7F40404040 M=7F020C027F N=7F0408107F O=3E4141413E P=7F09090906 R=7F09192946 S=4649494931
T=01017F0101 U=3F4040403F V=1F2040201F W=3F4038403F X=6314081463 Y=0708700807 Z=6151494543
-=0808080808
""")
# Polylines of points xy, x 0 to 4 and y 0 (top) to 6; "~" rounds the corners.
STROKES = _table("""
0=~10,30,41,45,36,16,05,01,10 1=11,20,26 2=~01,10,30,41,42,06;06,46
3=~01,10,30,41,42,33,23;~23,33,44,45,36,16,05 4=36,30,04,44
5=40,00,03;~03,12,32,43,45,36,16,05 6=~41,30,10,01,05,16,36,45,44,33,13,04 7=00,40,16
8=~10,30,41,42,33,13,02,01,10;~13,33,44,45,36,16,05,04,13
9=~05,16,36,45,41,30,10,01,02,13,33,42 A=06,20,46;14,34
B=06,00;~00,30,41,42,33,03;~03,33,44,45,36,06 C=~41,30,10,01,05,16,36,45
D=06,00;~00,20,41,45,26,06 E=40,00,06,46;03,33 F=40,00,06;03,33
G=~41,30,10,01,05,16,36,45,43;43,23 H=00,06;40,46;03,43 J=~40,45,36,16,05
K=00,06;40,03;13,46 L=00,06,46 M=06,00,23,40,46 N=06,00,46,40 P=06,00;~00,30,41,42,33,03
R=06,00;~00,30,41,42,33,03;23,46 S=~41,30,10,01,02,13,33,44,45,36,16,05 T=00,40;20,26
U=~00,05,16,36,45,40 V=00,26,40 W=00,16,22,36,40 X=00,46;40,06 Y=00,23,40;23,26
Z=00,40,06,46 -=13,33
""")
# The lit ones of the segments a (top), b, c, d, e, f (clockwise) and g (middle).
SEGMENTS = _table("0=abcdef 1=bc 2=abged 3=abgcd 4=fgbc 5=afgcd 6=afgedc 7=abc 8=abcdefg 9=abcdfg")
# Their ends x1, y1, x2, y2, in digit widths and half heights.
ENDS = {"a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2),
        "e": (0, 1, 0, 2), "f": (0, 0, 0, 1), "g": (0, 1, 1, 1)}  # fmt: skip


def printed(text: str, cap: float, bold: float = 0.0) -> np.ndarray:
    """Pillow's own typeface with capitals about `cap` pixels high."""
    font = ImageFont.load_default(cap / 0.7)
    box = [int(v) for v in font.getbbox(text, stroke_width=bold)]
    mask = Image.new("L", (box[2] - box[0] + 8, box[3] - box[1] + 8))
    ImageDraw.Draw(mask).text((4 - box[0], 4 - box[1]), text, 255, font, stroke_width=bold)
    return np.asarray(mask, np.float64) / 255


def stroked(text: str, cap: float, width: float, pitch: float = 5.8) -> np.ndarray:
    """The stroke typeface, `cap` pixels high, drawn with a pen `width` pixels wide."""
    unit, margin = cap / 6, width + 2
    mask = np.zeros((int(cap + 2 * margin), int(len(text) * pitch * unit + 2 * margin)), np.uint8)
    for index, char in enumerate(text):
        for line in filter(None, STROKES.get(char, "").split(";")):
            points = np.array([tuple(map(int, xy)) for xy in line.strip("~").split(",")], float)
            for _ in range(3 if line[0] == "~" else 0):
                points = _rounder(points)
            points = 16 * ((points + np.array((index * pitch, 0))) * unit + margin)
            pen = max(1, round(width))
            cv2.polylines(mask, [points.round().astype(int)], False, 255, pen, cv2.LINE_AA, 4)
    return mask / 255.0


def _rounder(points: np.ndarray) -> np.ndarray:
    """One step of Chaikin's corner cutting (1974); an open line keeps its ends."""
    first, second = points[:-1], points[1:]
    cuts = np.stack([0.75 * first + 0.25 * second, 0.25 * first + 0.75 * second], 1).reshape(-1, 2)
    if np.array_equal(points[0], points[-1]):
        return np.vstack([cuts, cuts[:1]])
    return np.vstack([points[:1], cuts[1:-1], points[-1:]])


def dotted(
    rng: np.random.Generator,
    text: str,
    pitch: float,
    radius: float,
    *,
    jitter: float = 0.08,
    lost: int = 0,
    shear: float = 0.0,
    spray: int = 0,
    cone: bool = False,
) -> np.ndarray:
    """5 x 7 dots, `pitch` pixels apart: cones of a peening pin, or drops of ink with satellites.

    `lost` dots are missing, `shear` moves each lower row aside, `spray` counts the satellites.
    """
    lefts = np.cumsum([0, *(4 if char == " " else 6 for char in text)])
    spots = np.array(
        [
            (left + column, row)
            for left, char in zip(lefts, text, strict=False)
            for column, bits in enumerate(bytes.fromhex(DOTS.get(char, "")))
            for row in range(7)
            if bits >> row & 1
        ],
        float,
    )
    spots = np.delete(spots, rng.choice(len(spots), lost, replace=False), 0)
    spots = (spots + 1.5 + rng.normal(0, jitter, spots.shape)) * pitch
    spots[:, 0] += shear * (spots[:, 1] + 0.3 * rng.standard_normal(len(spots)))
    sizes = radius * rng.normal(1, 0.08, len(spots))
    if spray:
        strays = spots[rng.choice(len(spots), spray)] + rng.normal(0, 1.1 * pitch, (spray, 2))
        spots = np.vstack([spots, strays])
        sizes = np.append(sizes, radius * rng.uniform(0.15, 0.35, spray))
    shape = int(10 * pitch), int((lefts[-1] + 2) * pitch + abs(shear) * 10 * pitch)
    y, x = np.mgrid[: shape[0], : shape[1]]
    mark = np.zeros(shape)
    for (spot_x, spot_y), size in zip(spots, sizes, strict=True):
        near = np.s_[
            max(0, int(spot_y - 2 * radius) - 1) : int(spot_y + 2 * radius) + 2,
            max(0, int(spot_x - 2 * radius) - 1) : int(spot_x + 2 * radius) + 2,
        ]
        away = np.hypot(x[near] - spot_x, y[near] - spot_y)
        dot = np.clip(1.25 - 1.25 * away / size, 0, 1) if cone else np.clip(size + 0.5 - away, 0, 1)
        mark[near] = np.maximum(mark[near], dot)
    return mark


def segmented(text: str, cap: float) -> np.ndarray:
    """Seven segments a digit, `cap` pixels high, leaning a little; unlit ones glow faintly."""
    wide, half, thick = 0.52 * cap, cap / 2, 0.055 * cap
    mask = np.zeros((int(cap * 1.3), int(len(text) * cap * 0.82 + cap * 0.3)), np.uint8)
    for index, char in enumerate(text):
        for name, (x1, y1, x2, y2) in ENDS.items():
            a, b = np.array((x1 * wide, y1 * half)), np.array((x2 * wide, y2 * half))
            along = (b - a) / np.hypot(*(b - a))
            tip, side = along * thick, along[::-1] * thick
            a, b = a + 0.3 * tip, b - 0.3 * tip
            bar = np.array([a, a + tip + side, b - tip + side, b, b - tip - side, a + tip - side])
            bar += (index * cap * 0.82 + 0.25 * cap, 0.15 * cap)
            bar[:, 0] -= 0.08 * (bar[:, 1] - cap)
            level = 255 if name in SEGMENTS[char] else 16
            cv2.fillPoly(mask, [(16 * bar).round().astype(int)], level, cv2.LINE_AA, 4)
    return mask / 255.0


def bars(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A block that looks like a bar code (it carries nothing)."""
    widths = rng.integers(1, 4, width)
    line = np.repeat(np.arange(width) % 2, widths * max(2, width // 160))[:width]
    return np.repeat(line[None, :].astype(float), height, 0)
