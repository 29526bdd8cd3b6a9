"""Makes the sample pictures of this folder and `expected.csv`, from fixed seeds.

    python data/samples/make.py [--out DIR]

One function per camera builds the part that stands before it; `SAMPLES` lists the pictures.
`scene` holds materials, light and camera, `marks` the typefaces.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from marks import bars, dotted, printed, segmented, stroked
from PIL import Image
from scene import (
    Colour,
    Rng,
    Shape,
    Shot,
    Surface,
    bore,
    card,
    cut,
    foil,
    ink,
    iron,
    lay,
    light,
    noise,
    paint,
    photograph,
    relief,
    rust,
    scratch,
    steel,
    window,
)


@dataclass(frozen=True)
class Sample:
    """One picture: its file's name (`<camera>-<number>`), what is printed and how it is made."""

    file: str
    text: str
    size: tuple[int, int]
    part: Callable[..., Surface]
    options: dict[str, object] = field(default_factory=dict)
    shot: Shot = field(default_factory=Shot)

    @property
    def camera(self) -> str:
        """The subfolder of the inbox into which it belongs."""
        return self.file.rsplit("-", 1)[0]

    @property
    def code(self) -> str:
        """What markwatch must report: the text without its spaces."""
        return self.text.replace(" ", "")


def plate(
    rng: Rng,
    shape: Shape,
    text: str,
    *,
    pitch: float,
    tone: float = 0.42,
    pin: float = 0.9,
    lost: int = 1,
    depth: float = 3.2,
    rusty: float = 0.0,
    scratches: int = 8,
    size: tuple[float, float] = (0.86, 0.6),
) -> Surface:
    """press-3: a steel plate with two bolt holes, dot-peened."""
    part = steel(rng, shape, tone)
    if rusty:
        rust(rng, part, rusty)
    scratch(rng, part, scratches)
    cut(part, shape[1] * size[0], shape[0] * size[1])
    for side in (-1, 1):
        bore(part, side * shape[1] * (size[0] / 2 - 0.05), 0, shape[0] * 0.045)
    peened = dotted(rng, text, pitch, pin * pitch, jitter=0.05, lost=lost, cone=True)
    relief(part, peened, -depth, soft=0.5, soil=0.6)
    return part


def label(
    rng: Rng,
    shape: Shape,
    text: str,
    *,
    cap: float,
    size: tuple[float, float],
    box: str = "card",
    bold: float = 0,
    line: str = "",
    barcode: bool = False,
    border: bool = False,
    faded: float = 0.0,
    inverse: bool = False,
) -> Surface:
    """labels: a thermal label on a box, a crate or a housing."""
    base = card(rng, shape) if box == "card" else paint(rng, shape, (0.10, 0.16, 0.30))
    width, height = (int(size[0] * shape[1]), int(size[1] * shape[0]))
    paper = np.ones((height, width))
    relief(base, np.pad(paper, 4), 1.2, soft=0.6)
    ink(base, paper, (0.86, 0.86, 0.84), strength=0.97, gloss=1.0)
    at = window(base, paper, 0, 0)
    base.gloss[at], base.height[at] = 0.2, 0.3 * base.height[at]
    colour = (0.80, 0.80, 0.78) if inverse else (0.03, 0.03, 0.035)
    if inverse:
        ink(base, np.ones((height - 12, width - 12)), (0.04, 0.04, 0.045))
    if border:
        frame = np.pad(np.zeros((height - 34, width - 34)), 3, constant_values=1)
        ink(base, frame, colour)
    mark = printed(text, cap, bold)
    dropout = 1 - faded * np.clip(noise(rng, mark.shape, 60, 1.2) * 0.5 + 0.4, 0, 1)
    up = 0.0
    if barcode:
        block = bars(rng, int(width * 0.72), int(height * 0.34))
        ink(base, block, colour, y=height * 0.17)
        up = height * 0.2
    if line:
        ink(base, printed(line, cap * 0.42), colour, y=height * 0.40 if barcode else cap * 1.3)
        up = max(up, cap * 0.35)
    ink(base, mark * dropout, colour, y=-up)
    return base


def carton(
    rng: Rng,
    shape: Shape,
    text: str,
    *,
    pitch: float,
    on: str = "card",
    radius: float = 0.56,
    shear: float = 0.0,
    spray: int = 40,
    colour: Colour = (0.03,) * 3,
    strength: float = 0.85,
    jitter: float = 0.07,
    tape: bool = False,
    line: str = "",
) -> Surface:
    """packaging: a carton, a foil bag or a bottle's cap, marked by an ink jet."""
    if on == "card":
        part = card(rng, shape)
    elif on == "foil":
        part = foil(rng, shape)
    else:
        part = paint(rng, shape, (0.75, 0.76, 0.74) if on == "white" else (0.05, 0.13, 0.10), 0.35)
    if tape:
        strip = np.ones((int(shape[0] * 0.17), shape[1]))
        ink(part, strip, (0.50, 0.36, 0.20), y=-shape[0] * 0.33, strength=0.5)
        part.gloss[window(part, strip, 0, -shape[0] * 0.33)] = 0.5
    if line:
        ink(part, printed(line, shape[0] * 0.08, 1.5), (0.10, 0.12, 0.20), y=shape[0] * 0.24)
    drops = dotted(rng, text, pitch, radius * pitch, jitter=jitter, shear=shear, spray=spray)
    ink(part, cv2.GaussianBlur(drops, (0, 0), 0.6), colour, strength=strength)
    return part


def shaft(
    rng: Rng,
    shape: Shape,
    text: str,
    *,
    cap: float,
    width: float,
    band: float,
    bright: bool = False,
    strength: float = 0.7,
    feed: float = 5.0,
    tone: float = 0.45,
) -> Surface:
    """turning-1: a turned part, marked by a laser; `band` is the machined height, of the whole."""
    part = steel(rng, shape, tone, feed)
    step = np.ones((int(shape[0] * (1 - band) / 2), shape[1]))
    for side in (-1, 1):
        y = side * (shape[0] - step.shape[0]) / 2
        ink(part, step, (0.16, 0.16, 0.17), y=y, strength=0.8)
        relief(part, step, -8, y=y, soft=2.5)
    scratch(rng, part, 6, 0.4)
    burnt = stroked(text, cap, width)
    burnt *= np.clip(0.9 + 0.12 * noise(rng, burnt.shape, 2, 2), 0, 1)
    ink(
        part,
        burnt,
        (0.85, 0.86, 0.88) if bright else (0.08, 0.075, 0.07),
        strength=strength,
        gloss=0.2,
    )
    return part


def casting(
    rng: Rng,
    shape: Shape,
    text: str,
    *,
    cap: float,
    width: float,
    depth: float,
    soft: float = 1.2,
    soil: float = 0.0,
    rusty: float = 0.0,
    colour: Colour | None = None,
    pad: bool = True,
    scratches: int = 0,
    flange: float = 0.0,
) -> Surface:
    """castings: raised (depth > 0) or engraved characters on iron, or on paint if `colour`."""
    part = paint(rng, shape, colour) if colour else iron(rng, shape)
    mark = stroked(text, cap, width)
    if pad:
        flat = np.pad(np.ones((int(cap * 2.1), int(mark.shape[1] + cap * 0.9))), 12)
        relief(part, flat, 5 if depth < 0 else -5, soft=3.0)
    if rusty:
        rust(rng, part, rusty)
    if flange:
        cut(part, shape[1] * flange, shape[0] * 0.62, corner=shape[0] * 0.08, bevel=9)
        for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            bore(part, x * shape[1] * (flange / 2 - 0.06), y * shape[0] * 0.23, shape[0] * 0.035)
    if scratches:
        scratch(rng, part, scratches)
    relief(part, mark, depth, soft=soft, soil=soil)
    return part


def counter(rng: Rng, shape: Shape, text: str, *, cap: float, lit: Colour) -> Surface:
    """counter-2: the seven-segment display of a batch counter in its housing."""
    part = cut(paint(rng, shape, (0.22, 0.23, 0.24), 0.2), shape[1] * 0.9, shape[0] * 0.8)
    mark = segmented(text, cap)
    pane = np.ones((int(cap * 1.9), int(mark.shape[1] + cap * 0.6)))
    relief(part, np.pad(pane, 8), -6, soft=1.5)
    ink(part, pane, (0.02, 0.02, 0.025), strength=1.0, gloss=1.0)
    glow = cv2.GaussianBlur(mark, (0, 0), cap / 9) * 0.25
    ink(part, np.clip(mark + glow, 0, 1), lit, strength=1.0)
    return part


def render(sample: Sample) -> np.ndarray:
    """The sample's picture, (H, W) or (H, W, 3) RGB uint8; its name is its seed."""
    rng = np.random.default_rng(zlib.crc32(sample.file.encode()))
    width, height = sample.size
    part = sample.part(rng, (int(height * 1.25), int(width * 1.25)), sample.text, **sample.options)
    scene, slope = lay(rng, part, sample.size, sample.shot)
    return photograph(rng, light(scene, slope, sample.shot), sample.shot)


# fmt: off
SAMPLES: tuple[Sample, ...] = (
    Sample("press-3-01.png", "KX204817", (640, 480), plate,
           {"pitch": 6, "depth": 4, "size": (0.74, 0.5)}, Shot(angle=3, grey=True)),
    Sample("press-3-02.jpg", "KX204818", (1280, 960), plate,
           {"pitch": 9, "pin": 0.75, "tone": 0.45, "depth": 4, "size": (0.7, 0.42)},
           Shot(angle=-7, glare=(0.22, -0.12, 0.16, 1.1), blur=0.9)),
    Sample("press-3-03.bmp", "RA118350", (480, 320), plate,
           {"pitch": 5.5, "tone": 0.34, "pin": 0.8, "size": (0.76, 0.5)},
           Shot(grey=True, lamp=(0.8, -0.5, 0.5))),
    Sample("press-3-04.jpg", "RA118351", (1600, 1200), plate,
           {"pitch": 12, "pin": 0.8, "rusty": 0.22, "scratches": 25, "depth": 7, "size": (0.72,
            0.46)}, Shot(angle=14, warmth=0.05, blur=1.2, quality=80)),
    Sample("press-3-05.png", "HT481042", (480, 360), plate,
           {"pitch": 4.6, "pin": 0.8, "size": (0.78, 0.42), "depth": 3.5, "scratches": 3},
           Shot(grey=True, turn=-1)),
    Sample("press-3-06.webp", "HT481043", (1024, 768), plate,
           {"pitch": 9, "lost": 3, "scratches": 40},
           Shot(angle=-18, tilt=0.15, lamp=(0.2, -0.9, 0.5), shadow=(0.2, 0.3))),
    Sample("press-3-07.tif", "BN006195", (640, 360), plate,
           {"pitch": 6, "pin": 0.8, "tone": 0.3, "depth": 2.4},
           Shot(angle=1, smear=3, grey=True, grain=0.02)),
    Sample("labels-01.png", "MW-2048-1175", (640, 400), label,
           {"cap": 34, "size": (0.62, 0.52), "barcode": True},
           Shot(angle=-2, grey=True, grain=0.008)),
    Sample("labels-02.jpg", "MW-2048-1176", (1280, 960), label,
           {"cap": 52, "size": (0.5, 0.34), "line": "GEARBOX  12 PCS", "border": True, "bold": 1},
           Shot(angle=9, tilt=0.1, warmth=0.06, shadow=(-0.05, -0.4))),
    Sample("labels-03.bmp", "MW-2051-0034", (320, 120), label,
           {"cap": 22, "size": (0.7, 0.5), "box": "plastic"}, Shot(blur=0.7)),
    Sample("labels-04.jpg", "MW-2051-0035", (800, 600), label,
           {"cap": 40, "size": (0.56, 0.34), "box": "plastic"},
           Shot(angle=-12, glare=(-0.12, -0.05, 0.14, 2.2))),
    Sample("labels-05.jpg", "MW-1990-4402", (640, 480), label,
           {"cap": 36, "size": (0.6, 0.3), "faded": 0.8},
           Shot(angle=4, quality=28, blur=1.0, grain=0.03)),
    Sample("labels-06.png", "MW-1990-4403", (480, 360), label,
           {"cap": 28, "size": (0.66, 0.3), "inverse": True, "bold": 0.5},
           Shot(angle=-5, grey=True)),
    Sample("labels-07.webp", "MW-2077-9081", (1600, 1200), label,
           {"cap": 46, "size": (0.32, 0.3), "barcode": True, "border": True},
           Shot(angle=90, shift=(0.12, -0.1), tilt=0.1, lamp=(0.6, -0.7, 0.6))),
    Sample("packaging-01.jpg", "EXP 2027-03-14", (1024, 768), carton,
           {"pitch": 7.5, "tape": True, "shear": 0.05, "line": "KEEP DRY"}, Shot(angle=-3)),
    Sample("packaging-02.png", "LOT K20481", (640, 480), carton,
           {"pitch": 7.5, "shear": -0.06, "strength": 0.95}, Shot(angle=5, grey=True, grain=0.008)),
    Sample("packaging-03.jpg", "EXP 2026-11-30", (1280, 720), carton,
           {"pitch": 10, "on": "foil", "spray": 15, "colour": (0.05, 0.05, 0.12)},
           Shot(angle=2, glare=(-0.2, 0.1, 0.15, 0.6))),
    Sample("packaging-04.tif", "EXP 2027-08-02", (560, 320), carton,
           {"pitch": 5, "on": "white", "jitter": 0.14}, Shot(grey=True, angle=-1)),
    Sample("packaging-05.jpg", "LOT B77310", (800, 600), carton,
           {"pitch": 8, "on": "green", "colour": (0.72, 0.74, 0.7), "spray": 25},
           Shot(angle=11, lamp=(-0.5, 0.7, 0.7))),
    Sample("packaging-06.webp", "LOT C00926", (640, 480), carton,
           {"pitch": 7, "strength": 0.45, "shear": 0.1}, Shot(smear=4, grain=0.025, angle=-8)),
    Sample("packaging-07.jpg", "EXP 2028-01-09", (1600, 900), carton,
           {"pitch": 10, "on": "foil", "spray": 30},
           Shot(angle=-6, shift=(-0.1, 0.12), blur=1.2, grey=True)),
    Sample("turning-1-01.png", "TB26K04815", (640, 480), shaft,
           {"cap": 44, "width": 5, "band": 0.7},
           Shot(around="cylinder", bend=290, sag=20, grey=True)),
    Sample("turning-1-02.jpg", "TB26K04816", (1280, 960), shaft,
           {"cap": 64, "width": 7, "band": 0.6},
           Shot(around="cylinder", bend=560, sag=60, angle=5, glare=(-0.25, 0, 0.1, 1.2))),
    Sample("turning-1-03.jpg", "WZ48H20391", (1200, 900), shaft,
           {"cap": 56, "width": 6, "band": 0.4, "bright": True, "tone": 0.25},
           Shot(around="arc", bend=900)),
    Sample("turning-1-04.webp", "WZ48H20392", (1000, 800), shaft,
           {"cap": 52, "width": 6, "band": 0.45},
           Shot(around="arc", bend=520, shift=(0, -0.1), lamp=(0.6, -0.6, 0.6))),
    Sample("turning-1-05.tif", "AC07R55120", (480, 360), shaft,
           {"cap": 34, "width": 3, "band": 0.8, "strength": 0.4},
           Shot(around="cylinder", bend=230, angle=-8, grey=True)),
    Sample("turning-1-06.jpg", "AC07R55121", (960, 720), shaft,
           {"cap": 60, "width": 6, "band": 0.55},
           Shot(around="cylinder", bend=520, sag=-40, warmth=0.05, blur=1.1)),
    Sample("castings-01.png", "00481-2207", (640, 480), casting,
           {"cap": 46, "width": 7, "depth": 5, "flange": 0.76}, Shot(grey=True, angle=2)),
    Sample("castings-02.jpg", "00481-2208", (1280, 960), casting,
           {"cap": 84, "width": 11, "depth": -7, "rusty": 0.35, "flange": 0.78},
           Shot(angle=-10, warmth=0.04)),
    Sample("castings-03.jpg", "01730-0956-B", (1600, 1200), casting,
           {"cap": 105, "width": 14, "depth": -6, "colour": (0.06, 0.17, 0.1), "scratches": 30},
           Shot(angle=5, glare=(0.1, -0.15, 0.2, 0.9))),
    Sample("castings-04.png", "00482-0013-A", (560, 420), casting,
           {"cap": 42, "width": 6, "depth": 2.0, "soft": 0.8, "pad": False},
           Shot(grey=True, ambient=0.7)),
    Sample("castings-05.webp", "12006-4471", (1024, 768), casting,
           {"cap": 84, "width": 10, "depth": -3, "colour": (0.36, 0.35, 0.31), "pad": False,
            "flange": 0.85}, Shot(angle=17, lamp=(0.7, 0.4, 0.5))),
    Sample("castings-06.jpg", "00077-3905", (800, 600), casting,
           {"cap": 66, "width": 9, "depth": 7, "rusty": 0.5, "soft": 1.6},
           Shot(angle=-4, grain=0.03, quality=60)),
    Sample("counter-2-01.jpg", "004821", (640, 480), counter, {"cap": 90, "lit": (1.0, 0.12, 0.05)},
           Shot(angle=2)),
    Sample("counter-2-02.png", "019364", (400, 240), counter, {"cap": 50, "lit": (0.2, 0.95, 0.35)},
           Shot(angle=-4, tilt=0.1)),
)
# fmt: on


def make(out: Path, samples: Iterable[Sample] = SAMPLES) -> None:
    """Write the samples' pictures and their `expected.csv` into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    samples = tuple(samples)
    for sample in samples:
        suffix = sample.file.rsplit(".", 1)[1]
        keywords = {"tif": {"compression": "tiff_lzw"}, "png": {"optimize": True}}.get(
            suffix, {"quality": sample.shot.quality}
        )
        Image.fromarray(render(sample)).save(out / sample.file, **keywords)
    with open(out / "expected.csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "camera", "text", "code"))
        rows.writerows((s.file, s.camera, s.text, s.code) for s in samples)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, metavar="DIR")
    make(parser.parse_args().out)
