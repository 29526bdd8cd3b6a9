"""Which characters a font file truly draws, so that a reader can tell them apart.

A character that looks exactly like another one (`0` and `O` in some faces) counts as drawn for the
first of them in `PRECEDENCE` only, small capitals and old-style figures do not count at all: nobody
could tell from the picture what it should read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from flows.training.wording.texts import ALPHABET

PRECEDENCE = "".join(sorted(ALPHABET, key=lambda char: (not char.isdigit(), char.islower(), char)))
MEASURE = 3
"""To be raised with every change of what this module finds, so that stored findings are redone."""

_SIZE_PX = 40
_SAME = 0.04
_ALIKE = 0.12
_LEAST_FIGURE = 0.87
_BITMAP_SIZES = range(4, 33)


def bitmap_size(path: Path) -> int | None:
    """The first size in pixels at which a font file can be drawn: a bitmap face has only one."""
    for size in _BITMAP_SIZES:
        try:
            ImageFont.truetype(str(path), size)
        except OSError:
            continue
        return size
    return None


def measure_coverage(path: Path) -> frozenset[str]:
    """The characters of `ALPHABET` that a font file draws, and draws unlike those before it.

    The limits on likeness were set by eye on a sheet of all families.

    Raises:
        OSError: the file is not a font that can be opened.
    """
    size = bitmap_size(path) if path.name.endswith(".pcf.gz") else _SIZE_PX
    font = ImageFont.truetype(str(path), size or _SIZE_PX)
    missing = {_shape(font, char) for char in ("\U0010fffd", "\ue123", "\u0378")}
    drawn: dict[str, _Shape] = {}
    for char in PRECEDENCE:
        shape = _shape(font, char)
        if char == " ":
            drawn |= {} if font.getlength(char) < 1 else {char: shape}
        elif shape.pixels and shape not in missing:
            drawn[char] = shape
    apart: dict[str, _Shape] = {}
    for char, shape in drawn.items():
        if char == " " or not any(shape.is_like(other) for other in apart.values()):
            apart[char] = shape
    unreadable = set()
    if _has_small_capitals(drawn, apart):
        unreadable |= {char for char in apart if char.islower()}
    if _has_old_style_figures(drawn):
        unreadable |= {char for char in apart if char.isdigit()}
    return frozenset(apart.keys() - unreadable)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A glyph's box (left, top, right, bottom) and its grey pixels within."""

    box: tuple[int, int, int, int]
    pixels: bytes

    @property
    def size(self) -> tuple[int, int]:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def grey(self) -> np.ndarray:
        return (
            np.frombuffer(self.pixels, np.uint8).reshape(self.size[::-1]).astype(np.float32) / 255
        )

    def is_like(self, other: _Shape) -> bool:
        """Whether a reader could not tell it from the other at the same place on the line."""
        if self.size != other.size or self.box[1] != other.box[1] or not self.pixels:
            return False
        mine, others = self.grey(), other.grey()
        return float(np.abs(mine - others).sum()) < _SAME * float(max(mine.sum(), others.sum()))

    def fit(self, size: int = 24) -> np.ndarray:
        picture = Image.fromarray((self.grey() * 255).astype(np.uint8)).resize((size, size))
        return np.asarray(picture, np.float32) / 255


def _shape(font: ImageFont.FreeTypeFont, char: str) -> _Shape:
    mask, (left, top) = font.getmask2(char, "L")
    width, height = mask.size
    return _Shape((left, top, left + width, top + height), bytes(mask))


def _has_small_capitals(drawn: Mapping[str, _Shape], apart: Collection[str]) -> bool:
    """Whether many small letters are capitals, of the same size or smaller."""
    pairs = [char for char in "abdefghknqrt" if {char, char.upper()} <= drawn.keys()]
    same = sum(char not in apart for char in pairs)
    alike = sum(
        float(np.abs(drawn[char].fit() - drawn[char.upper()].fit()).mean()) < _ALIKE
        for char in pairs
    )
    return same >= 4 or alike >= 6


def _has_old_style_figures(drawn: Mapping[str, _Shape]) -> bool:
    """Whether the zero is as low as a small o, so that alone it reads as one."""
    if not {"0", "H"} <= drawn.keys():
        return False
    return drawn["0"].size[1] < _LEAST_FIGURE * drawn["H"].size[1]
