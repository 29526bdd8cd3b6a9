"""The embedded model beside its arithmetic: what its matrix products alone would take here.

Two limits are measured in turns with the encoder: its operations at the rate of a large square
product (nothing can be faster), and its products at their own shapes, one after the other, with
nothing between them (what layer norms, softmax and moving rows about add is the rest).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from flows.bench.figure import Figure, Say, Target, interleaved
from flows.bench.products import SIDE, ProductRate, products
from flows.bench.recognition import use_threads
from flows.cluster.place import cores
from stages.recognisers.checkpoint import Checkpoint, locate, open_checkpoint
from stages.recognisers.layers import Linear
from stages.recognisers.reader import LineReader
from stages.recognisers.trocr import TrocrRecogniser
from stages.recognisers.vit import LeanEncoder, encoder_of

PART = "limit"
AXIS = "crops a call"
MOST_TIMES = 2.0
_TEXT_LENGTH = 10
_NAMES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Crops a call, how often each of them has its turn, and threads that work on one call."""

    batches: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    rounds: int = 25
    threads: tuple[int, ...] = tuple(sorted({1, cores()}))


QUICK = Sizes(batches=(1, 2), rounds=2, threads=(1,))


def measure(
    sizes: Sizes, say: Say, folder: Path, checkpoint: str | None = None
) -> Iterator[Figure]:
    """The encoder and both limits for each type and batch; then the whole line reader.

    Raises:
        MarkwatchError: the checkpoint is not there or is no TrOCR.
    """
    options = TrocrRecogniser.Options(**({"checkpoint": checkpoint} if checkpoint else {}))
    name = options.checkpoint
    opened = open_checkpoint(locate(name, options.allow_download), name)
    for count in sizes.threads:
        use_threads(count)
        on = f"{count} thread{'s' * (count > 1)}"
        for dtype in _NAMES:
            say(f"encoder in {_NAMES[dtype]}, {on}")
            yield from _encoder(opened, dtype, sizes, on)
        say(f"encoder, draft and decoder, {on}")
        yield from _reader(opened, sizes, on)


def _encoder(opened: Checkpoint, dtype: torch.dtype, sizes: Sizes, on: str) -> Iterator[Figure]:
    encoder = encoder_of(opened.network.encoder, dtype)
    flops, _ = products(opened, np.zeros((32, 256), np.uint8), _TEXT_LENGTH)
    rate = ProductRate(dtype)
    what = f"{_NAMES[dtype]}, {on}"
    limit = f"limit: at the rate of a square product, {what}"
    found: list[Figure] = []
    squares: list[float] = []
    for batch in sizes.batches:
        pixels = _pixels(opened, batch)
        contenders = {
            "limit": lambda batch=batch: _square(rate, flops),
            "encoder": _timed(lambda pixels=pixels: encoder(pixels), batch),
        }
        if isinstance(encoder, LeanEncoder):
            contenders["own"] = _timed(_own_products(opened, dtype, batch), batch)
        with torch.inference_mode():
            taken = interleaved(sizes.rounds, contenders)
        squares += taken["limit"]
        if "own" in taken:
            series = f"its products alone, {what}"
            found.append(
                Figure(PART, series, "ms a crop", taken["own"], axis=AXIS, at=batch, peer=limit)
            )
        found.append(
            Figure(
                PART,
                f"encoder, {what}",
                "ms a crop",
                taken["encoder"],
                axis=AXIS,
                at=batch,
                peer=limit,
            )
        )
    fastest = f"{rate.flops_per_second / 1e9:.0f} GFLOP/s at best"
    note = f"{flops / 1e6:.0f} MFLOP a crop; a product of {SIDE} x {SIDE}: {fastest}"
    yield Figure(PART, limit, "ms a crop", tuple(squares), note=note)
    encoders = [each for each in found if each.series.startswith("encoder")]
    best = min(encoders, key=lambda each: each.median)
    for each in found:
        yield replace(each, target=Target("ratio", at_most=MOST_TIMES)) if each is best else each


def _reader(opened: Checkpoint, sizes: Sizes, on: str) -> Iterator[Figure]:
    """The line reader as the recogniser runs it, beside the operations of all its products."""
    cpu = torch.device("cpu")
    reader = LineReader(opened, cpu, torch.bfloat16, None)
    rates = {dtype: ProductRate(dtype) for dtype in _NAMES}
    encoder, rest = products(opened, np.zeros((32, 256), np.uint8), _TEXT_LENGTH)
    batch = max(sizes.batches)
    pixels = _pixels(opened, batch).numpy()
    limit = f"limit: all products, encoder in bfloat16, {on}"

    def arithmetic() -> float:
        return _square(rates[torch.bfloat16], encoder) + _square(rates[torch.float32], rest)

    contenders = {limit: arithmetic, "reader": _timed(lambda: reader(pixels), batch)}
    taken = interleaved(sizes.rounds, contenders)
    yield Figure(PART, limit, "ms a crop", taken[limit], note=f"a text of {_TEXT_LENGTH} tokens")
    yield Figure(
        PART,
        f"encoder, draft and decoder, {on}",
        "ms a crop",
        taken["reader"],
        axis=AXIS,
        at=batch,
        peer=limit,
        paired=True,
    )


def _square(rate: ProductRate, flops: int) -> float:
    return flops / rate.measure() * 1000


def _pixels(opened: Checkpoint, batch: int) -> torch.Tensor:
    """Pictures as the processor hands them over: what they show makes no difference here."""
    size = opened.network.config.encoder.image_size
    height, width = (size, size) if isinstance(size, int) else size
    channels = opened.network.config.encoder.num_channels
    generator = torch.Generator().manual_seed(batch)
    return torch.randn((batch, channels, height, width), generator=generator)


def _timed(do: Callable[[], object], batch: int) -> Callable[[], float]:
    def once() -> float:
        begin = time.perf_counter()
        do()
        return (time.perf_counter() - begin) * 1000 / batch

    return once


def _own_products(opened: Checkpoint, dtype: torch.dtype, batch: int) -> Callable[[], None]:
    """The encoder's products in the order in which it makes them, on rows of random numbers."""
    config = opened.network.config.encoder
    width, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    height, long = config.image_size
    tall, wide = config.patch_size
    tokens = (height // tall) * (long // wide) + 1
    generator = torch.Generator().manual_seed(0)

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(dtype)

    shapes = ((width, 3 * width), (width, width), (width, inner), (inner, width))
    layers = [
        [(Linear(made(wide_, narrow), made(wide_), dtype), narrow) for narrow, wide_ in shapes]
        for _ in range(config.num_hidden_layers)
    ]
    rows = {width: made(batch * tokens, width), inner: made(batch * tokens, inner)}
    query = made(batch * heads, tokens, width // heads)
    key = made(batch * heads, width // heads, tokens)
    weights = made(batch * heads, tokens, tokens)

    def once() -> None:
        for layer in layers:
            for product, narrow in layer:
                product(rows[narrow])
            torch.bmm(query, key)
            torch.bmm(weights, query)

    return once
