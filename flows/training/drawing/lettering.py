"""Lines drawn with a typeface, from glyphs that are drawn once and kept.

In: text and a `FaceWriter`. Out: `Line`.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFont

from flows.training.drawing.lines import CAP, HEADROOM, Hand, Line, line_of
from flows.training.material.fonts import Face

_TRIAL_SIZE = 64
_BITMAP_SIZES = range(5, 41)
_LARGEST_TURN_UNSEEN_DEG = 1.2


@dataclass(frozen=True, slots=True)
class Glyph:
    """A character's picture; (`left`, `top`) is its corner as seen from its origin."""

    picture: np.ndarray
    left: int
    top: int
    advance: float


class Atlas:
    """The glyphs of one face at a cap height of `CAP`, drawn once.

    Raises OSError when FreeType cannot read the file or cannot draw a capital with it.
    """

    def __init__(self, face: Face) -> None:
        self._path = face.path
        self.coverage = face.coverage
        self._glyphs: dict[str, Glyph] = {}
        font, self._scale = _font_at_cap(face.path)
        for character in string.digits + string.ascii_letters + " -./:+&()#":
            self._glyphs[character] = self._draw(font, character)
        self.stroke = _stroke_width([self._glyphs[character].picture for character in "HE0L7"])

    def glyph(self, character: str) -> Glyph:
        if character not in self._glyphs:
            font, _ = _font_at_cap(self._path)
            self._glyphs[character] = self._draw(font, character)
        return self._glyphs[character]

    def _draw(self, font: ImageFont.FreeTypeFont, character: str) -> Glyph:
        left, top, right, bottom = font.getbbox(character, anchor="ls")
        advance = font.getlength(character) * self._scale
        if right <= left or bottom <= top:
            return Glyph(np.zeros((0, 0), np.uint8), 0, 0, advance)
        mask, _ = font.getmask2(character, mode="L", anchor="ls")
        picture = np.asarray(Image.Image()._new(mask), np.uint8).copy()
        if self._scale != 1.0:
            size = np.maximum(np.rint(np.array(picture.shape[::-1]) * self._scale), 1).astype(int)
            picture = cv2.resize(picture, size.tolist(), interpolation=cv2.INTER_LINEAR)
        return Glyph(picture, round(left * self._scale), round(top * self._scale), advance)


def _font_at_cap(path: Path) -> tuple[ImageFont.FreeTypeFont, float]:
    """The font whose capitals have `CAP` rows, and by how much to enlarge its pictures.

    Bitmap faces have sizes of their own: the first that FreeType accepts is taken and enlarged.
    """
    try:
        trial = ImageFont.truetype(path, _TRIAL_SIZE)
    except OSError:
        trial = None
    if trial is not None:
        height = _cap_height(trial)
        return ImageFont.truetype(path, max(8, round(_TRIAL_SIZE * CAP / height))), 1.0
    for size in _BITMAP_SIZES:
        try:
            font = ImageFont.truetype(path, size)
            return font, CAP / _cap_height(font)
        except OSError:
            continue
    raise OSError(f"no size of {path.name} can be drawn")


def _cap_height(font: ImageFont.FreeTypeFont) -> float:
    for character in "H0":
        _, top, _, bottom = font.getbbox(character, anchor="ls")
        if bottom - top > 2:
            return bottom - top
    raise OSError("the face draws no capitals")


def _stroke_width(pictures: list[np.ndarray]) -> float:
    """Twice the mean distance of ridge points to the background, in pixels."""
    widths = []
    for picture in pictures:
        solid = cv2.copyMakeBorder(
            (picture > 127).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT
        )
        depth = cv2.distanceTransform(solid, cv2.DIST_L2, 5)
        ridge = depth[(depth > 0) & (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8)))]
        if ridge.size:
            widths.append(2 * float(ridge.mean()))
    return float(np.median(widths)) if widths else 2.0


@dataclass(frozen=True, slots=True)
class FaceWriter:
    """Writes with a face; `weight` in pixels is added to the stroke (negative: taken away).

    `bridged` leaves a stencil's bars in closed letters, `outlined` draws only the edge.
    """

    atlas: Atlas
    hand: Hand
    weight: float = 0.0
    bridged: bool = False
    outlined: bool = False

    def covers(self, text: str) -> bool:
        return self.atlas.coverage.issuperset(text)

    def write(self, rng: np.random.Generator, text: str) -> Line:
        glyphs = [self.atlas.glyph(character) for character in text]
        places = self.hand.place(rng, text, np.array([glyph.advance for glyph in glyphs]))
        baseline = HEADROOM + CAP
        page = np.zeros((HEADROOM + CAP + HEADROOM, int(places.length) + 2 * HEADROOM), np.uint8)
        for index, glyph in enumerate(glyphs):
            if not glyph.picture.size:
                continue
            picture, left, top = glyph.picture, glyph.left, glyph.top
            if self.bridged and text[index] in _CLOSED:
                picture = _with_bridge(picture)
            angle, size = places.angle[index], places.size[index]
            if abs(angle) > _LARGEST_TURN_UNSEEN_DEG or abs(size - 1) > 0.02:
                picture, left, top = _turned(picture, left, top, angle, size)
            _lay(
                page,
                picture,
                HEADROOM + left + round(places.x[index]),
                baseline + top + round(places.y[index]),
            )
        page, stroke = weighted(page, self.atlas.stroke, self.weight)
        if self.outlined:
            page = cv2.subtract(cv2.dilate(page, _DISCS[5]), page)
            stroke = 2.0
        return line_of(page, places, stroke)


_CLOSED = frozenset("0468ABDOPQRabdegopq9")
_DISCS = {size: cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (3, 5, 7, 9)}
_HALF = np.ones((2, 2), np.uint8)


def weighted(page: np.ndarray, stroke: float, weight: float) -> tuple[np.ndarray, float]:
    """`page` with its strokes wider by `weight` pixels, and their width; negative takes away."""
    steps = round(weight)
    if not steps:
        return page, stroke
    change = cv2.dilate if steps > 0 else cv2.erode
    if abs(steps) >= 2:
        page = change(page, _DISCS[min(9, 2 * (abs(steps) // 2) + 1)])
    if abs(steps) % 2:
        page = change(page, _HALF)
    return page, max(1.0, stroke + steps)


def _with_bridge(picture: np.ndarray) -> np.ndarray:
    picture = picture.copy()
    middle, half = picture.shape[1] // 2, max(2, round(0.045 * CAP))
    picture[:, middle - half : middle + half] = 0
    return picture


def _turned(
    picture: np.ndarray, left: int, top: int, angle: float, size: float
) -> tuple[np.ndarray, int, int]:
    """`picture` turned about its middle and scaled about its origin on the baseline."""
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, size)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width = int(height * sine + width * cosine) + 2
    new_height = int(height * cosine + width * sine) + 2
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    turned = cv2.warpAffine(picture, matrix, (new_width, new_height), flags=cv2.INTER_LINEAR)
    centre_x, centre_y = (left + width / 2) * size, (top + height / 2) * size
    return turned, round(centre_x - new_width / 2), round(centre_y - new_height / 2)


def _lay(page: np.ndarray, picture: np.ndarray, x: int, y: int) -> None:
    """Unite `picture` with `page` at (x, y), as far as it lies on it."""
    height, width = picture.shape
    top, left = max(0, -y), max(0, -x)
    target = page[y + top : y + height, x + left : x + width]
    rows, columns = target.shape
    if rows and columns:
        np.maximum(target, picture[top : top + rows, left : left + columns], out=target)
