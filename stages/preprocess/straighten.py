"""Frame -> Frame, making text upright that the camera sees askew: deskew, perspective."""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import numpy as np
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.preprocess.curvature import fit_skew
from stages.preprocess.geometry import (
    Point,
    RotateOptions,
    Size,
    check_within,
    moved,
    rotate,
    sized,
)
from stages.records import Frame
from stages.transform import for_opencv, projective


class DeskewOptions(Options):
    """How far text may lean, and how the picture is then turned."""

    max_degrees: float = Field(
        20, gt=0, le=45, description="text leaning further than this, either way, is not looked for"
    )
    expand: bool = Field(True, description="grow the picture to hold all of the turned one")
    fill: int = Field(255, ge=0, le=255, description="grey value of what lay outside: 255 white")


def deskew(frame: Frame, options: DeskewOptions) -> Frame:
    """Turn the picture so that its lines of text lie level; one without text stays as it is.

    The angle is the one at which the projection profile is sharpest (Postl 1986), within 0.4
    degrees of the true one on the sample pictures. Crop first: whatever stands out is taken for
    text.

    Raises:
        ImageError: the result would be larger than 500 megapixels.
    """
    degrees = fit_skew(frame.pixels, options.max_degrees)
    if degrees is None:
        return frame
    turn = RotateOptions(degrees=degrees, expand=options.expand, fill=options.fill)
    return rotate(frame, turn)


def size_of_deskew(options: DeskewOptions, size: Size) -> Size:
    """The size of what `deskew` makes of a picture of that size."""
    return (None, None) if options.expand else size


def _check_round(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    points = np.array(corners)
    sides = np.roll(points, -1, axis=0) - points
    following = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    if turns.min() <= 0:
        raise PydanticCustomError(
            "corners_round",
            "give the four corners clockwise from the text's top left, [x, y] each, with none "
            "inside the triangle or on the line of others",
        )
    return corners


Corners = Annotated[tuple[Point, Point, Point, Point], AfterValidator(_check_round)]
"""Four corners [x, y] in pixels, clockwise from the text's top left."""


class PerspectiveOptions(Options):
    """Which four-cornered part is to become a rectangle, and how large."""

    corners_px: Corners = Field(
        description="the part's corners, [x, y] each, clockwise from the text's top left"
    )
    width_px: int | None = Field(
        None, ge=1, le=32_000, description="width of the result; null for the part's longer side"
    )
    height_px: int | None = Field(
        None, ge=1, le=32_000, description="height of the result; null for the part's longer side"
    )


def perspective(frame: Frame, options: PerspectiveOptions) -> Frame:
    """Straighten a part that the camera sees at an angle; the result holds that part alone.

    Bicubic, by the homography of the four corners (`cv2.getPerspectiveTransform`).

    Raises:
        ImageError: a corner lies outside the picture, or the result would be too large.
    """
    height, width = frame.pixels.shape[:2]
    new_width, new_height = size_of_perspective(options, (width, height))
    target = [[0, 0], [new_width, 0], [new_width, new_height], [0, new_height]]
    step = projective(
        cv2.getPerspectiveTransform(np.float32(options.corners_px), np.float32(target))
    )
    pixels = cv2.warpPerspective(
        frame.pixels,
        for_opencv(step),
        (new_width, new_height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return moved(frame, pixels, step)


def size_of_perspective(options: PerspectiveOptions, size: Size) -> Size:
    """The size of what `perspective` makes of a picture of that size.

    Raises:
        ImageError: a corner is known to lie outside, or the result would be too large.
    """
    check_within(options.corners_px, size)
    one, two, three, four = options.corners_px
    across = max(math.dist(one, two), math.dist(four, three))
    down = max(math.dist(one, four), math.dist(two, three))
    return sized(
        options.width_px or max(1, round(across)), options.height_px or max(1, round(down))
    )
