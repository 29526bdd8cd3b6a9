"""Frame -> Frame, laying text out straight that runs round a centre: unroll_arc."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.preprocess.curvature import fit_ring
from stages.preprocess.geometry import Part, Size, refuse
from stages.preprocess.unroll import laid_out, read_for, warpable
from stages.records import Frame
from stages.transform import Polar, Transform, Warp, translation

_ARC = ("centre_px", "inner_radius_px", "outer_radius_px", "start_degrees", "end_degrees")

_LEAST_INSIDE = 0.5

_Anywhere = Annotated[float, Field(ge=-1_000_000, le=1_000_000)]


class UnrollArcOptions(Options):
    """The band of text round a centre, or leave to find it.

    Angles are those of a clock's hand: 0 at 12 o'clock, 90 at 3 o'clock. Text that runs clockwise
    has its top outside, text that runs the other way (an end before its start) its top inside.
    """

    centre_px: tuple[_Anywhere, _Anywhere] | None = Field(
        None, description="the centre, [x, y]; it may lie outside the picture"
    )
    inner_radius_px: float | None = Field(
        None, ge=1, le=1_000_000, description="where the band begins"
    )
    outer_radius_px: float | None = Field(
        None, ge=2, le=1_000_000, description="where the band ends"
    )
    start_degrees: float | None = Field(
        None, ge=-720, le=720, description="where the text begins, clockwise from 12 o'clock"
    )
    end_degrees: float | None = Field(
        None,
        ge=-720,
        le=720,
        description="where the text ends, clockwise from 12 o'clock; before the start for text "
        "that runs anticlockwise",
    )
    fit: bool = Field(False, description="find all of it by the text's curvature: crop first")
    clockwise: bool | None = Field(
        None,
        description="with fit: which way the text runs; null for the way that is upright as the "
        "camera sees it",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [getattr(self, name) is not None for name in _ARC]
        if any(given) == self.fit or (any(given) and not all(given)):
            raise PydanticCustomError(
                "arc_ways", "give either fit: true or all of {names}", {"names": ", ".join(_ARC)}
            )
        if self.fit:
            return self
        if self.clockwise is not None:
            raise PydanticCustomError(
                "arc_side", "clockwise is for fit; start_degrees and end_degrees say it already"
            )
        if self.outer_radius_px - self.inner_radius_px < 1:
            raise PydanticCustomError(
                "arc_radii", "outer_radius_px must be a pixel or more over inner_radius_px"
            )
        if not 0 < abs(self.end_degrees - self.start_degrees) <= 360:
            raise PydanticCustomError(
                "arc_angles", "from start_degrees to end_degrees must be 360 degrees or less, not 0"
            )
        return self


def unroll_arc(frame: Frame, options: UnrollArcOptions, part: Part | None = None) -> Frame:
    """Lay a band round a centre out straight, at its own scale along the middle of the band.

    Raises:
        ImageError: half of the band or more lies outside the picture, or the result would be too
            large.
    """
    height, width = frame.pixels.shape[:2]
    if options.fit:
        found = _fitted(frame.pixels, options.clockwise)
        if found is None or _inside(found, (width, height)) < _LEAST_INSIDE:
            return frame
        options = found
    size = size_of_unroll_arc(options, (width, height))
    return laid_out(frame, size, *_steps(options, size), part=part)


def read_by_unroll_arc(options: UnrollArcOptions, size: Size, part: Part) -> Part:
    """What of a picture of that size is read for a part of the result."""
    if options.fit:
        return 0, 0, *size
    return read_for(part, size, *_steps(options, _size(options)))


def size_of_unroll_arc(options: UnrollArcOptions, size: Size) -> Size:
    """The size of what `unroll_arc` makes of a picture of that size.

    Raises:
        ImageError: half of the band or more is known to lie outside, or the result would be too
            large.
    """
    if options.fit:
        return None, None
    if None not in size and (inside := _inside(options, size)) < _LEAST_INSIDE:
        refuse(f"{1 - inside:.0%} of the arc is", size)
    return _size(options)


def _fitted(pixels: np.ndarray, clockwise: bool | None) -> UnrollArcOptions | None:
    ring = fit_ring(pixels)
    if ring is None:
        return None
    ends = [ring.start_degrees, ring.end_degrees]
    upright = math.cos(math.radians(sum(ends) / 2)) >= 0
    if not (upright if clockwise is None else clockwise):
        ends.reverse()
    values = (ring.centre, ring.inner, ring.outer, *ends)
    return UnrollArcOptions.model_construct(**dict(zip(_ARC, values, strict=True)))


def _inside(options: UnrollArcOptions, size: Size) -> float:
    """Which share of the band lies in a picture of that size."""
    band = _size(options)
    x, y = np.meshgrid(*(np.linspace(0, side, 33) for side in band))
    back = Transform(_steps(options, band))
    found = back.to_original(np.column_stack([x.ravel(), y.ravel()]))
    return float(((found >= 0) & (found <= size)).all(axis=1).mean())


def _size(options: UnrollArcOptions) -> Size:
    turn = math.radians(abs(options.end_degrees - options.start_degrees))
    height = options.outer_radius_px - options.inner_radius_px
    # Rounded down: more than a whole turn, or the centre itself, has no way back.
    return warpable(max(1, int(turn * _radius(options))), max(1, int(height)))


def _steps(options: UnrollArcOptions, size: Size) -> tuple[Warp, ...]:
    middle = (options.start_degrees + options.end_degrees) / 2
    clockwise = options.end_degrees > options.start_degrees
    polar = Polar(*options.centre_px, _radius(options), middle, clockwise)
    return polar, translation(size[0] / 2, size[1] / 2)


def _radius(options: UnrollArcOptions) -> float:
    return (options.inner_radius_px + options.outer_radius_px) / 2
