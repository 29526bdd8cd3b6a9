"""Text to draw pictures with: where ink is, without a soft edge."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def lettering(text: str, shape: tuple[int, int], cap_px: float, bold_px: float = 1.0) -> np.ndarray:
    """An (H, W) mask of `text` in the middle, in Pillow's own typeface."""
    mask = Image.new("1", shape[::-1])
    ImageDraw.Draw(mask).text(
        (shape[1] / 2, shape[0] / 2),
        text,
        1,
        ImageFont.load_default(cap_px / 0.7),
        anchor="mm",
        stroke_width=bold_px,
    )
    return np.array(mask)
