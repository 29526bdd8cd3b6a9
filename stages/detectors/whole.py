"""The `whole` detector: the frame is one upright line of text, as a recipe's crop leaves it.

Frames in, one detection each out, with no search for text; a blank frame gives none.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.options import Options
from stages.records import Detection, Frame


class WholeDetector:
    """Takes the whole frame as one line, unless there is nothing in it.

    Keeps no state: `per_thread` asks for one instance per thread.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        min_contrast_grey_levels: float = Field(
            MIN_CONTRAST_GREY_LEVELS,
            ge=0,
            le=255,
            description="frames with less local contrast are blank: nothing is found in them",
        )

    def __init__(self, options: WholeDetector.Options) -> None:
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
        """Return the frame's own outline with score 1, or nothing for a blank frame."""
        return [self._find(frame) for frame in frames]

    def _find(self, frame: Frame) -> list[Detection]:
        if contrast(frame.pixels) < self._options.min_contrast_grey_levels:
            return []
        height, width = map(float, frame.pixels.shape[:2])
        return [Detection(((0.0, 0.0), (width, 0.0), (width, height), (0.0, height)), 1.0)]
