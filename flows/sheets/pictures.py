"""Pictures on a sheet: reduced or enlarged to fit, with numbered outlines drawn over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from flows.sheets.ink import LINE, PAPER, Colour, font

_MOST_ENLARGED = 8


@dataclass(frozen=True, slots=True)
class Drawn:
    """An outline to draw: (N, 2) corners in the picture's pixels, its label and colour."""

    corners: np.ndarray
    label: str
    colour: Colour


def fitted(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """The (H, W[, 3]) picture as RGB, as large as it fits, at most eight times its size."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0], _MOST_ENLARGED)
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(pixels, size, interpolation=way)
    return np.repeat(resized[..., None], 3, axis=2) if resized.ndim == 2 else resized


def picture(pixels: np.ndarray, width: int, height: int) -> Image.Image:
    """The picture as large as it fits, with a thin edge that shows where a white one ends."""
    sheet = Image.fromarray(fitted(pixels, width, height))
    ImageDraw.Draw(sheet).rectangle((0, 0, sheet.width - 1, sheet.height - 1), None, LINE)
    return sheet


def outlined(
    pixels: np.ndarray,
    size: tuple[int, int],
    outlines: Sequence[Drawn],
    *,
    width: int,
    height: int,
) -> Image.Image:
    """The picture as large as it fits, with outlines in the coordinates of a picture of `size`.

    `pixels` may be reduced already; `size` is (width, height) of what the outlines were found in.
    """
    sheet = picture(pixels, width, height)
    scale = np.array([sheet.width / size[0], sheet.height / size[1]])
    draw = ImageDraw.Draw(sheet)
    places = [[(float(x), float(y)) for x, y in each.corners * scale] for each in outlines]
    for each, points in zip(outlines, places, strict=True):
        closed = [*points, points[0], points[1]]
        draw.line(closed, PAPER, 7, joint="curve")
        draw.line(closed, each.colour, 3, joint="curve")
    letters = font(22)
    for each, points in zip(outlines, places, strict=True):
        if not each.label:
            continue
        half = max(letters.getlength(each.label) / 2 + 7, 15)
        # beside the text's own top left, so that the number hides none of it
        right, down = np.sign(np.subtract(points[0], np.mean(points, axis=0)))
        x = float(np.clip(points[0][0] + right * half, half, sheet.width - half))
        y = float(np.clip(points[0][1] + down * 15, 15, sheet.height - 15))
        box = (x - half, y - 15, x + half, y + 15)
        draw.rounded_rectangle(box, 8, each.colour, PAPER, 2)
        draw.text((x, y), each.label, PAPER, letters, anchor="mm")
    return sheet
