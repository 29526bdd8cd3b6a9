"""Frame -> Frame, moving pixels: crop, rotate, resize.

Each appends to the frame's transform the very map by which it moved the pixels, so a box found
later lands on the original picture. Sizes and boxes are in the pixels of the frame at that step.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated, Self

import cv2
import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from stages.errors import ImageError
from stages.options import Options
from stages.records import Frame
from stages.transform import Projective, for_opencv, projective, scaling, translation

_MAX_MEGAPIXELS = 500
"""Of a result: a slip in a recipe, or many steps that grow, must not take a worker's memory."""

_MARGINS = ("left_px", "top_px", "right_px", "bottom_px")


def _check_corners(box: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if box and (box[0] >= box[2] or box[1] >= box[3]):
        raise PydanticCustomError(
            "empty_box", "give [x1, y1, x2, y2] with x1 left of x2 and y1 above y2"
        )
    return box


_Pixel = Annotated[int, Field(ge=0)]
_Fraction = Annotated[float, Field(ge=0, le=1)]
_PixelBox = Annotated[tuple[_Pixel, _Pixel, _Pixel, _Pixel] | None, AfterValidator(_check_corners)]
_FractionBox = Annotated[
    tuple[_Fraction, _Fraction, _Fraction, _Fraction] | None, AfterValidator(_check_corners)
]


class CropOptions(Options):
    """What to keep: margins to cut off, or a box in pixels, or a box in fractions."""

    left_px: int = Field(0, ge=0, description="columns to cut off at the left")
    top_px: int = Field(0, ge=0, description="rows to cut off at the top")
    right_px: int = Field(0, ge=0, description="columns to cut off at the right")
    bottom_px: int = Field(0, ge=0, description="rows to cut off at the bottom")
    box_px: _PixelBox = Field(
        None, description="the part to keep: x1, y1, x2, y2, as `cord` is written"
    )
    box_fraction: _FractionBox = Field(
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
    if options.box_fraction:
        fx1, fy1, fx2, fy2 = options.box_fraction
        # Outwards to whole pixels, so never empty; the rounding forgives 0.7 * 10 > 7.
        x1, y1 = math.floor(round(fx1 * width, 6)), math.floor(round(fy1 * height, 6))
        x2, y2 = math.ceil(round(fx2 * width, 6)), math.ceil(round(fy2 * height, 6))
    elif options.box_px:
        x1, y1, x2, y2 = options.box_px
    else:
        x1, y1 = options.left_px, options.top_px
        x2, y2 = width - options.right_px, height - options.bottom_px
    if x1 >= x2 or y1 >= y2 or x2 > width or y2 > height:
        raise ImageError(
            f"the part x {x1} to {x2}, y {y1} to {y2} is not inside this picture of "
            f"{width} x {height} pixels: correct the recipe, or the camera's resolution"
        )
    pixels = frame.pixels[y1:y2, x1:x2].copy()
    return _moved(frame, pixels, translation(-x1, -y1))


class RotateOptions(Options):
    """By how much to turn, and what to put into the corners that come into view."""

    degrees: float = Field(ge=-360, le=360, description="angle, counter-clockwise as seen")
    expand: bool = Field(True, description="grow the picture to hold all of the turned one")
    fill: int = Field(255, ge=0, le=255, description="grey value of what lay outside: 255 white")


def rotate(frame: Frame, options: RotateOptions) -> Frame:
    """Turn the picture about its centre, counter-clockwise like Pillow's `Image.rotate`.

    Multiples of 90 degrees are exact; other angles are interpolated bilinearly.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    height, width = frame.pixels.shape[:2]
    angle = math.radians(options.degrees)
    # Rounded, so that a right angle has a cosine of 0 and not of 6e-17.
    cos, sin = round(math.cos(angle), 15), round(math.sin(angle), 15)
    new_width, new_height = width, height
    if options.expand:
        new_width = math.ceil(round(abs(width * cos) + abs(height * sin), 6))
        new_height = math.ceil(round(abs(width * sin) + abs(height * cos), 6))
    _check_size(new_width, new_height)
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = np.array([new_width, new_height]) / 2 - turn @ (np.array([width, height]) / 2)
    step = projective(np.column_stack([turn, shift]))
    pixels = cv2.warpAffine(
        frame.pixels,
        for_opencv(step)[:2],
        (new_width, new_height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(options.fill,) * 3,
    )
    return _moved(frame, pixels, step)


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
    if options.scale is not None:
        new_width, new_height = width * options.scale, height * options.scale
    else:
        new_width = options.width_px or width * options.height_px / height
        new_height = options.height_px or height * options.width_px / width
    new_width, new_height = max(1, round(new_width)), max(1, round(new_height))
    _check_size(new_width, new_height)
    # INTER_AREA only averages when neither side grows, so each side shrinks before any grows.
    pixels = cv2.resize(
        frame.pixels,
        (min(width, new_width), min(height, new_height)),
        interpolation=cv2.INTER_AREA,
    )
    pixels = cv2.resize(pixels, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    return _moved(frame, pixels, scaling(new_width / width, new_height / height))


def _check_size(width: int, height: int) -> None:
    if width * height > _MAX_MEGAPIXELS * 1e6:
        raise ImageError(
            f"the result would have {width} x {height} pixels, more than {_MAX_MEGAPIXELS} "
            "megapixels: crop first, or choose a smaller size"
        )


def _moved(frame: Frame, pixels: np.ndarray, step: Projective) -> Frame:
    return replace(frame, pixels=pixels, transform=frame.transform.then(step))
