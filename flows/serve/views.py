"""Pictures of a reading as a browser shows them: the line that was read, and the whole.

Pictures were decoded before by a worker, which is there to be lost; only what that one could read
is opened here.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from flows import vocabulary
from flows.ledger.records import image_of
from flows.serve.problems import RefusedError
from flows.serve.shelf import Shelf
from stages.cutting import cut, widened
from stages.decode import DecodeOptions, decode
from stages.errors import ImageError

CROP_MARGIN = 0.35
"""Line heights of surroundings that a crop shows a person."""

SMALL_PX = 160
"""Crops of at most this height are kept, so that ten who watch cost no more than one."""

KEPT = 256
QUALITY = 88


class Views:
    """Draws from the filed pictures of a shelf. Safe to call from several threads; blocks."""

    def __init__(self, shelf: Shelf, options: DecodeOptions) -> None:
        self._shelf = shelf
        self._options = options
        self._kept = lru_cache(KEPT)(self._crop)

    def crop(self, key: str, height_px: int | None = None) -> bytes:
        """PNG of the line that was read, upright, with a little of what is round it.

        Raises:
            RefusedError: nothing was found in the picture, or it is not kept any more.
        """
        self._shelf.place(key)
        if height_px is None or height_px > SMALL_PX:
            return self._crop(key, height_px)
        return self._kept(key, height_px)

    def whole(self, key: str, edge_px: int) -> tuple[bytes, tuple[int, int]]:
        """JPEG of the page that was read, no edge longer than `edge_px`, and its size as it came.

        Raises:
            RefusedError: it could not be read as a picture, or is not kept any more.
        """
        row = vocabulary.from_json(self._shelf.one(key))
        if row["status"] == "failed":
            raise RefusedError(
                404,
                "no-view",
                f"{row['image']} was not read ({row['reason']})",
                f"take the file as it came: /v1/readings/{key}/picture",
            )
        pixels = self._pixels(key, row)
        height, width = pixels.shape[:2]
        shown = Image.fromarray(pixels)
        shown.thumbnail((edge_px, edge_px))
        return _written(shown, "JPEG", quality=QUALITY), (width, height)

    def _crop(self, key: str, height_px: int | None) -> bytes:
        row = vocabulary.from_json(self._shelf.one(key))
        if row["outline"] is None:
            raise RefusedError(
                404,
                "no-crop",
                f"nothing was found in {row['image']} ({row['status']})",
                f"look at the whole picture: /v1/readings/{key}/picture",
            )
        pixels = self._pixels(key, row)
        outline = tuple(tuple(point) for point in row["outline"])
        line = Image.fromarray(cut(pixels, widened(outline, CROP_MARGIN, pixels.shape)))
        if height_px is not None and line.height > height_px:
            width = max(1, round(line.width * height_px / line.height))
            line = line.resize((width, height_px), reducing_gap=2.0)
        return _written(line, "PNG")

    def _pixels(self, key: str, row: Mapping[str, Any]) -> np.ndarray:
        record, path = self._shelf.record(key)
        try:
            frames = decode(image_of(record, path), self._options)
            return next(frame.pixels for frame in frames if frame.page == row["page"])
        except (ImageError, StopIteration) as error:
            raise self._shelf.gone(row["image"]) from error


def _written(picture: Image.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()
