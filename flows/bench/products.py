"""What bounds the reading of a crop: its matrix products, and how fast they can go here."""

from __future__ import annotations

import time

import numpy as np
import torch
from PIL import Image
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from stages.recognisers.checkpoint import Checkpoint
from stages.recognisers.layers import Linear

SIDE = 1024
"""Rows and columns of the product that is timed: large enough for the processor's full rate."""

_REPEATS = 5


class ProductRate:
    """The rate of a large square matrix product, as fast as the recogniser's own products go."""

    def __init__(self, dtype: torch.dtype) -> None:
        generator = torch.Generator().manual_seed(0)
        shape = (2, SIDE, SIDE)
        self._rows, weight = torch.randn(shape, generator=generator).to(dtype)
        self._product = Linear(weight, None, dtype)
        self._product(self._rows)
        self._seconds = float("inf")

    def measure(self) -> float:
        """Run it a few times; the rate of the fastest of these, and of all so far below."""
        fastest = float("inf")
        for _ in range(_REPEATS):
            begin = time.perf_counter()
            self._product(self._rows)
            fastest = min(fastest, time.perf_counter() - begin)
        self._seconds = min(self._seconds, fastest)
        return 2 * SIDE**3 / fastest

    @property
    def flops_per_second(self) -> float:
        return 2 * SIDE**3 / self._seconds


def products(checkpoint: Checkpoint, crop: np.ndarray, length: int) -> tuple[int, int]:
    """Floating-point operations of the matrix products for a crop: encoder; CTC head and decoder.

    The decoder sees a text of `length` tokens once, which is as much work as token by token.
    """
    network, head = checkpoint.network, checkpoint.head
    picture = Image.fromarray(crop).convert("RGB")
    pixels = checkpoint.processor(images=[picture], return_tensors="pt").pixel_values
    tokens = torch.zeros(1, length + 1, dtype=torch.long)
    # fused attention is not counted, plain products are
    with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        with FlopCounterMode(display=False) as encoder:
            states = network.encoder(pixel_values=pixels).last_hidden_state
        with FlopCounterMode(display=False) as whole:
            network(pixel_values=pixels, decoder_input_ids=tokens)
            if head is not None:
                torch.mm(states[0], head.weight.t())
    first = encoder.get_total_flops()
    return first, whole.get_total_flops() - first
