"""Contact sheets: many pictures with their texts on one, to be looked at.

`python -m flows.training.drawing.sheet --fonts FOLDER --out PNG` draws strips, as ink over clutter.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from flows.training.drawing.strips import CANVAS, Strip, StripMaker, Style
from flows.training.material.fonts import faces
from flows.training.wording.texts import Texts

_LABEL_ROWS = 14
_GAP = 4
_BACKGROUND = 60


def sheet(pictures: Sequence[np.ndarray], texts: Sequence[str], columns: int = 4) -> np.ndarray:
    """Grey (h, w) or BGR (h, w, 3) uint8 pictures in a grid, each over its text; BGR uint8."""
    cells = [_cell(picture, text) for picture, text in zip(pictures, texts, strict=True)]
    rows = max(cell.shape[0] for cell in cells)
    width = max(cell.shape[1] for cell in cells)
    lines = -(-len(cells) // columns)
    whole = np.full((lines * (rows + _GAP), columns * (width + _GAP), 3), _BACKGROUND, np.uint8)
    for index, cell in enumerate(cells):
        y, x = index // columns * (rows + _GAP), index % columns * (width + _GAP)
        whole[y : y + cell.shape[0], x : x + cell.shape[1]] = cell
    return whole


def _cell(picture: np.ndarray, text: str) -> np.ndarray:
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    cell = np.full((picture.shape[0] + _LABEL_ROWS, picture.shape[1], 3), _BACKGROUND, np.uint8)
    cell[: picture.shape[0]] = picture
    where = (2, picture.shape[0] + _LABEL_ROWS - 4)
    cv2.putText(cell, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (120, 255, 255), 1, cv2.LINE_AA)
    return cell


def natural(
    picture: np.ndarray, aspect: float, rows: int = CANVAS[0], limit: int = 480
) -> np.ndarray:
    """A canvas picture at its crop's aspect, `rows` high, or lower to be `limit` wide at most."""
    width = round(rows * aspect)
    if width > limit:
        width, rows = limit, max(8, round(limit / aspect))
    shrinks = width < picture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (max(1, width), rows), interpolation=how)


def drawn(strip: Strip) -> np.ndarray:
    """A strip as BGR: ink white over clutter in orange, at its natural aspect."""
    ink, around = strip.ink.astype(np.float32) / 255, strip.clutter.astype(np.float32) / 255
    colour = np.zeros((*CANVAS, 3), np.float32)
    colour += around[..., None] * np.array([40, 120, 220], np.float32)
    colour = colour * (1 - ink[..., None]) + 255 * ink[..., None]
    return natural(colour.astype(np.uint8), strip.aspect)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m flows.training.drawing.sheet", description=__doc__
    )
    parser.add_argument("--fonts", type=Path, required=True, help="folder of training material")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write")
    parser.add_argument("--severity", type=float, default=0.5, help="0 clean .. 1 hard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=96, help="strips")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--style", choices=[style.name for style in Style], help="only this style")
    given = parser.parse_args(arguments)
    rng = np.random.default_rng(given.seed)
    texts = Texts()
    maker = StripMaker(faces(given.fonts).training, texts)
    style = Style[given.style] if given.style else None
    strips = [
        maker.strip(rng, texts.sample(rng), given.severity, style) for _ in range(given.count)
    ]
    titles = [f"{strip.text}   {strip.style.name} {strip.aspect:.1f}" for strip in strips]
    cv2.imwrite(str(given.out), sheet([drawn(strip) for strip in strips], titles, given.columns))


if __name__ == "__main__":
    main()
