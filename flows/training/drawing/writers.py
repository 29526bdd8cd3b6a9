"""Writers of each style, with random settings that suit it.

In: a generator, a style, the text, a severity. Out: a `Writer` that draws the text and whatever
else the same tool wrote beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from flows.training.drawing.dots import Dots, MatrixWriter, PeckWriter
from flows.training.drawing.lettering import Atlas, FaceWriter
from flows.training.drawing.lines import Hand, Writer
from flows.training.drawing.matrices import MatrixPool
from flows.training.drawing.segments import Display, SegmentWriter
from flows.training.drawing.strokes import Alphabet, StrokeWriter, covers
from flows.training.drawing.styles import Style
from flows.training.material.families import Kind
from flows.training.material.fonts import Face, FaceSet

_READABLE = (Kind.SANS, Kind.CONDENSED, Kind.MONO, Kind.TECHNICAL, Kind.DRAFTING, Kind.OCR)
_PRINTED = (*_READABLE, Kind.TYPEWRITER, Kind.SLAB, Kind.SERIF, Kind.HAND, Kind.PIXEL)
_CUT = (Kind.SANS, Kind.CONDENSED, Kind.TECHNICAL, Kind.DRAFTING, Kind.MONO)
_THINNEST_PX = 3.0
_THICKEST_PX = 10.0


class Tools:
    """Writers by style, with what they need drawn once and kept: atlases and dot matrices."""

    def __init__(self, faces: FaceSet) -> None:
        self._faces = faces
        self._atlases: dict[Path, Atlas] = {}
        self._matrices = MatrixPool(faces)
        self._builders: dict[Style, Callable[[np.random.Generator, str, float], Writer | None]] = {
            Style.PRINT: self._print,
            Style.LASER: self._laser,
            Style.ENGRAVED: self._engraved,
            Style.EMBOSSED: self._embossed,
            Style.STAMPED: self._stamped,
            Style.STENCIL: self._stencil,
            Style.DOTS_PEEN: self._dots_peen,
            Style.DOTS_INKJET: self._dots_inkjet,
            Style.SEGMENTS: self._segments,
            Style.PLATE: self._plate,
            Style.RECEIPT: self._receipt,
            Style.CHIP: self._chip,
        }

    def writer(
        self, rng: np.random.Generator, style: Style, text: str, severity: float
    ) -> Writer | None:
        """A writer for the text; None when nothing of this style can draw it."""
        return self._builders[style](rng, text, severity)

    def face_writer(
        self, rng: np.random.Generator, text: str, kinds: tuple[Kind, ...], hand: Hand
    ) -> FaceWriter | None:
        """A plain writer with a face of these kinds."""
        face = self._faces.choose(rng, text, kinds)
        return None if face is None else FaceWriter(self._atlas(face), hand)

    def _atlas(self, face: Face) -> Atlas:
        if face.path not in self._atlases:
            self._atlases[face.path] = Atlas(face)
        return self._atlases[face.path]

    def _faced(
        self,
        rng: np.random.Generator,
        text: str,
        kinds: tuple[Kind, ...],
        hand: Hand,
        change: float = 0.25,
        outlined: float = 0.0,
        bridged: float = 0.0,
    ) -> Writer | None:
        """A face of `kinds`, its stroke changed by up to `change` of its width."""
        face = self._faces.choose(rng, text, kinds)
        if face is None:
            return None
        atlas = self._atlas(face)
        weight = rng.uniform(-change, change) * atlas.stroke
        weight = max(min(weight, _THICKEST_PX - atlas.stroke), _THINNEST_PX - atlas.stroke)
        return FaceWriter(
            atlas,
            hand,
            weight,
            bridged=rng.random() < bridged,
            outlined=atlas.stroke > 5 and rng.random() < outlined,
        )

    def _print(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity)
        return self._faced(rng, text, _PRINTED, hand, outlined=0.03)

    def _laser(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity)
        if covers(text) and rng.random() < 0.4:
            return StrokeWriter(
                _alphabet(rng), hand, tip=rng.uniform(2.8, 5.5), gap=rng.uniform(0.15, 0.4)
            )
        return self._faced(rng, text, _READABLE, hand, outlined=0.08)

    def _engraved(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity)
        if covers(text) and rng.random() < 0.6:
            return StrokeWriter(
                _alphabet(rng), hand, tip=rng.uniform(2.8, 7), gap=rng.uniform(0.2, 0.45)
            )
        return self._faced(rng, text, _CUT, hand, change=0.4)

    def _embossed(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        return self._faced(rng, text, _CUT, _hand(rng, severity, wide=0.15), change=0.3)

    def _stamped(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        loose = severity * rng.random()
        hand = Hand(
            spacing=rng.uniform(0.0, 0.4),
            word_space=rng.uniform(0.9, 1.5),
            monospaced=rng.random() < 0.6,
            jitter_x=0.05 * loose,
            jitter_y=0.09 * loose,
            jitter_angle=6.0 * loose,
            jitter_size=0.05 * loose,
            arc=_arc(rng, severity),
        )
        if covers(text) and rng.random() < 0.35:
            return StrokeWriter(
                _alphabet(rng), hand, tip=rng.uniform(3, 7), gap=rng.uniform(0.1, 0.3)
            )
        kinds = (Kind.SANS, Kind.CONDENSED, Kind.DRAFTING, Kind.MONO, Kind.SLAB, Kind.TYPEWRITER)
        return self._faced(rng, text, kinds, hand, change=0.3)

    def _stencil(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity, wide=0.2)
        if rng.random() < 0.5:
            found = self._faced(rng, text, (Kind.STENCIL,), hand, change=0.15)
            if found is not None:
                return found
        kinds = (Kind.SANS, Kind.CONDENSED, Kind.DRAFTING)
        return self._faced(rng, text, kinds, hand, change=0.15, bridged=1.0)

    def _dots_peen(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity * 0.6, wide=0.1)
        dots = Dots(
            diameter=rng.uniform(0.5, 1.25),
            edge=rng.uniform(0.1, 0.6),
            aspect=rng.uniform(0.75, 1.25),
            jitter=0.12 * severity * rng.random(),
            missing=max(0.0, rng.uniform(-0.04, 0.08) * severity),
            unevenness=0.4 * severity * rng.random(),
        )
        if covers(text) and rng.random() < 0.4:
            per_cap = int(rng.integers(7, 19))
            return PeckWriter(
                _alphabet(rng), dots, hand, per_cap=per_cap, gap=rng.uniform(0.2, 0.45)
            )
        matrix = self._matrices.choose(rng, text, rng.random() < 0.15)
        return None if matrix is None else MatrixWriter(matrix, dots, hand, rng.uniform(1, 2.2))

    def _dots_inkjet(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity * 0.5, wide=0.1)
        dots = Dots(
            diameter=rng.uniform(0.7, 1.3),
            edge=rng.uniform(0.1, 0.7),
            aspect=rng.uniform(0.65, 1.4),
            jitter=0.12 * severity * rng.random(),
            drift=rng.uniform(-1.5, 1.5) * severity,
            row_noise=0.15 * severity * rng.random() if rng.random() < 0.4 else 0.0,
            missing=max(0.0, rng.uniform(-0.05, 0.08) * severity),
            satellites=max(0.0, rng.uniform(-0.1, 0.15) * severity),
            unevenness=0.35 * severity * rng.random(),
        )
        matrix = self._matrices.choose(rng, text, rng.random() < 0.3)
        return None if matrix is None else MatrixWriter(matrix, dots, hand, rng.uniform(1, 2.5))

    def _segments(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = Hand(spacing=rng.uniform(0.0, 0.15), monospaced=False, word_space=1.0)
        if not Display(fourteen=True).covers(text):
            return None
        if rng.random() < 0.4:
            found = self._faced(rng, text, (Kind.SEGMENTS,), hand, change=0.1)
            if found is not None:
                return found
        seven = Display(
            fourteen=False,
            width=rng.uniform(0.48, 0.68),
            thickness=rng.uniform(0.08, 0.19),
            gap=rng.uniform(0.0, 0.03),
            pointed=rng.random() < 0.7,
        )
        fourteen = Display(
            fourteen=True,
            width=rng.uniform(0.55, 0.8),
            thickness=rng.uniform(0.07, 0.12),
            gap=rng.uniform(0.0, 0.03),
            pointed=rng.random() < 0.7,
        )
        for display in (seven, fourteen):
            if display.covers(text):
                unlit = rng.random() < 0.15 + 0.4 * severity
                return SegmentWriter(display, hand, rng.uniform(0.15, 0.35), unlit)
        return None

    def _plate(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = Hand(
            spacing=rng.uniform(0.0, 0.15),
            word_space=rng.uniform(0.8, 2.5),
            monospaced=rng.random() < 0.5,
        )
        kinds = (Kind.CONDENSED, Kind.DRAFTING, Kind.SANS, Kind.TECHNICAL, Kind.MONO)
        return self._faced(rng, text, kinds, hand, change=0.3)

    def _receipt(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        if rng.random() < 0.25:
            dots = Dots(
                diameter=rng.uniform(0.9, 1.3),
                edge=rng.uniform(0.3, 0.7),
                aspect=rng.uniform(0.5, 1.1),
                jitter=0.05 * severity,
                missing=0.03 * severity * rng.random(),
                unevenness=0.3 * severity * rng.random(),
            )
            matrix = self._matrices.choose(rng, text, rng.random() < 0.5)
            if matrix is not None:
                return MatrixWriter(matrix, dots, Hand(monospaced=rng.random() < 0.8), 1.0)
        hand = Hand(
            spacing=rng.uniform(-0.03, 0.1),
            monospaced=rng.random() < 0.3,
            wave=0.02 * severity * rng.random(),
        )
        kinds = (Kind.MONO, Kind.PIXEL, Kind.SANS, Kind.CONDENSED, Kind.OCR, Kind.TYPEWRITER)
        return self._faced(rng, text, kinds, hand)

    def _chip(self, rng: np.random.Generator, text: str, severity: float) -> Writer | None:
        hand = _hand(rng, severity * 0.5, wide=0.1)
        if covers(text) and rng.random() < 0.3:
            return StrokeWriter(
                _alphabet(rng), hand, tip=rng.uniform(3, 6), gap=rng.uniform(0.15, 0.35)
            )
        return self._faced(rng, text, (Kind.SANS, Kind.MONO, Kind.OCR, Kind.TECHNICAL), hand)


def _alphabet(rng: np.random.Generator) -> Alphabet:
    """Widths and radii in steps, so that rounded paths can be kept."""
    return Alphabet(
        width=int(rng.integers(12, 22)) / 20,
        radius=int(rng.integers(0, 9)) / 20,
        slashed_zero=rng.random() < 0.25,
    )


def _hand(rng: np.random.Generator, severity: float, wide: float = 0.4) -> Hand:
    """A machine's hand: even, rarely far spaced, sometimes on a slight wave or bow."""
    spacing = rng.uniform(-0.05 * severity, 0.08)
    if rng.random() < 0.2:
        spacing = rng.uniform(0.05, wide)
    return Hand(
        spacing=spacing,
        word_space=rng.uniform(0.8, 1.0 + severity),
        monospaced=rng.random() < 0.2,
        jitter_y=0.015 * severity * rng.random(),
        wave=0.06 * severity * rng.random() if rng.random() < 0.2 else 0.0,
        wave_length=rng.uniform(4, 12),
        arc=_arc(rng, severity),
    )


def _arc(rng: np.random.Generator, severity: float) -> float:
    return 0.25 * severity * rng.uniform(-1, 1) if rng.random() < 0.2 * severity else 0.0
