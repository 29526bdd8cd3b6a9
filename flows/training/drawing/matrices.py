"""Dot matrices: which dots of a coarse grid make a character.

In: a face, the single-stroke alphabet or the classic 5x7 set. Out: `Matrix`; a `MatrixPool` keeps
some of all that are possible, drawn when first wanted.
"""

from __future__ import annotations

import functools
import itertools
import string
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageFont

from flows.training.drawing.lines import CAP
from flows.training.drawing.strokes import Alphabet
from flows.training.material.families import Kind
from flows.training.material.fonts import Face, FaceSet

_TRIAL_SIZE = 64
_FULLEST = 0.62
_TRIES = 8
_POOLED = 160
_KINDS = (Kind.SANS, Kind.CONDENSED, Kind.MONO, Kind.TECHNICAL, Kind.DRAFTING, Kind.PIXEL)

_5X7 = """
0:3E5149453E 1:00427F4000 2:4261514946 3:2141454B31 4:1814127F10 5:2745454539 6:3C4A494930
7:0171090503 8:3649494936 9:064949291E A:7E1111117E B:7F49494936 C:3E41414122 D:7F4141413E
E:7F49494941 F:7F09090901 G:3E4149497A H:7F0808087F I:00417F4100 J:2040413F01 K:7F08142241
L:7F40404040 M:7F020C027F N:7F0408107F O:3E4141413E P:7F09090906 Q:3E4151215E R:7F09192946
S:4649494931 T:01017F0101 U:3F4040403F V:1F2040201F W:3F4038403F X:6314081463 Y:0708700807
Z:6151494543 -:0808080808 .:0060600000 /:2010080402 (:001C224100 ):0041221C00 +:08083E0808
#:147F147F14 &:3649552250 =:1414141414 ::0036360000 *:2A1C7F1C2A ,:0050300000 %:2313086462
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """Columns and rows (up from the baseline, 0 the lowest) of a character's dots."""

    columns: np.ndarray
    rows: np.ndarray
    width: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """A set of dot characters whose capitals have `rows` rows."""

    rows: int
    cells: Mapping[str, Cell]

    def covers(self, text: str) -> bool:
        return all(character in self.cells for character in text)


def _cell(grid: np.ndarray, lowest: int = 0) -> Cell:
    rows, columns = np.nonzero(grid)
    return Cell(columns, grid.shape[0] - 1 - rows + lowest, grid.shape[1])


def _empty_cell(width: int) -> Cell:
    return Cell(np.zeros(0, int), np.zeros(0, int), max(1, width))


@functools.cache
def classic_matrix() -> Matrix:
    """The 5x7 set of character displays (Hitachi HD44780U data sheet, table 4)."""
    cells = {" ": _empty_cell(5)}
    for entry in _5X7.split():
        columns = np.frombuffer(bytes.fromhex(entry[2:]), np.uint8)
        cells[entry[0]] = _cell((columns[None, :] >> np.arange(7)[:, None]) & 1)
    return Matrix(7, cells)


def face_matrix(face: Face, rows: int) -> Matrix | None:
    """A face's characters as FreeType sets them without grey, capitals `rows` high.

    None when the face cannot be drawn so small that its letters and digits differ.
    """
    try:
        trial = ImageFont.truetype(face.path, _TRIAL_SIZE)
        _, top, _, bottom = trial.getbbox("H", anchor="ls")
        font = ImageFont.truetype(face.path, max(3, round(_TRIAL_SIZE * rows / (bottom - top))))
    except (OSError, ZeroDivisionError):
        return None
    cells = {
        character: _drawn_cell(font, character)
        for character in string.digits + string.ascii_letters + " -./:+&()#,*=%_"
        if character in face.coverage
    }
    capital = cells.get("H")
    if capital is None or not capital.rows.size:
        return None
    if capital.rows.max() != rows - 1 or capital.rows.min() != 0:
        return None
    return _legible(rows, cells)


def _drawn_cell(font: ImageFont.FreeTypeFont, character: str) -> Cell:
    mask, (_, top) = font.getmask2(character, mode="1", anchor="ls")
    if not all(mask.size):
        return _empty_cell(round(font.getlength(character)))
    grid = np.asarray(Image.Image()._new(mask), bool)
    used = np.flatnonzero(grid.any(axis=0))
    if not used.size:
        return _empty_cell(grid.shape[1])
    return _cell(grid[:, used[0] : used[-1] + 1], lowest=-(top + grid.shape[0]))


def stroke_matrix(alphabet: Alphabet, rows: int, columns: int) -> Matrix | None:
    """The single-stroke alphabet, one dot thick, on `rows` x about `columns`; None if illegible."""
    cells = {" ": _empty_cell(columns)}
    pitch = np.array([4 * CAP / 8 / max(columns - 1, 1), CAP / (rows - 1)])
    for character in string.digits + string.ascii_uppercase + "-./:+()#=*":
        paths = [np.rint(path / pitch).astype(np.int32) for path in alphabet.paths(character)]
        width = max(int(path[:, 0].max()) for path in paths) + 1
        grid = np.zeros((rows, width), np.uint8)
        cv2.polylines(grid, [path + np.array([0, rows - 1]) for path in paths], False, 1)
        cells[character] = _cell(grid)
    return _legible(rows, cells)


def _legible(rows: int, cells: Mapping[str, Cell]) -> Matrix | None:
    """The matrix without small letters and signs that look like another character.

    None when two capitals or digits differ in fewer than two dots (O and 0: are the same), or when
    they are so full that dots would close their counters.
    """
    dots = {
        character: frozenset(zip(cell.columns.tolist(), cell.rows.tolist(), strict=True))
        for character, cell in cells.items()
        if cell.rows.size
    }
    strong = [
        character for character in string.digits + string.ascii_uppercase if character in dots
    ]
    filled = [
        len(dots[character]) / (rows * cells[character].width)
        for character in "08BE"
        if character in dots
    ]
    if not filled or np.mean(filled) > _FULLEST:
        return None
    dropped = set()
    for one, other in itertools.combinations(strong, 2):
        apart = len(dots[one] ^ dots[other])
        if apart < 2:
            if {one, other} != {"0", "O"}:
                return None
            dropped.add("O")
    kept = list(strong)
    for character in dots.keys() - set(strong):
        if all(len(dots[character] ^ dots[other]) >= 2 for other in kept):
            kept.append(character)
        else:
            dropped.add(character)
    return Matrix(rows, {key: cell for key, cell in cells.items() if key not in dropped})


class MatrixPool:
    """Matrices of all kinds, the same for the same faces; tall ones have 10 to 16 rows."""

    def __init__(self, faces: FaceSet) -> None:
        self._faces = faces
        self._drawn: dict[tuple[bool, int], Matrix | None] = {}

    def choose(self, rng: np.random.Generator, text: str, tall: bool) -> Matrix | None:
        """A matrix that covers the text; None where there is none."""
        for _ in range(_TRIES):
            key = (tall, int(rng.random() * _POOLED))
            if key not in self._drawn:
                self._drawn[key] = self._draw(*key)
            matrix = self._drawn[key]
            if matrix is not None and matrix.covers(text):
                return matrix
        return classic_matrix() if classic_matrix().covers(text) else None

    def _draw(self, tall: bool, index: int) -> Matrix | None:
        rng = np.random.default_rng((index, tall))
        if index < _POOLED // 6 and not tall:
            return classic_matrix()
        for _ in range(_TRIES):
            rows = int(rng.integers(10, 17) if tall else rng.choice((7, 7, 7, 8, 9, 9)))
            if index < _POOLED // 2:
                alphabet = Alphabet(1.0, int(rng.integers(0, 9)) / 20, rng.random() < 0.4)
                found = stroke_matrix(alphabet, rows, max(4, round(rows * rng.uniform(0.5, 0.85))))
            else:
                face = self._faces.choose(rng, "H08", _KINDS)
                found = None if face is None else face_matrix(face, rows)
            if found is not None:
                return found
        return None
