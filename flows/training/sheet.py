"""Contact sheets: many pictures with their texts on one, to be looked at.

`python -m flows.training.sheet MATERIAL OUT.png` shows what a network is trained on. Look at it
often: what a person cannot read teaches nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from flows.training.camera.photograph import crops
from flows.training.drawing.strips import StripMaker, Style
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import faces
from flows.training.stream import Strips, shoot
from flows.training.wording.texts import Texts
from stages.errors import MarkwatchError

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


def fitted(picture: np.ndarray, width: int = 300, rows: int = 76) -> np.ndarray:
    """A crop enlarged or reduced to at most `width` x `rows`, its aspect kept."""
    scale = min(width / picture.shape[1], rows / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    return cv2.resize(picture, size, interpolation=how)


def photographs(
    material: Path, count: int, severity: float, seed: int, style: Style | None
) -> tuple[list[np.ndarray], list[str]]:
    """`count` crops, (h, w) uint8, and their titles: the text and the style.

    Raises:
        ConfigError: the folder of material holds no faces or no textures.
    """
    rng = np.random.default_rng(seed)
    texts = Texts()
    maker = StripMaker(faces(material).training, texts)
    drawn = [maker.strip(rng, texts.sample(rng), severity, style) for _ in range(count)]
    strips = Strips.of(drawn, np.full(count, severity))
    generator = torch.Generator().manual_seed(seed)
    shots = shoot(strips, Surfaces.load(material, _SURFACES, seed), generator)
    return crops(shots), [f"{strip.text}   {strip.style.name.lower()}" for strip in drawn]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("flows.training.sheet", description=__doc__)
    parser.add_argument("material", type=Path, help="filled by flows.training.material.fetch")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--severity", type=float, default=0.5, help="0 clean .. 1 hard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=96, help="crops")
    parser.add_argument("--columns", type=int, default=4)
    parser.add_argument("--style", choices=[style.name for style in Style], help="only this style")
    given = parser.parse_args(arguments)
    style = Style[given.style] if given.style else None
    try:
        pictures, titles = photographs(
            given.material, given.count, given.severity, given.seed, style
        )
    except MarkwatchError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    whole = sheet([fitted(picture) for picture in pictures], titles, given.columns)
    try:
        Image.fromarray(whole[..., ::-1]).save(given.out)
    except (OSError, ValueError) as error:
        print(f"{given.out} cannot be written: {error}", file=sys.stderr)  # noqa: T201
        return 73
    return 0


_SURFACES = 200

if __name__ == "__main__":
    sys.exit(main())
