"""Frame -> Frame, moving pixels: crop, rotate, resize.

Each appends to the frame's transform the very map by which it moved the pixels, so a box found
later lands on the original picture. Sizes and boxes are in the pixels of the frame at that step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Self

import cv2
import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from stages.errors import ImageError
from stages.options import Options
from stages.records import Frame
from stages.transform import Warp, for_opencv, projective, scaling, translation

_MAX_MEGAPIXELS = 500
"""Of a result: a slip in a recipe, or many steps that grow, must not take a worker's memory."""

Size = tuple[int | None, int | None]
"""Width and height of a picture; None where they are not known before there is one."""

Part = tuple[int, int, int, int]
"""x1, y1, x2, y2 of the part of a result that is looked at later, in whole pixels."""

_TILE_PX = (512, 256)
"""Width and height of what is turned at once: a part of the result is made of whole tiles."""

Coordinate = Annotated[float, Field(ge=0, le=1_000_000)]
Point = tuple[Coordinate, Coordinate]
"""x and y, in pixels of the picture as it is at that step."""

_MARGINS = ("left_px", "top_px", "right_px", "bottom_px")


def _check_corners(box: tuple[float, ...]) -> tuple[float, ...]:
    if box[0] >= box[2] or box[1] >= box[3]:
        raise PydanticCustomError(
            "empty_box", "give [x1, y1, x2, y2] with x1 left of x2 and y1 above y2"
        )
    return box


_Pixel = Annotated[int, Field(ge=0)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
PixelBox = Annotated[tuple[_Pixel, _Pixel, _Pixel, _Pixel], AfterValidator(_check_corners)]
FractionBox = Annotated[
    tuple[_Fraction, _Fraction, _Fraction, _Fraction], AfterValidator(_check_corners)
]
"""x1, y1, x2, y2, in pixels or from 0 to 1 of width and height."""


class CropOptions(Options):
    """What to keep: margins to cut off, or a box in pixels, or a box in fractions."""

    left_px: int = Field(0, ge=0, description="columns to cut off at the left")
    top_px: int = Field(0, ge=0, description="rows to cut off at the top")
    right_px: int = Field(0, ge=0, description="columns to cut off at the right")
    bottom_px: int = Field(0, ge=0, description="rows to cut off at the bottom")
    box_px: PixelBox | None = Field(
        None, description="the part to keep: x1, y1, x2, y2, as `cord` is written"
    )
    box_fraction: FractionBox | None = Field(
        None, description="the part to keep: x1, y1, x2, y2 from 0 to 1 of width and height"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        margins = any(getattr(self, margin) for margin in _MARGINS)
        ways = margins + (self.box_px is not None) + (self.box_fraction is not None)
        if ways > 1 or not self.model_fields_set:
            raise PydanticCustomError(
                "crop_ways",
                "give margins ({margins}), or box_px, or box_fraction: exactly one of the three",
                {"margins": ", ".join(_MARGINS)},
            )
        return self


def crop(frame: Frame, options: CropOptions) -> Frame:
    """Keep a part of the picture.

    Raises:
        ImageError: the part reaches outside the picture, or the margins leave nothing.
    """
    height, width = frame.pixels.shape[:2]
    (x1, x2), (y1, y2) = _kept(options, (width, height))
    pixels = frame.pixels[y1:y2, x1:x2]
    return moved(frame, pixels, translation(-x1, -y1))


def size_of_crop(options: CropOptions, size: Size) -> Size:
    """The size of what `crop` keeps of a picture of that size.

    Raises:
        ImageError: it is known that the part reaches outside.
    """
    (x1, x2), (y1, y2) = _kept(options, size)
    return x2 and x2 - x1, y2 and y2 - y1


def read_by_crop(options: CropOptions, size: Size, part: Part) -> Part:
    """What of a picture of that size is kept in a part of the result."""
    (left, _), (top, _) = _kept(options, size)
    x1, y1, x2, y2 = part
    return x1 + left, y1 + top, x2 + left, y2 + top


def _kept(options: CropOptions, size: Size) -> tuple[tuple[int, int | None], ...]:
    """x1, x2 and y1, y2; an end that depends on an unknown size is None."""
    if options.box_px:
        x1, y1, x2, y2 = options.box_px
        spans = ((x1, x2), (y1, y2))
    elif options.box_fraction:
        x1, y1, x2, y2 = options.box_fraction
        spans = tuple(
            (0, None) if length is None else _outwards(*ends, length)
            for ends, length in zip(((x1, x2), (y1, y2)), size, strict=True)
        )
    else:
        ends = ((options.left_px, options.right_px), (options.top_px, options.bottom_px))
        spans = tuple(
            (near, None if length is None else length - far)
            for (near, far), length in zip(ends, size, strict=True)
        )
    for (begin, end), length in zip(spans, size, strict=True):
        if end is not None and (begin >= end or end > (length or end)):
            (x1, x2), (y1, y2) = (tuple("?" if n is None else n for n in ends) for ends in spans)
            refuse(f"the part x {x1} to {x2}, y {y1} to {y2} is", size)
    return spans


def _outwards(begin: float, end: float, length: int) -> tuple[int, int]:
    # To whole pixels, so never empty; the rounding forgives 0.7 * 10 > 7.
    return math.floor(round(begin * length, 6)), math.ceil(round(end * length, 6))


class RotateOptions(Options):
    """By how much to turn, and what to put into the corners that come into view."""

    degrees: float = Field(ge=-360, le=360, description="angle, counter-clockwise as seen")
    expand: bool = Field(True, description="grow the picture to hold all of the turned one")
    fill: int = Field(255, ge=0, le=255, description="grey value of what lay outside: 255 white")


def rotate(frame: Frame, options: RotateOptions, part: Part | None = None) -> Frame:
    """Turn the picture about its centre, counter-clockwise like Pillow's `Image.rotate`.

    Multiples of 90 degrees are exact; other angles are interpolated bilinearly. With a `part` only
    the tiles that hold some of it are worked out, and the rest stays black.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    height, width = frame.pixels.shape[:2]
    cos, sin = _cos_sin(options.degrees)
    new_width, new_height = size_of_rotate(options, (width, height))
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([new_width, new_height]) / 2 - turn @ (np.array([width, height]) / 2)
    step = projective(np.column_stack([turn, shift]))
    # Pages of zeros that nobody writes to cost nothing.
    pixels = np.zeros((new_height, new_width, *frame.pixels.shape[2:]), np.uint8)
    x1, y1, x2, y2 = part or (0, 0, new_width, new_height)
    across, down = _TILE_PX
    for top in range(y1 - y1 % down, y2, down):
        for left in range(x1 - x1 % across, x2, across):
            tile = pixels[top : top + down, left : left + across]
            cv2.warpAffine(
                frame.pixels,
                for_opencv(projective(translation(-left, -top).matrix @ step.matrix))[:2],
                tile.shape[1::-1],
                dst=tile,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(options.fill,) * 3,
            )
    return moved(frame, pixels, step)


def size_of_rotate(options: RotateOptions, size: Size) -> Size:
    """The size of what `rotate` makes of a picture of that size.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    width, height = size
    if not options.expand:
        return size
    if width is None or height is None:
        return None, None
    cos, sin = _cos_sin(options.degrees)
    return sized(
        math.ceil(round(abs(width * cos) + abs(height * sin), 6)),
        math.ceil(round(abs(width * sin) + abs(height * cos), 6)),
    )


def _cos_sin(degrees: float) -> tuple[float, float]:
    # Rounded, so that a right angle has a cosine of 0 and not of 6e-17.
    return tuple(round(each(math.radians(degrees)), 15) for each in (math.cos, math.sin))


class ResizeOptions(Options):
    """The new size: both sides, one side (keeping the aspect ratio), or a factor."""

    width_px: int | None = Field(None, ge=1, le=100_000, description="new width")
    height_px: int | None = Field(None, ge=1, le=100_000, description="new height")
    scale: float | None = Field(
        None, gt=0, le=16, description="factor for both sides: 0.5 halves them"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        sides = self.width_px is not None or self.height_px is not None
        if sides == (self.scale is not None):
            raise PydanticCustomError(
                "resize_ways", "give width_px, height_px or both, or else scale"
            )
        return self


def resize(frame: Frame, options: ResizeOptions) -> Frame:
    """Change the picture's size: averaging where it shrinks, cubic where it grows.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    height, width = frame.pixels.shape[:2]
    new_width, new_height = size_of_resize(options, (width, height))
    # INTER_AREA only averages when neither side grows, so each side shrinks before any grows.
    pixels = cv2.resize(
        frame.pixels,
        (min(width, new_width), min(height, new_height)),
        interpolation=cv2.INTER_AREA,
    )
    pixels = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    return moved(frame, pixels, scaling(new_width / width, new_height / height))


def size_of_resize(options: ResizeOptions, size: Size) -> Size:
    """The size of what `resize` makes of a picture of that size.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    width, height = size
    if options.width_px and options.height_px:
        return sized(options.width_px, options.height_px)
    if width is None or height is None:
        return options.width_px, options.height_px
    scale = options.scale
    if scale is None:
        scale = options.width_px / width if options.width_px else options.height_px / height
    return sized(
        options.width_px or max(1, round(width * scale)),
        options.height_px or max(1, round(height * scale)),
    )


def sized(width: int, height: int) -> Size:
    """A result's size, if it is no slip.

    Raises:
        ImageError: it has more than 500 megapixels.
    """
    if width * height > _MAX_MEGAPIXELS * 1e6:
        raise ImageError(
            f"the result would have {width} x {height} pixels, more than {_MAX_MEGAPIXELS} "
            "megapixels: crop first, or choose a smaller size"
        )
    return width, height


def check_within(points: Sequence[Point], size: Size) -> None:
    """Let points pass that lie in a picture of that size, as far as it is known.

    Raises:
        ImageError: a point is known to lie outside.
    """
    for x, y in points:
        if x > (size[0] or x) or y > (size[1] or y):
            refuse(f"the point [{x:g}, {y:g}] is", size)


def refuse(what: str, size: Size) -> None:
    """Say that something lies outside a picture of that size.

    Raises:
        ImageError: always.
    """
    width, height = ("?" if side is None else side for side in size)
    raise ImageError(
        f"{what} not inside this picture of {width} x {height} pixels: "
        "correct the recipe, or the camera's resolution"
    )


def moved(frame: Frame, pixels: np.ndarray, *steps: Warp) -> Frame:
    """The frame with these pixels, which came to lie where they are by `steps`."""
    transform = frame.transform
    for step in steps:
        transform = transform.then(step)
    return replace(frame, pixels=pixels, transform=transform)
