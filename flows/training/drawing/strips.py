"""Strips: the ink of a mark and what stands around it, laid out as a crop would show them.

In: a generator, a text, a severity. Out: `Strip`, coverage on the canvas that every crop is
stretched to. Nothing here knows of light or grey: `marking` makes a picture of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from flows.training.drawing import clutter, housing
from flows.training.drawing.layout import CANVAS, Beside, Crop, Placing, crop_of, page_of, warped
from flows.training.drawing.lettering import FaceWriter
from flows.training.drawing.lines import CAP, Hand, Line, Writer
from flows.training.drawing.sketch import Sketch
from flows.training.drawing.spacing import angle, margins, roomy, side
from flows.training.drawing.styles import Style, choose_style
from flows.training.drawing.writers import Tools
from flows.training.material.families import Kind
from flows.training.material.fonts import FaceSet

__all__ = ["CANVAS", "Strip", "StripMaker", "Style"]

_TRIES = 8


class Texts(Protocol):
    """Where the texts of neighbouring lines come from."""

    def sample(self, rng: np.random.Generator) -> str: ...


@dataclass(frozen=True, slots=True)
class Strip:
    """A line as its crop shows it, stretched to `CANVAS`.

    `ink` and `clutter` are (48, 384) uint8 coverage: what is made as the text is, neighbouring
    lines included, and what is not. `aspect` is the crop's natural width / height, `stroke` the
    strokes' width in canvas rows, `fill` the line's height as a part of the crop's.
    """

    text: str
    ink: np.ndarray
    clutter: np.ndarray
    aspect: float
    stroke: float
    fill: float
    style: Style


class StripMaker:
    """Draws strips with `faces`; the lines beside the text come from `texts`."""

    def __init__(self, faces: FaceSet, texts: Texts) -> None:
        self._tools = Tools(faces)
        self._texts = texts

    def strip(
        self, rng: np.random.Generator, text: str, severity: float, style: Style | None = None
    ) -> Strip:
        """Draw `text`, "" for nothing to read; severity 0 is a clean, centred line, 1 the worst.

        Raises:
            ValueError: no face can draw the text.
        """
        shown = text if text.strip() else self._neighbour(rng)
        style, writer = self._writer(rng, shown, severity, style)
        on_wheels = (
            text.isdigit()
            and len(text) > 1
            and style in _ON_WHEELS
            and isinstance(writer, FaceWriter)
            and rng.random() < 0.2
        )
        if on_wheels:
            hand = Hand(spacing=rng.uniform(0.2, 0.6), monospaced=True, jitter_y=0.04 * severity)
            writer = replace(writer, hand=hand)
        line = writer.write(rng, text) if text.strip() else _nothing(rng)
        often = _HOUSED_PLATE if style is Style.PLATE else _HOUSED
        housed = rng.random() < often * min(1.0, 3 * severity)
        placing, beside = self._laid_out(rng, line, writer, style, severity, bool(text.strip()))
        if housed:
            placing, beside = roomy(rng, placing), Beside()
        crop = crop_of(line, placing)
        page, origin = page_of(line, beside)
        ink = warped(page, origin, crop.ink)
        if not text.strip() and rng.random() < 0.35:
            stain = Sketch(crop.natural)
            clutter.smear(stain, crop, rng)
            ink = np.maximum(ink, stain.picture)
        if rng.random() < 0.08 * severity and style in _STRUCK_TWICE:
            ink = _struck_twice(rng, ink, crop)
        around = self._around(rng, line, crop, style, severity if text.strip() else 1.0, housed)
        if style is Style.PLATE and " " in text.strip():
            around = np.maximum(around, _sealed(rng, text, line, crop))
        if on_wheels:
            drum = Sketch(crop.ink)
            clutter.wheels(drum, line.picture.shape[0], line.gaps, rng)
            around = np.maximum(around, drum.picture)
        stroke = max(0.5, line.stroke * crop.scale)
        return Strip(text, ink, around, crop.aspect, stroke, crop.fill, style)

    def _writer(
        self, rng: np.random.Generator, text: str, severity: float, style: Style | None
    ) -> tuple[Style, Writer]:
        for _ in range(_TRIES):
            chosen = choose_style(rng, text) if style is None else style
            writer = self._tools.writer(rng, chosen, text, severity)
            if writer is not None:
                return chosen, writer
        writer = self._tools.writer(rng, Style.PRINT, text, severity)
        if writer is None:
            raise ValueError(f"no face draws {text!r}")
        return Style.PRINT, writer

    def _neighbour(self, rng: np.random.Generator) -> str:
        for _ in range(_TRIES):
            text = self._texts.sample(rng).strip()
            if text:
                return text
        return "8"

    def _other(self, rng: np.random.Generator, writer: Writer) -> Line:
        """Another line of the same hand."""
        for _ in range(_TRIES):
            text = self._neighbour(rng)
            if writer.covers(text):
                return writer.write(rng, text)
        return writer.write(rng, "".join(map(str, rng.integers(0, 10, 6))))

    def _laid_out(
        self,
        rng: np.random.Generator,
        line: Line,
        writer: Writer,
        style: Style,
        severity: float,
        is_read: bool,
    ) -> tuple[Placing, Beside]:
        height, width = line.picture.shape
        top, bottom = margins(rng, severity, style)
        left, right = side(rng, severity, style), side(rng, severity, style)
        above = below = None
        gaps = [0, 0, 0, 0]
        crowded = rng.random() < (0.5 * severity if is_read else 0.5)
        if crowded and style is not Style.PLATE:
            which = rng.random()
            if which < 0.65:
                above, gaps[0], top = self._intruding(
                    rng, writer, height, 0.38 if is_read else 0.25
                )
            if which > 0.35:
                below, gaps[1], bottom = self._intruding(
                    rng, writer, height, 0.38 if is_read else 0.25
                )
        to_left = to_right = None
        if is_read and rng.random() < 0.05 * severity:
            apart, shown = rng.uniform(1.1, 1.5), rng.uniform(0.04, 0.1)
            scrap = self._other(rng, writer)
            if rng.random() < 0.5:
                to_left, gaps[2], left = scrap, int(apart * height), apart + shown
            else:
                to_right, gaps[3], right = scrap, int(apart * height), apart + shown
        shifts = (
            int(rng.uniform(-0.6, 0.3) * width) if rng.random() < 0.5 else 0,
            int(rng.uniform(-0.6, 0.3) * width) if rng.random() < 0.5 else 0,
        )
        stretch = float(np.exp(rng.normal(0, 0.05 + 0.15 * severity)))
        shear = 0.0
        if rng.random() < 0.3 * severity + (0.3 if style is Style.SEGMENTS else 0.0):
            shear = float(np.tan(np.radians(rng.uniform(-15, 15))))
        placing = Placing(
            top=top,
            bottom=bottom,
            left=left,
            right=right,
            angle=angle(rng, severity, width / height) * (0.2 if top + bottom < 0 else 1.0),
            shear=abs(shear) if style is Style.SEGMENTS else shear,
            stretch=min(max(stretch, 0.6), 1.6),
            room=above is not None or below is not None,
        )
        beside = Beside(above, below, to_left, to_right, tuple(gaps), shifts)
        return placing, beside

    def _intruding(
        self, rng: np.random.Generator, writer: Writer, height: int, most: float
    ) -> tuple[Line, int, float]:
        """A line beyond a gap, and the margin with which the crop shows at most `most` of it."""
        other = self._other(rng, writer)
        gap = rng.uniform(0.12, 0.4)
        shown = 0.03 + (most - 0.03) * rng.random() ** 2
        return other, int(gap * height), gap + shown

    def _around(
        self,
        rng: np.random.Generator,
        line: Line,
        crop: Crop,
        style: Style,
        severity: float,
        housed: bool,
    ) -> np.ndarray:
        sketch = Sketch(crop.natural)
        if housed:
            housing.housing(sketch, crop, rng)
            if rng.random() < 0.6:
                self._caption(rng, sketch, crop)
        elif style is Style.PLATE:
            if rng.random() < 0.4 + 0.6 * severity:
                housing.plate(sketch, crop, rng)
                if rng.random() < 0.5:
                    self._caption(rng, sketch, crop)
        elif style in _ON_PARTS:
            if rng.random() < 0.35 * severity:
                clutter.hardware(sketch, crop, rng)
        elif rng.random() < 0.1 + 0.35 * severity:
            clutter.label(sketch, crop, rng)
        if not housed and style is not Style.PLATE and crop.fill < _LOOSE and rng.random() < 0.4:
            housing.beyond(sketch, crop, rng)
        if line.under is not None:
            unlit = warped(line.under, (0, 0), crop.ink)
            faint = (unlit * rng.uniform(0.15, 0.45)).astype(np.uint8)
            sketch.picture = np.maximum(sketch.picture, faint)
        return sketch.picture

    def _caption(self, rng: np.random.Generator, sketch: Sketch, crop: Crop) -> None:
        """Small print over the line, as a plate's state."""
        text = "".join(chr(65 + letter) for letter in rng.integers(0, 26, int(rng.integers(6, 20))))
        writer = self._tools.face_writer(rng, text, (Kind.SANS,), Hand(spacing=rng.uniform(0, 0.2)))
        if writer is None:
            return
        line = writer.write(rng, text)
        width, height = crop.size
        size = rng.uniform(0.12, 0.26) * height / CAP
        gap = rng.uniform(0.06, 0.15) * height
        x = rng.uniform(0.3, 0.7) * width - size * line.picture.shape[1] / 2
        y = -gap - size * line.picture.shape[0] if rng.random() < 0.8 else height + gap
        place = np.array([[size, 0, x], [0, size, y], [0, 0, 1]])
        matrix = (np.vstack((crop.natural, (0, 0, 1))) @ place)[:2]
        # light on a dark ground, dark on a light frame
        sketch.picture = cv2.absdiff(sketch.picture, warped(line.picture, (0, 0), matrix))


_HOUSED, _HOUSED_PLATE = 0.18, 0.6
"""Share of lines whose crop shows the panel, its frame and what lies behind."""

_LOOSE = 0.62
"""Height of the line in its crop, as a part, under which the end of its panel may be seen."""

_STRUCK_TWICE = (Style.STAMPED, Style.RECEIPT, Style.DOTS_PEEN, Style.DOTS_INKJET, Style.PRINT)
_ON_WHEELS = (Style.PRINT, Style.EMBOSSED, Style.CHIP)
_ON_PARTS = (
    Style.LASER,
    Style.ENGRAVED,
    Style.EMBOSSED,
    Style.STAMPED,
    Style.STENCIL,
    Style.DOTS_PEEN,
    Style.CHIP,
)


def _nothing(rng: np.random.Generator) -> Line:
    width = int(CAP * np.exp(rng.uniform(0.0, 2.4)))
    return Line(np.zeros((CAP, width), np.uint8), CAP, 4.0, np.zeros(0))


def _sealed(rng: np.random.Generator, text: str, line: Line, crop: Crop) -> np.ndarray:
    """A seal in one of the blanks of the line, where there is room for one."""
    sketch = Sketch(crop.ink)
    blank = text.strip().find(" ")
    if 0 < blank < len(line.gaps) and rng.random() < 0.5:
        before, after = line.gaps[blank - 1 : blank + 1]
        room = min(after - before, CAP)
        housing.seal(sketch, (before + after) / 2, line.baseline - CAP / 2, room, rng)
    return sketch.picture


def _struck_twice(rng: np.random.Generator, ink: np.ndarray, crop: Crop) -> np.ndarray:
    """The ink with a second, weaker pass a little beside it."""
    away = rng.uniform(-0.08, 0.08, 2) * CAP * crop.scale
    squeeze = CANVAS[1] / CANVAS[0] / crop.aspect
    matrix = np.array([[1, 0, away[0] * squeeze], [0, 1, away[1]]])
    moved = cv2.warpAffine(ink, matrix, CANVAS[::-1], flags=cv2.INTER_LINEAR)
    return np.maximum(ink, (moved * rng.uniform(0.25, 0.7)).astype(np.uint8))
