"""Crops in, the numbers that a checkpoint's image processor makes of them out.

The processors of TrOCR checkpoints stretch a picture to one rectangle with Pillow, rescale and
normalise it. That is done here with a table of 256 values for each channel, to the same bits at a
fraction of the time; any other processor is asked itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


class Pixels:
    """Makes (C, H, W) float32 of a crop, the same as `processor` (a Pillow one) would.

    `channels` is what the checkpoint takes, 1 or 3. With `fold`, a grey crop gives a single channel
    wherever the three would be equal.
    """

    def __init__(self, processor: Any, channels: int, *, fold: bool) -> None:
        self._processor = processor
        self._mode = "L" if channels == 1 else "RGB"
        self._tables = _tables(processor, channels) if _stretches_only(processor) else None
        self._folds = fold and self._tables is not None and bool(np.ptp(self._tables, 0).max() == 0)

    def channels(self, crop: np.ndarray) -> int:
        """How many channels come of an (H, W) or (H, W, 3) uint8 crop."""
        return 1 if self._mode == "L" or (self._folds and _is_grey(crop)) else 3

    def of(self, crop: np.ndarray) -> np.ndarray:
        """Return (C, H, W) float32 of an (H, W) or (H, W, 3) uint8 crop."""
        if self._tables is None:
            picture = Image.fromarray(crop).convert(self._mode)
            return self._processor(images=[picture], return_tensors="np").pixel_values[0]
        grey = _is_grey(crop)
        if grey:
            picture = Image.fromarray(
                crop if crop.ndim == 2 else np.ascontiguousarray(crop[..., 0])
            )
        else:
            picture = Image.fromarray(crop).convert(self._mode)
        size = self._processor.size
        small = np.asarray(picture.resize((size.width, size.height), self._processor.resample))
        if grey and self._folds:
            return np.take(self._tables[0], small)[None]
        planes = [small] * len(self._tables) if small.ndim == 2 else np.moveaxis(small, -1, 0)
        return np.stack([np.take(*each) for each in zip(self._tables, planes, strict=True)])


def _is_grey(crop: np.ndarray) -> bool:
    if crop.ndim == 2:
        return True
    red, green, blue = np.moveaxis(crop, -1, 0)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _stretches_only(processor: Any) -> bool:
    """Whether a processor does nothing but stretch, rescale and normalise, in the stock way."""
    from transformers.image_processing_backends import PilBackend

    steps = ("preprocess", "process_image", "_preprocess", "resize", "rescale", "normalize")
    stock = all(
        getattr(type(processor), step, None) is getattr(PilBackend, step, None) for step in steps
    )
    if not stock or not processor.do_resize or processor.do_center_crop or processor.do_pad:
        return False
    size = processor.size
    others = (size.shortest_edge, size.longest_edge, size.max_height, size.max_width)
    return bool(size.height and size.width) and not any(others)


def _tables(processor: Any, channels: int) -> np.ndarray:
    """What the processor makes of each grey level: (channels, 256) float32."""
    levels = np.tile(np.arange(256, dtype=np.uint8), (channels, 1, 1))
    if processor.do_rescale:
        levels = processor.rescale(levels, processor.rescale_factor)
    if processor.do_normalize:
        levels = processor.normalize(levels, processor.image_mean, processor.image_std)
    return levels[:, 0].astype(np.float32)
