"""Frame -> Frame, smoothing or sharpening over a neighbourhood: blur, median, bilateral,
non_local_means, sharpen, brushed_metal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import cv2
import numpy as np
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.preprocess.surroundings import surroundings
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


def reach_of_kernel(options: BlurOptions | MedianOptions) -> int:
    """How far away a pixel may lie that still counts."""
    return options.kernel_px // 2


class MedianOptions(Options):
    """How wide to look."""

    kernel_px: OddPixels = Field(3, description="side of the square neighbourhood, odd")


def median(frame: Frame, options: MedianOptions) -> Frame:
    """Take the middle value of the neighbourhood: specks and hot pixels go, edges stay."""
    return replace(frame, pixels=cv2.medianBlur(frame.pixels, options.kernel_px))


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


class NonLocalMeansOptions(Options):
    """What counts as alike, and how far to look for it."""

    strength: float = Field(
        10, gt=0, le=100, description="about the noise's standard deviation in grey values"
    )
    template_px: OddPixels = Field(7, description="side of the patches that are compared, odd")
    search_px: OddPixels = Field(
        21,
        description="side of the neighbourhood in which they are, odd; time grows with it "
        "squared: seconds for some megapixels, so crop first",
    )


def non_local_means(frame: Frame, options: NonLocalMeansOptions) -> Frame:
    """Average each pixel with those whose surroundings look alike (Buades et al. 2005).

    `cv2.fastNlMeansDenoising`; strokes repeat along themselves, so they stay sharp.
    """
    pixels = cv2.fastNlMeansDenoising(
        frame.pixels, None, options.strength, options.template_px, options.search_px
    )
    return replace(frame, pixels=pixels)


class SharpenOptions(Options):
    """How much, and of what size."""

    amount: float = Field(1.0, gt=0, le=20, description="share of the detail that is added again")
    radius_px: float = Field(
        2.0, gt=0, le=200, description="size of the detail: sigma of the blur that it differs from"
    )


def sharpen(frame: Frame, options: SharpenOptions) -> Frame:
    """Add the difference from a Gaussian blur (unsharp mask)."""
    blurred = cv2.GaussianBlur(frame.pixels, (0, 0), options.radius_px)
    pixels = cv2.addWeighted(frame.pixels, 1 + options.amount, blurred, -options.amount, 0)
    return replace(frame, pixels=pixels)


class BrushedMetalOptions(Options):
    """Which way the streaks run, and what tells them from strokes."""

    degrees: float | None = Field(
        None,
        ge=-180,
        le=180,
        description="direction of the streaks, counter-clockwise from level; null to find it",
    )
    length_px: OddPixels = Field(
        101, description="streaks are longer than this, strokes shorter than half of it; odd"
    )
    max_grey_levels: float = Field(
        20, gt=0, le=255, description="streaks stand out less than this, strokes more"
    )


def brushed_metal(frame: Frame, options: BrushedMetalOptions) -> Frame:
    """Take off the streaks of brushed, ground or turned metal, which run all one way.

    A streak is what stays when the picture less its broad shading is averaged along the streaks'
    direction; what stands out more than a streak has no part in it. The direction, if it is to be
    found, is that of the structure tensor (Bigün and Granlund 1987).
    """
    grey = frame.pixels
    if grey.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
    fine = grey.astype(np.float32) - surroundings(grey, options.length_px)
    plain = (np.abs(fine) <= options.max_grey_levels).astype(np.float32)
    degrees = options.degrees
    if degrees is None:
        degrees = _direction(fine, cv2.erode(plain, np.ones((5, 5), np.uint8)))
    line = _line(options.length_px, degrees)
    sums, counts = (
        cv2.filter2D(each, -1, line, borderType=cv2.BORDER_REFLECT_101)
        for each in (fine * plain, plain)
    )
    # Where hardly any of the line is plain, what is known of the streak counts for little.
    streaks = sums / np.maximum(counts, 0.25)
    if frame.pixels.ndim == 3:
        streaks = streaks[..., None]
    pixels = np.clip(np.rint(frame.pixels - streaks), 0, 255).astype(np.uint8)
    return replace(frame, pixels=pixels)


def _direction(fine: np.ndarray, weights: np.ndarray) -> float:
    """Along it grey values change least, where `weights` count; degrees counter-clockwise."""
    across, down = (cv2.Sobel(fine, cv2.CV_32F, *order) * weights for order in ((1, 0), (0, 1)))
    twice = np.arctan2(2 * (across * down).sum(), (across**2 - down**2).sum())
    return float(90 - np.degrees(twice) / 2)


def _line(length: int, degrees: float) -> np.ndarray:
    """A line through the middle of a square kernel, anti-aliased; it sums to 1."""
    kernel, middle = np.zeros((length, length), np.uint8), length // 2
    way = np.array([np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))]) * middle
    ends = [tuple(np.rint(16 * (middle + side * way)).astype(int).tolist()) for side in (-1, 1)]
    cv2.line(kernel, *ends, 255, 1, cv2.LINE_AA, 4)
    return (kernel / kernel.sum()).astype(np.float32)
