"""Frame -> Frame, laying text out straight that follows a bent line: unroll_polygon."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.preprocess.curvature import fit_bow
from stages.preprocess.geometry import Part, Point, Size, check_within
from stages.preprocess.unroll import laid_out, read_for, warpable
from stages.records import Frame
from stages.transform import Shift, Warp, translation


def _check_polygon(points: tuple[Point, ...] | None) -> tuple[Point, ...] | None:
    if points is None:
        return None
    if len(points) < 3:
        raise PydanticCustomError(
            "few_points",
            "{count} points are no polygon; give three or more, once round the band of text",
            {"count": len(points)},
        )
    upper, lower = _edges(points)
    for edge in (upper, lower):
        for before, here in pairwise(edge):
            if here[0] <= before[0]:
                raise PydanticCustomError(
                    "turns_back",
                    "the polygon turns back at [{x}, {y}]; from its left end to its right end, "
                    "each edge must only go right",
                    {"x": f"{before[0]:g}", "y": f"{before[1]:g}"},
                )
    thickness = _thickness(upper, lower)
    if thickness.min() < 0:
        raise PydanticCustomError("crosses", "the polygon crosses itself; go round it once")
    if thickness.max() < 1 or upper[-1][0] - upper[0][0] < 1:
        raise PydanticCustomError("flat", "the polygon is less than a pixel wide or high")
    return points


def _edges(points: tuple[Point, ...]) -> tuple[list[Point], list[Point]]:
    """The upper and the lower edge of a polygon, each from its left end to its right end."""
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    first = next(index for index, (x, _) in enumerate(points) if x == left)
    edges = []
    for way in (1, -1):
        walk = [points[(first + way * step) % len(points)] for step in range(len(points))]
        # Of a vertical side at either end only the corner belongs to the edge.
        while len(walk) > 1 and walk[1][0] == left:
            walk.pop(0)
        edges.append(walk[: next(i for i, (x, _) in enumerate(walk) if x == right) + 1])
    one, two = edges
    return (one, two) if _thickness(one, two).sum() >= 0 else (two, one)


def _thickness(upper: list[Point], lower: list[Point]) -> np.ndarray:
    """How far the lower edge lies below the upper one, at every corner of either."""
    xs = sorted({x for x, _ in (*upper, *lower)})
    return np.interp(xs, *np.transpose(lower)) - np.interp(xs, *np.transpose(upper))


class UnrollPolygonOptions(Options):
    """The band of text: its outline, or leave to find it."""

    points_px: Annotated[tuple[Point, ...] | None, AfterValidator(_check_polygon)] = Field(
        None,
        description="outline of the band, [x, y] each, once round it; its upper edge is made level",
    )
    fit: bool = Field(False, description="find the band by the text's curvature: crop first")
    margin_px: int = Field(
        0, ge=0, le=10_000, description="rows of the surroundings to keep above and below the band"
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.fit == (self.points_px is not None):
            raise PydanticCustomError("polygon_ways", "give either points_px or fit: true")
        return self


def unroll_polygon(frame: Frame, options: UnrollPolygonOptions, part: Part | None = None) -> Frame:
    """Move each column up or down so that the upper edge of the band becomes level.

    Columns are moved and not turned, which is exact for text round a cylinder whose axis stands
    upright in the picture. The result is as high as the band at its thickest, plus the margins.

    Raises:
        ImageError: a point lies outside the picture, or the result would be too large.
    """
    height, width = frame.pixels.shape[:2]
    if options.points_px is not None:
        size_of_unroll_polygon(options, (width, height))
        upper, lower = _edges(options.points_px)
    else:
        bow = fit_bow(frame.pixels)
        if bow is None:
            return frame
        upper, lower = (
            list(zip(bow.xs.tolist(), edge.tolist(), strict=True))
            for edge in (bow.upper, bow.lower)
        )
    size = _size(upper, lower, options.margin_px)
    return laid_out(frame, size, *_steps(upper, options.margin_px), part=part)


def read_by_unroll_polygon(options: UnrollPolygonOptions, size: Size, part: Part) -> Part:
    """What of a picture of that size is read for a part of the result."""
    if options.points_px is None:
        return 0, 0, *size
    upper, _ = _edges(options.points_px)
    return read_for(part, size, *_steps(upper, options.margin_px))


def size_of_unroll_polygon(options: UnrollPolygonOptions, size: Size) -> Size:
    """The size of what `unroll_polygon` makes of a picture of that size.

    Raises:
        ImageError: a point is known to lie outside, or the result would be too large.
    """
    if options.points_px is None:
        return None, None
    check_within(options.points_px, size)
    return _size(*_edges(options.points_px), options.margin_px)


def _steps(upper: list[Point], margin: int) -> tuple[Warp, ...]:
    xs, ys = zip(*upper, strict=True)
    return Shift(xs, ys), translation(-math.floor(xs[0]), margin)


def _size(upper: list[Point], lower: list[Point], margin: int) -> Size:
    width = math.ceil(upper[-1][0]) - math.floor(upper[0][0])
    return warpable(width, math.ceil(_thickness(upper, lower).max()) + 2 * margin)
