"""The `boxes` detector: text stands where the recipe says, in one box or in several.

Frames in, one detection for each box that is not blank out, in the order of the recipe; nothing is
searched for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.cutting import cut
from stages.errors import ImageError
from stages.options import Options
from stages.preprocess.geometry import FractionBox, PixelBox, Point, Size, check_within
from stages.preprocess.straighten import Corners
from stages.records import Detection, Frame, Outline


class BoxesDetector:
    """Takes each box as one line, unless there is nothing in it.

    Keeps no state: `per_thread` asks for one instance per thread.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        boxes_px: tuple[PixelBox, ...] = Field(
            (),
            description="boxes in pixels of the preprocessed picture (or of the part that "
            "`within` names): x1, y1, x2, y2 each",
        )
        boxes_fraction: tuple[FractionBox, ...] = Field(
            (), description="boxes from 0 to 1 of width and height: x1, y1, x2, y2 each"
        )
        corners_px: tuple[Corners, ...] = Field(
            (),
            description="boxes that lean: four corners [x, y] each, clockwise from the text's top "
            "left; without any box of the three kinds the whole picture is one",
        )
        min_contrast_grey_levels: float = Field(
            MIN_CONTRAST_GREY_LEVELS,
            ge=0,
            le=255,
            description="boxes with less local contrast are blank: nothing is found in them",
        )

        def check_size(self, size: Size) -> None:
            """Let the boxes pass if they lie in a picture of that size, as far as it is known.

            Raises:
                ImageError: a box is known to reach outside; the text says which.
            """
            for index, (x1, y1, x2, y2) in enumerate(self.boxes_px):
                _check(f"boxes_px[{index}]", ((x1, y1), (x2, y2)), size)
            for index, corners in enumerate(self.corners_px):
                _check(f"corners_px[{index}]", corners, size)

    def __init__(self, options: BoxesDetector.Options) -> None:
        self._options = options

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return the outline of each box that is not blank, with score 1, in the recipe's order.

        Raises:
            ImageError: a box reaches out of a frame, or is too large to be looked at.
        """
        return [self._find(frame.pixels) for frame in frames]

    def _find(self, pixels: np.ndarray) -> list[Detection]:
        height, width = pixels.shape[:2]
        self._options.check_size((width, height))
        least = self._options.min_contrast_grey_levels
        return [
            Detection(outline, 1.0)
            for outline in self._outlines(width, height)
            if contrast(cut(pixels, np.array(outline))) >= least
        ]

    def _outlines(self, width: int, height: int) -> Iterator[Outline]:
        options = self._options
        yield from (_upright(*box) for box in options.boxes_px)
        fractions = options.boxes_fraction
        if not (options.boxes_px or fractions or options.corners_px):
            fractions = ((0.0, 0.0, 1.0, 1.0),)
        for x1, y1, x2, y2 in fractions:
            yield _upright(x1 * width, y1 * height, x2 * width, y2 * height)
        yield from options.corners_px


def _upright(x1: float, y1: float, x2: float, y2: float) -> Outline:
    return (x1, y1), (x2, y1), (x2, y2), (x1, y2)


def _check(name: str, points: Sequence[Point], size: Size) -> None:
    try:
        check_within(points, size)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
