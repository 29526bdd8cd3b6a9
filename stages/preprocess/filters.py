"""Frame -> Frame, smoothing over a neighbourhood: Gaussian blur, bilateral filter."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import cv2
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.records import Frame


def _check_odd(size: int) -> int:
    if size % 2 == 0:
        raise PydanticCustomError(
            "odd_size",
            "{size} has no middle pixel; use an odd number, {below} or {above}",
            {"size": size, "below": max(1, size - 1), "above": size + 1},
        )
    return size


OddPixels = Annotated[int, Field(ge=1, le=999), AfterValidator(_check_odd)]
"""The side of a neighbourhood with a pixel in its middle, so that nothing moves."""


class BlurOptions(Options):
    """How wide to blur."""

    kernel_px: OddPixels = Field(
        5, description="side of the Gaussian kernel, odd; sigma is 0.15 times it, plus 0.35"
    )


def blur(frame: Frame, options: BlurOptions) -> Frame:
    """Blur with a Gaussian; sigma follows from the kernel's size as in `cv2.getGaussianKernel`."""
    size = (options.kernel_px, options.kernel_px)
    return replace(frame, pixels=cv2.GaussianBlur(frame.pixels, size, 0))


class BilateralOptions(Options):
    """What counts as near, in place and in colour."""

    diameter_px: OddPixels = Field(
        9, description="neighbourhood of a pixel, odd; time grows with it squared"
    )
    sigma_colour: float = Field(
        75, gt=0, allow_inf_nan=False, description="difference in grey value that still mixes"
    )
    sigma_space_px: float = Field(
        75, gt=0, allow_inf_nan=False, description="distance that still mixes"
    )


def bilateral(frame: Frame, options: BilateralOptions) -> Frame:
    """Smooth surfaces and keep edges (Tomasi and Manduchi 1998, `cv2.bilateralFilter`)."""
    pixels = cv2.bilateralFilter(
        frame.pixels, options.diameter_px, options.sigma_colour, options.sigma_space_px
    )
    return replace(frame, pixels=pixels)
