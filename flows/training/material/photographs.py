"""Photographed surfaces out of games' texture archives: .pk3 -> even, grey pictures of materials.

Games' walls also have bricks, pipes, signs and newspapers; where a mark should be the only thing to
read, these teach nonsense. So paths must name a material, and of each picture the part is kept that
has few strong edges.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

_SURFACE = re.compile(
    r"metal|mtl|rust|steel|iron|tin_|alumin|copper|concrete|cement|crete|plate|panel|wood|wd_"
    r"|plastic|paper|rubber|card|wall|wll|floor|flr|tile|asphalt|paint|stone|leather|cloth|fabric"
)
_NO_SURFACE = re.compile(
    r"_(nm|norm|n|bump|gloss|glow|luma|local|sp|spec|shirt|pants|reflect|blend|alpha|fx\d?)\."
    r"|brick|sign|light|lamp|window|door|grass|flower|lava|water|sky|fence|grate|grill|logo|poster"
    r"|screen|mirror|jump|launch|monitor|switch|button|banner|glass|decal|symbol|arrow|number"
    r"|news|relief|section|_sec\d|wrn|jericho|_pics"
)
_SIDE_PX = 512
_LEAST_SIDE_PX = 128
_JUDGED_SIDE_PX = 256
_LEAST_DEVIATION = 2.5
_MOST_EDGE = 8.5
_ALIKE = 4.0
_THUMBNAIL = (12, 12)


@dataclass(frozen=True, slots=True)
class Photograph:
    """A surface: its path in the archive, and grey levels (rows, columns) uint8."""

    name: str
    pixels: np.ndarray


def is_surface(name: str) -> bool:
    """Whether a picture's path names a material, neither a map for lighting nor a motif."""
    lower = name.lower()
    return bool(
        lower.endswith((".jpg", ".png", ".tga"))
        and _SURFACE.search(lower)
        and not _NO_SURFACE.search(lower)
    )


def photographs(archive: Path) -> Iterator[Photograph]:
    """The even surfaces of a .pk3 (zip) archive, each look once."""
    looks: list[np.ndarray] = []
    with zipfile.ZipFile(archive) as pictures:
        for name in sorted(filter(is_surface, pictures.namelist())):
            grey = _grey(pictures.read(name))
            even = None if grey is None else evenest(grey)
            if even is None:
                continue
            look = _look(even)
            if all(np.abs(look - other).mean() > _ALIKE for other in looks):
                looks.append(look)
                yield Photograph(name, even)


def evenest(grey: np.ndarray) -> np.ndarray | None:
    """The whole, or the quarter with the weakest edges; None where there is no even surface.

    The measure is the 99th percentile of the gradient of the blurred picture in percent of its
    mean level a pixel, at 256 pixels a side. Its limit was set by eye on the two archives in use:
    plaster, sheet, grain and rust lie below it, grooves, tiles, rivets and letters above.
    """
    if edge(grey) <= _MOST_EDGE:
        return grey if grey.std() >= _LEAST_DEVIATION else None
    rows, columns = (side // 2 for side in grey.shape)
    if min(rows, columns) < _LEAST_SIDE_PX:
        return None
    quarters = [
        grey[top : top + rows, left : left + columns]
        for top in (0, rows // 2, rows)
        for left in (0, columns // 2, columns)
    ]
    best = min(
        (each for each in quarters if each.std() >= _LEAST_DEVIATION), key=edge, default=None
    )
    return best if best is not None and edge(best) <= _MOST_EDGE else None


def edge(grey: np.ndarray) -> float:
    """How strong the strongest edges of a picture are; see `evenest`."""
    scale = _JUDGED_SIDE_PX / min(grey.shape)
    picture = cv2.resize(
        grey.astype(np.float32), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    smooth = cv2.GaussianBlur(picture, (0, 0), 2)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    strongest = np.percentile(np.hypot(across, down), 99)
    return float(strongest / max(float(picture.mean()), 20.0) * 100)


def _grey(data: bytes) -> np.ndarray | None:
    """A picture's grey levels, at most `_SIDE_PX`; None if it is small, see-through or broken."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            colour = picture.convert("RGBA")
    except (OSError, UnidentifiedImageError, ValueError):
        return None
    if min(colour.size) < _LEAST_SIDE_PX or colour.getextrema()[3][1] < 200:
        return None
    grey = colour.convert("L")
    grey.thumbnail((_SIDE_PX, _SIDE_PX))
    return np.asarray(grey) if min(grey.size) >= _LEAST_SIDE_PX else None


def _look(grey: np.ndarray) -> np.ndarray:
    """A small picture of even mean and contrast, by which copies in other colours are known."""
    small = cv2.resize(grey, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    return (small - small.mean()) / max(float(small.std()), 1.0) * 20
