"""Frame -> Frame, changing grey values pixel by pixel: contrast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageEnhance
from pydantic import Field

from stages.options import Options
from stages.records import Frame


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
