"""Crops in, the numbers that a checkpoint's image processor makes of them out.

The processors of TrOCR checkpoints stretch a picture to one rectangle with Pillow, rescale and
normalise it. That is done here with a table of 256 values for each channel, to the same bits at a
fraction of the time; any other processor is asked itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the processors of TrOCR checkpoints do, without them.

    `resample` is Pillow's number of a filter; `tables` (C, 256) float32 is what becomes of each
    grey level in each channel.
    """

    height: int
    width: int
    resample: int
    tables: np.ndarray

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        resample: int,
        factor: float,
        mean: Sequence[float],
        deviation: Sequence[float],
    ) -> Self:
        """Stretch to `size` (height, width), then `(level * factor - mean) / deviation`.

        To the bits of `PilBackend` in transformers 5: the product in float64, the rest in float32.
        """
        levels = (np.arange(256, dtype=np.float64) * factor).astype(np.float32)
        middle, spread = (np.array(each, np.float32)[:, None] for each in (mean, deviation))
        return cls(*size, resample, (levels - middle) / spread)


class Pixels:
    """Makes (C, H, W) float32 of a crop, the same as `processor` would.

    That is one of transformers (a Pillow one) or a `Stretch`. `channels` is what the checkpoint
    takes, 1 or 3. With `fold`, a grey crop gives a single channel wherever the three would be
    equal.
    """

    def __init__(self, processor: Any, channels: int, *, fold: bool) -> None:
        self._processor = processor
        self._mode = "L" if channels == 1 else "RGB"
        self._stretch = _stretch_of(processor, channels)
        self._folds = (
            fold and self._stretch is not None and bool(np.ptp(self._stretch.tables, 0).max() == 0)
        )

    def channels(self, crop: np.ndarray) -> int:
        """How many channels come of an (H, W) or (H, W, 3) uint8 crop."""
        return 1 if self._mode == "L" or (self._folds and _is_grey(crop)) else 3

    def of(self, crop: np.ndarray) -> np.ndarray:
        """Return (C, H, W) float32 of an (H, W) or (H, W, 3) uint8 crop."""
        if self._stretch is None:
            picture = Image.fromarray(crop).convert(self._mode)
            return self._processor(images=[picture], return_tensors="np").pixel_values[0]
        grey = _is_grey(crop)
        if grey:
            picture = Image.fromarray(
                crop if crop.ndim == 2 else np.ascontiguousarray(crop[..., 0])
            )
        else:
            picture = Image.fromarray(crop).convert(self._mode)
        size, tables = (self._stretch.width, self._stretch.height), self._stretch.tables
        small = np.asarray(picture.resize(size, self._stretch.resample))
        if grey and self._folds:
            return np.take(tables[0], small)[None]
        planes = [small] * len(tables) if small.ndim == 2 else np.moveaxis(small, -1, 0)
        return np.stack([np.take(*each) for each in zip(tables, planes, strict=True)])


def _is_grey(crop: np.ndarray) -> bool:
    if crop.ndim == 2:
        return True
    red, green, blue = np.moveaxis(crop, -1, 0)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _stretch_of(processor: Any, channels: int) -> Stretch | None:
    """What a processor does if it only stretches, rescales and normalises, in the stock way."""
    if isinstance(processor, Stretch):
        return processor
    from transformers.image_processing_backends import PilBackend

    steps = ("preprocess", "process_image", "_preprocess", "resize", "rescale", "normalize")
    stock = all(
        getattr(type(processor), step, None) is getattr(PilBackend, step, None) for step in steps
    )
    if not stock or not processor.do_resize or processor.do_center_crop or processor.do_pad:
        return None
    size = processor.size
    others = (size.shortest_edge, size.longest_edge, size.max_height, size.max_width)
    if not size.height or not size.width or any(others):
        return None
    return Stretch(size.height, size.width, processor.resample, _tables(processor, channels))


def _tables(processor: Any, channels: int) -> np.ndarray:
    """What the processor makes of each grey level: (channels, 256) float32."""
    levels = np.tile(np.arange(256, dtype=np.uint8), (channels, 1, 1))
    if processor.do_rescale:
        levels = processor.rescale(levels, processor.rescale_factor)
    if processor.do_normalize:
        levels = processor.normalize(levels, processor.image_mean, processor.image_std)
    return levels[:, 0].astype(np.float32)
