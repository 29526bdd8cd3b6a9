"""Frame -> Frame, changing grey values and colours pixel by pixel, or by their distribution:
grey, contrast, gamma, clahe, invert.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal, Self

import cv2
import numpy as np
from PIL import Image, ImageEnhance
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from stages.options import Options
from stages.preprocess.surroundings import standing_out
from stages.records import Frame

_Weight = Annotated[float, Field(ge=-4, le=4)]

Channel = Literal["red", "green", "blue", "hue", "saturation", "value", "lightness"]

_CHANNELS: dict[str, tuple[int | None, int]] = {
    "red": (None, 0),
    "green": (None, 1),
    "blue": (None, 2),
    "hue": (cv2.COLOR_RGB2HSV_FULL, 0),
    "saturation": (cv2.COLOR_RGB2HSV_FULL, 1),
    "value": (cv2.COLOR_RGB2HSV_FULL, 2),
    "lightness": (cv2.COLOR_RGB2Lab, 0),
}


class GreyOptions(Options):
    """How a colour becomes a grey value."""

    channel: Channel | None = Field(
        None, description="take this channel: of RGB, of HSV, or the lightness of CIE Lab"
    )
    weights: tuple[_Weight, _Weight, _Weight] | None = Field(
        None,
        description="factors for red, green and blue, which are summed and clipped to 0 to 255; "
        "null for 0.299, 0.587, 0.114 (ITU-R BT.601)",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.channel is not None and self.weights is not None:
            raise PydanticCustomError("grey_ways", "give channel or weights, not both")
        return self


def grey(frame: Frame, options: GreyOptions) -> Frame:
    """Make a grey picture; a grey one is taken as a colour one with equal channels."""
    pixels = frame.pixels
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if options.weights is not None:
        pixels = cv2.transform(pixels, np.array([options.weights]))
    elif options.channel is not None:
        space, index = _CHANNELS[options.channel]
        pixels = pixels if space is None else cv2.cvtColor(pixels, space)
        pixels = np.ascontiguousarray(pixels[..., index])
    else:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return replace(frame, pixels=pixels)


class ContrastOptions(Options):
    """How far to spread the grey values."""

    factor: float = Field(
        ge=0,
        allow_inf_nan=False,
        description="distance from the mean is multiplied by this: 1 unchanged, 0 flat grey",
    )


def contrast(frame: Frame, options: ContrastOptions) -> Frame:
    """Spread the values about the picture's mean grey and clip them to 0 and 255.

    The definition is that of Pillow's `ImageEnhance.Contrast`, bit for bit, so that factors tuned
    with it keep their meaning. The mean is that of the frame at this step: crop first.
    """
    enhanced = ImageEnhance.Contrast(Image.fromarray(frame.pixels)).enhance(options.factor)
    return replace(frame, pixels=np.asarray(enhanced))


class GammaOptions(Options):
    """Which tones to spread."""

    gamma: float = Field(
        ge=0.05, le=20, description="over 1 lightens and spreads the dark tones, under 1 the light"
    )


def gamma(frame: Frame, options: GammaOptions) -> Frame:
    """Raise each value, as a share of 255, to the power of 1 / gamma."""
    table = 255 * (np.arange(256) / 255) ** (1 / options.gamma)
    return replace(frame, pixels=cv2.LUT(frame.pixels, np.rint(table).astype(np.uint8)))


class ClaheOptions(Options):
    """How strongly to equalise, and in parts of which size."""

    clip_limit: float = Field(
        2.0, gt=0, le=255, description="most of the contrast that a flat part may gain"
    )
    tiles: int = Field(
        8, ge=1, le=64, description="parts across and down, each equalised on its own"
    )


def clahe(frame: Frame, options: ClaheOptions) -> Frame:
    """Equalise each part's histogram, within limits (Zuiderveld 1994, `cv2.createCLAHE`).

    Of a colour picture the lightness (CIE Lab) is equalised.
    """
    equaliser = cv2.createCLAHE(options.clip_limit, (options.tiles, options.tiles))
    if frame.pixels.ndim == 2:
        return replace(frame, pixels=equaliser.apply(frame.pixels))
    lab = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2Lab)
    lab[..., 0] = equaliser.apply(np.ascontiguousarray(lab[..., 0]))
    return replace(frame, pixels=cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))


class InvertOptions(Options):
    """Whether to look first."""

    auto: bool = Field(
        False, description="only if the text is lighter than its ground: dark on light comes out"
    )


def invert(frame: Frame, options: InvertOptions) -> Frame:
    """Make light dark and dark light."""
    if options.auto and standing_out(frame.pixels)[1].sum() <= 0:
        return frame
    return replace(frame, pixels=cv2.bitwise_not(frame.pixels))
