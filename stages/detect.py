"""The detect stage: a frame in, regions out, each with its upright crop.

A detector finds the lines; this stage drops what is too small or too unsure, straightens each
line into a crop (top left first, text running right) and maps its outline back to the original
picture. A line steeper than 45 degrees has no way up that can be seen: it is read both ways.
"""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from stages.cutting import cut, widened
from stages.detectors.layout import size
from stages.errors import PluginError
from stages.options import Options
from stages.ports import Detector
from stages.preprocess.geometry import (
    CropOptions,
    FractionBox,
    PixelBox,
    Size,
    crop,
    size_of_crop,
)
from stages.records import Detection, Frame, Outline, Region, Turned


class DetectOptions(Options):
    """What becomes a region, whichever detector found it."""

    margin: float = Field(
        0.0, ge=0, le=2, description="border around each line, as a share of the line's height"
    )
    min_height_px: float = Field(
        4.0, ge=1, description="lines lower than this in the preprocessed picture are dropped"
    )
    min_score: float = Field(0.0, ge=0, le=1, description="lines with a lower score are dropped")
    max_regions: int = Field(
        64, ge=1, description="most lines of one picture; those with the best scores are kept"
    )
    turned: Turned = Field(
        "doubt",
        description="read lines turned by 180 degrees too, and take the likelier reading: in "
        "`doubt` (a doubtful reading, or a line that runs up or down), `always`, or `never`",
    )
    within_px: PixelBox | None = Field(
        None,
        description="the part of the preprocessed picture to search: x1, y1, x2, y2; null for all",
    )
    within_fraction: FractionBox | None = Field(
        None, description="the same in fractions, 0 to 1 of width and height"
    )

    @model_validator(mode="after")
    def _one_part(self) -> Self:
        if self.within_px is not None and self.within_fraction is not None:
            raise PydanticCustomError("two_parts", "give within_px or within_fraction, not both")
        return self

    @property
    def part(self) -> CropOptions | None:
        """The part to search, as `crop` takes it; None for the whole picture."""
        if self.within_px is not None:
            return CropOptions(box_px=self.within_px)
        if self.within_fraction is not None:
            return CropOptions(box_fraction=self.within_fraction)
        return None


def detect(
    frame: Frame, field: str, detector: Detector, options: DetectOptions
) -> tuple[Region, ...]:
    """Find the lines of text of one field in a frame, in the detector's order.

    `crop` is read-only and as large as the line is in the frame, with `margin` around it as far as
    the frame (or the part of it that is searched) reaches; `outline` and `box` are in original
    pixels, without the margin.

    Raises:
        RecogniserError: the detector's engine failed.
        PluginError: the detector broke its contract.
        ImageError: a line is too large to be cut out, or the part to search, or a box of the
            detector, is not inside the frame.
    """
    if options.part is not None:
        frame = crop(frame, options.part)
    found = detector.find([frame])
    if len(found) != 1:
        raise PluginError(
            f"detector {type(detector).__name__} returned {len(found)} results for 1 frame; "
            "report it to its author"
        )
    kept = [each for each in found[0] if _wanted(each, detector, options)]
    best = sorted(kept, key=lambda each: each.score, reverse=True)[: options.max_regions]
    chosen = {id(each) for each in best}
    return tuple(_region(frame, field, each, options) for each in kept if id(each) in chosen)


def size_within(options: DetectOptions, size: Size) -> Size:
    """The size of what a detector is shown of a preprocessed picture of that size.

    Raises:
        ImageError: it is known that the part to search reaches outside.
    """
    return size if options.part is None else size_of_crop(options.part, size)


def _wanted(detection: Detection, detector: Detector, options: DetectOptions) -> bool:
    numbers = (detection.score, *(number for point in detection.outline for number in point))
    if not all(map(math.isfinite, numbers)) or len(detection.outline) != 4:
        raise PluginError(
            f"detector {type(detector).__name__} returned the outline {detection.outline}; "
            "report it to its author"
        )
    width, height = size(detection.outline)
    return height >= options.min_height_px and width >= 1 and detection.score >= options.min_score


def _region(frame: Frame, field: str, detection: Detection, options: DetectOptions) -> Region:
    mapped = frame.transform.to_original(np.array(detection.outline))
    return Region(
        field=field,
        page=frame.page,
        box=frame.transform.box(np.array(detection.outline)),
        outline=tuple((x, y) for x, y in mapped.tolist()),
        score=detection.score,
        crop=cut(frame.pixels, widened(detection.outline, options.margin, frame.pixels.shape)),
        turned=_turned(detection.outline, options.turned),
    )


def _turned(outline: Outline, wanted: Turned) -> Turned:
    across, down = np.subtract(outline[1], outline[0])
    return "always" if wanted == "doubt" and abs(down) > abs(across) else wanted
