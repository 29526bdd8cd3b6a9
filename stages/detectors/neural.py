"""The `neural` detector: PP-OCR's DB text detector, shipped inside the `rapidocr` wheel.

Frames in, boxes around lines of text out, in reading order; no network, and no classifier of
text that stands on its head, which turns good lines over (the recipe says how the camera hangs).
Method: Differentiable Binarization, Liao et al. 2020, arXiv 1911.08947; post-processing of
rapidocr.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

import cv2
import numpy as np
from pydantic import Field

from stages.detectors.layout import reading_order, turned
from stages.errors import RecogniserError
from stages.options import Options
from stages.ppocr import PpocrModel, to_bgr
from stages.records import Detection, Frame

_FILE = "PP-OCRv6_det_small.onnx"
_MULTIPLE = 32


class NeuralDetector:
    """Finds lines of text with PP-OCRv6-small's detector alone.

    The sizes are those of a part's picture, not of the printed page that the wheel is set for
    (2000 and 736): there it missed whole lines on strips and large marks, and took five times
    as long. 960 is PaddleOCR's own `det_limit_side_len`.
    The engine keeps no state between calls, so `per_thread` asks for one instance per thread:
    each runs on its own core without a lock.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        threads: int = Field(1, ge=1, description="threads that work on one frame")
        max_side_px: int = Field(
            960,
            ge=_MULTIPLE,
            description="frames with a longer side are reduced to it; more for small print on "
            "large pictures, but then large marks fall apart",
        )
        min_side_px: int = Field(
            192,
            ge=_MULTIPLE,
            description="frames with a shorter side are enlarged to it; more for tiny print, but "
            "slower",
        )
        max_aspect: float = Field(
            8.0, ge=1, description="frames more elongated than this are padded to it"
        )
        pixel_threshold: float = Field(
            0.3, gt=0, lt=1, description="probability from which a pixel counts as text"
        )
        box_threshold: float = Field(
            0.5, ge=0, le=1, description="mean probability that a box must reach"
        )
        unclip_ratio: float = Field(
            1.6, gt=0, description="how far boxes grow from the core of the text to its edge"
        )
        tall_ratio: float = Field(
            1.5, ge=1, description="boxes taller than this times their width hold a vertical line"
        )

    def __init__(self, options: NeuralDetector.Options) -> None:
        self._options = options

    def __enter__(self) -> Self:
        self._network = PpocrModel(_FILE, self._options.threads)
        from rapidocr.ch_ppocr_det.utils import DBPostProcess

        self._boxes = DBPostProcess(
            thresh=self._options.pixel_threshold,
            box_thresh=self._options.box_threshold,
            unclip_ratio=self._options.unclip_ratio,
            use_dilation=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._network, self._boxes

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return each frame's lines of text, in reading order.

        Raises:
            RecogniserError: onnxruntime or OpenCV failed.
        """
        return [self._find(frame.pixels) for frame in frames]

    def _find(self, pixels: np.ndarray) -> list[Detection]:
        options = self._options
        padded = _pad(to_bgr(pixels), options.max_aspect)
        height, width = padded.shape[:2]
        rows, columns = network_size(height, width, options.min_side_px, options.max_side_px)
        try:
            resized = cv2.resize(padded, (columns, rows))
            tensor = (resized.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
            probabilities = self._network.run(tensor)
            boxes, scores = self._boxes(probabilities, (height, width))
        except (cv2.error, ValueError, MemoryError) as error:
            raise RecogniserError(f"the text detector failed: {error}") from error
        limits = np.array([pixels.shape[1], pixels.shape[0]], dtype=np.float64)
        found = []
        for box, score in zip(boxes, scores, strict=True):
            corners = np.clip(np.asarray(box, dtype=np.float64), 0, limits)
            if np.ptp(corners, axis=0).min() >= 1:
                outline = tuple((float(x), float(y)) for x, y in corners)
                found.append(Detection(turned(outline, options.tall_ratio), float(score)))
        return reading_order(found)


def network_size(height: int, width: int, min_side: int, max_side: int) -> tuple[int, int]:
    """Rows and columns that the network sees: both multiples of 32, the aspect nearly kept."""
    scale = min(1.0, max_side / max(height, width))
    scale = max(scale, min_side / min(height, width))
    rows, columns = (
        max(round(side * scale / _MULTIPLE), 1) * _MULTIPLE for side in (height, width)
    )
    return rows, columns


def _pad(pixels: np.ndarray, max_aspect: float) -> np.ndarray:
    """Extend right and below so that the long side is at most `max_aspect` times the short one.

    The network was trained on pages: of a bare strip of text it finds little.
    """
    height, width = pixels.shape[:2]
    below = max(round(width / max_aspect) - height, 0)
    right = max(round(height / max_aspect) - width, 0)
    if not below and not right:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
