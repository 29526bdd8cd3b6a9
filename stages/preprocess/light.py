"""Frame -> Frame, taking out what the lighting put in: illumination, glare."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from pydantic import Field

from stages.options import Options
from stages.preprocess.surroundings import surroundings
from stages.records import Frame


class IlluminationOptions(Options):
    """What counts as ground, and how light it is to become."""

    window_px: int = Field(
        101, ge=3, le=10_000, description="side of the neighbourhood; about twice a letter's height"
    )
    level: int = Field(170, ge=1, le=255, description="grey value that the ground comes to have")


def illumination(frame: Frame, options: IlluminationOptions) -> Frame:
    """Divide by the ground, the median of the neighbourhood: shadows and gradients go.

    Each channel on its own, so a coloured light goes too. Text keeps its share of the light that
    its ground reflects, so it stands out as much in the shadow as beside it.
    """
    ground = surroundings(frame.pixels, options.window_px)
    pixels = cv2.divide(frame.pixels, np.maximum(ground, 1), scale=options.level)
    return replace(frame, pixels=pixels)


_FILLING_PX, _STROKES_PX = 512, 15


class GlareOptions(Options):
    """What is glare, and what is only light."""

    level: int = Field(240, ge=1, le=255, description="grey value from which a pixel may be glare")
    min_size_px: int = Field(
        15, ge=1, le=999, description="bright spots narrower than this, as light letters are, stay"
    )
    grow_px: int = Field(
        3, ge=0, le=99, description="how far beyond the bright spot the glare reaches"
    )


def glare(frame: Frame, options: GlareOptions) -> Frame:
    """Fill blinding spots from what lies round them (`cv2.inpaint`, Telea 2004).

    What the glare hid is lost; but its edge no longer looks like a stroke, and steps that go by
    the picture's brightness are no longer misled. What is dark within it stays. The filling is
    smooth, computed at 512 pixels.
    """
    grey = frame.pixels
    if grey.ndim == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY)
    bright = (grey >= options.level).astype(np.uint8)
    size = min(options.min_size_px, *grey.shape)
    spots = cv2.morphologyEx(bright, cv2.MORPH_OPEN, _disc(size))
    if not spots.any() or spots.all():
        return frame
    # Between the letters within a spot too, where it is narrow.
    near = np.ones((2 * size + 1, 2 * size + 1), np.uint8)
    core = (bright & cv2.dilate(spots, near)).astype(np.float32)
    spots = cv2.dilate(core, _disc(2 * options.grow_px + 1))
    filling = _filling(frame.pixels, spots)
    if filling is None:
        return frame
    share = np.maximum(core, cv2.GaussianBlur(spots, (0, 0), max(options.grow_px, 1) / 2))
    if frame.pixels.ndim == 3:
        share = share[..., None]
    pixels = np.rint(frame.pixels + share * (filling.astype(np.float32) - frame.pixels))
    # Glare only adds light: what is darker than the filling is the mark within it.
    return replace(frame, pixels=np.minimum(frame.pixels, pixels.astype(np.uint8)))


def _filling(pixels: np.ndarray, spots: np.ndarray) -> np.ndarray | None:
    """What the picture may look like without the spots; None if they leave nothing to go by."""
    height, width = spots.shape
    scale = min(1.0, _FILLING_PX / max(height, width))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    # Any glare within a small pixel makes it unknown, so that none of it bleeds into the filling.
    unknown = (cv2.resize(spots, small, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    # Strokes within the glare and beside it would be drawn out across it: those that it encloses
    # count as unknown too, and beside it the lightest nearby is taken.
    unknown = cv2.morphologyEx(unknown, cv2.MORPH_CLOSE, _disc(_STROKES_PX))
    if unknown.all():
        return None
    known = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    known[unknown > 0] = 0
    filled = cv2.inpaint(cv2.dilate(known, _disc(_STROKES_PX)), unknown, 3, cv2.INPAINT_TELEA)
    return cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)


def _disc(diameter: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
