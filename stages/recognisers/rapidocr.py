"""The `rapidocr` recogniser: PP-OCRv6-small, shipped inside the `rapidocr` wheel, no network.

Crops in, transcripts out. Each crop runs alone, because PP-OCR pads a batch to its widest crop
and the padding changes what the others read as. The CTC output is decoded here, so that every
character carries its own unconstrained probability and its best alternative.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

import cv2
import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.errors import PluginError
from stages.formats import Constraint
from stages.options import Options
from stages.ppocr import PpocrModel, to_bgr
from stages.recognisers.decoding import ctc
from stages.records import Transcript

_NAME = "PP-OCRv6-small"
_FILE = "PP-OCRv6_rec_small.onnx"
_HEIGHT = 48
_MIN_WIDTH = 320


class RapidocrRecogniser:
    """Reads upright crops of one line with PP-OCRv6-small; candidates are always empty.

    The engine keeps no state between calls, so `per_thread` asks for one instance per thread:
    each runs on its own core without a lock.
    """

    per_thread: ClassVar[bool] = True

    class Options(Options):
        threads: int = Field(1, ge=1, description="threads that work on one crop")
        max_width_px: int = Field(
            3200,
            ge=_MIN_WIDTH,
            description="crops wider than this at 48 px height are squeezed (PaddleOCR's limit)",
        )
        min_contrast_grey_levels: float = Field(
            MIN_CONTRAST_GREY_LEVELS,
            ge=0,
            le=255,
            description="crops with less local contrast are blank: they give an empty text",
        )

    def __init__(self, options: RapidocrRecogniser.Options) -> None:
        self._options = options
        self.model = ""

    def __enter__(self) -> Self:
        self._network = PpocrModel(_FILE, self._options.threads)
        listed = self._network.metadata.get("character", "").splitlines()
        self.alphabet: Sequence[str] = ["", *map(fold, listed), " "]
        if len(self.alphabet) != self._network.classes:
            raise PluginError(
                f"{_FILE} lists {len(listed)} characters for {self._network.classes} classes; "
                "install the rapidocr version that markwatch was tested with"
            )
        self.model = f"{_NAME}@{self._network.fingerprint}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._network

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        """Return one transcript per crop, in order; constraints are not used.

        Full-width and other compatibility characters become their plain form (NFKC), since
        PP-OCR writes Chinese punctuation; spaces are kept inside and stripped outside.

        Raises:
            RecogniserError: onnxruntime failed.
        """
        return [self._read(crop) for crop in crops]

    def _read(self, crop: np.ndarray) -> Transcript:
        if contrast(crop) < self._options.min_contrast_grey_levels:
            return Transcript("", ())
        return ctc(self.probabilities(crop), self.alphabet)

    def probabilities(self, crop: np.ndarray) -> np.ndarray:
        """Return the (T, C) probabilities of a crop's CTC steps, over `alphabet`; 0 is the blank.

        Raises:
            RecogniserError: onnxruntime failed.
        """
        return self._network.run(line_tensor(crop, self._options.max_width_px))[0]


def line_tensor(crop: np.ndarray, max_width: int) -> np.ndarray:
    """Return a crop as the (1, 3, 48, W) float32 tensor in -1 to 1 that PP-OCR reads.

    The aspect ratio is kept; W is at least 320, padded right with zeros, and at most `max_width`.
    After `TextRecognizer.resize_norm_img` of rapidocr 3.10.
    """
    ratio = crop.shape[1] / crop.shape[0]
    width = min(math.ceil(_HEIGHT * ratio), max_width)
    # averaging, where the crop shrinks, keeps the grain of metal from becoming strokes
    method = cv2.INTER_AREA if crop.shape[0] > _HEIGHT else cv2.INTER_LINEAR
    resized = cv2.resize(to_bgr(crop), (width, _HEIGHT), interpolation=method).astype(np.float32)
    tensor = np.zeros((1, 3, _HEIGHT, max(width, _MIN_WIDTH)), np.float32)
    tensor[0, :, :, :width] = resized.transpose(2, 0, 1) / 127.5 - 1
    return tensor


def fold(char: str) -> str:
    """Return the NFKC form of a character, or itself where that would bring in a space."""
    plain = unicodedata.normalize("NFKC", char)
    return char if " " in plain and not char.isspace() else plain
