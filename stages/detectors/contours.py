"""The `contours` detector: lines of text from edges alone, without a network.

Frames in, smallest rectangles round lines of text out, in reading order. At several scales: the
morphological gradient (the same for light and dark text, print and dots), a threshold well above
the texture's, a closing that joins strokes and dots, contours, rectangles; parts of a line that lie
end to end become one. After Sobottka et al. 2000 and the usual OpenCV recipe for plates and labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import ClassVar, Self

import cv2
import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.detectors.layout import clockwise, reading_order
from stages.detectors.pieces import Piece, joined
from stages.options import Options
from stages.records import Detection, Frame

_STEP = 2.0
"""Between two scales; text is found where it is between `_LOWEST_PX` and `_HIGHEST_PX` high."""

_LOWEST_PX, _HIGHEST_PX = 9.0, 30.0
_FILLED = 0.3, 0.95
"""Of a line's rectangle, the share that edges cover: less is a crack, more a patch of texture."""

_STROKES = 0.6
"""Least share of edges across the line, of those along it: grooves and borders have few."""

_RUNS = 1.2
"""Least changes between light and dark in a stretch of a line's height; text has two and more."""

_OUTERMOST = -1


class ContoursDetector:
    """Finds lines of text whose edges stand out from the surface.

    Keeps no state: `per_thread` asks for one instance per thread.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        max_side_px: int = Field(
            1280,
            ge=64,
            description="frames with a longer side are reduced to it; more for small print",
        )
        min_contrast_grey_levels: float = Field(
            24.0, ge=1, le=255, description="least step between text and surface"
        )
        over_texture: float = Field(
            2.5,
            ge=1,
            description="how many times the surface's own texture an edge must reach",
        )
        closing_px: int = Field(
            7,
            ge=1,
            le=99,
            description="gaps that are closed within a word, where it is 9 to 30 pixels high; "
            "more for wide spacing",
        )
        gap_heights: float = Field(
            1.0, ge=0, description="parts of a line are joined over gaps of so many line heights"
        )
        min_aspect: float = Field(
            1.3, ge=0, description="lines shorter than this times their height are dropped"
        )

    def __init__(self, options: ContoursDetector.Options) -> None:
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
        """Return each frame's lines of text, in reading order; the score is the edges' share."""
        return [self._find(frame.pixels) for frame in frames]

    def _find(self, pixels: np.ndarray) -> list[Detection]:
        if contrast(pixels) < MIN_CONTRAST_GREY_LEVELS:
            return []
        grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        options = self._options
        scale = min(1.0, options.max_side_px / max(grey.shape))
        pieces: list[Piece] = []
        while min(grey.shape) * scale >= _LOWEST_PX:
            size = tuple(max(round(side * scale), 1) for side in grey.shape[::-1])
            small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            ratio = np.array(grey.shape[::-1]) / size
            pieces += [piece.scaled(ratio) for piece in self._pieces(small)]
            scale /= _STEP
        lines = joined(pieces, options.gap_heights)
        limits = np.array(grey.shape[::-1], dtype=np.float64)
        found = []
        for line in lines:
            if line.width >= options.min_aspect * line.height:
                corners = np.clip(line.corners, 0, limits)
                found.append(Detection(clockwise(corners), line.score))
        return reading_order(found)

    def _pieces(self, grey: np.ndarray) -> Iterator[Piece]:
        edges = self._edges(grey)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (self._options.closing_px,) * 2)
        # Closing works on a border of its own, or what lies at the frame's edge would grow to it.
        room = self._options.closing_px
        padded = cv2.copyMakeBorder(edges, *(room,) * 4, cv2.BORDER_CONSTANT, value=0)
        closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[room:-room, room:-room]
        closed = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        # Of two levels: a label's border is an outline, and so is each line within it.
        contours, levels = cv2.findContours(closed, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        for contour, level in zip(contours, () if levels is None else levels[0], strict=True):
            if level[3] != _OUTERMOST:
                continue
            piece = Piece.around(contour[:, 0].astype(np.float64) + 0.5)
            if _LOWEST_PX <= piece.height <= _HIGHEST_PX:
                filled, strokes, runs = _look(grey, edges, piece)
                if _FILLED[0] <= filled <= _FILLED[1] and strokes >= _STROKES and runs >= _RUNS:
                    yield piece.scored(filled)

    def _edges(self, grey: np.ndarray) -> np.ndarray:
        """Where the gradient stands out: 255, elsewhere 0."""
        soft = cv2.GaussianBlur(grey, (0, 0), 0.7)
        gradient = cv2.morphologyEx(soft, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        texture = float(np.median(gradient))
        otsu, _ = cv2.threshold(gradient, 0, 255, cv2.THRESH_OTSU)
        least = max(self._options.min_contrast_grey_levels, self._options.over_texture * texture)
        # Otsu's alone would follow the strongest edges, say a bar code's, and lose faint text.
        level = max(least, min(otsu, 2 * least))
        return np.where(gradient >= level, 255, 0).astype(np.uint8)


def _look(grey: np.ndarray, edges: np.ndarray, piece: Piece) -> tuple[float, float, float]:
    """What tells a line of text from a patch of surface.

    The share that edges cover, edges across the line over those along it, and how many times a
    stretch as long as the line is high goes from light to dark or back.
    """
    width, height = max(round(piece.width), 3), max(round(piece.height), 3)
    source = piece.corners[:3].astype(np.float32)
    target = np.array([[0, 0], [width, 0], [width, height]], dtype=np.float32)
    turn = cv2.getAffineTransform(source, target)
    filled = cv2.warpAffine(edges, turn, (width, height), flags=cv2.INTER_NEAREST)
    line = cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    across = np.abs(cv2.Sobel(line, cv2.CV_32F, 1, 0)).mean()
    along = np.abs(cv2.Sobel(line, cv2.CV_32F, 0, 1)).mean()
    _, dark = cv2.threshold(line, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    inner = dark[height // 5 : height - height // 5]
    turns = np.count_nonzero(np.diff(inner, axis=1), axis=1).mean()
    return float(np.mean(filled > 0)), float(across / max(along, 1e-6)), turns * height / width
