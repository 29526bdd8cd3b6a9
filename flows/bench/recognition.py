"""The `trocr` recogniser beside transformers' `generate` on the same checkpoint, and its peers.

Labelled crops in, a table of times and of texts out. The rows take turns every few crops, so that
a machine that slows down for a while slows them all; CPU time tells what a busy machine hides.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from flows.bench.products import SIDE, ProductRate, products
from flows.commands.reading import image_of
from flows.configuration.choices import RecogniserChoice
from flows.engines import ENGINES
from flows.evaluation.complaints import shortened
from flows.evaluation.contenders import alone
from flows.evaluation.labels import LabelSet, limited, read_sets
from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.decode import DecodeOptions, decode
from stages.errors import ConfigError, ImageError, PluginError
from stages.ports import Recogniser
from stages.recognisers.checkpoint import Checkpoint, locate, open_checkpoint
from stages.records import Failure

BATCHES = (1, 8, 32)
"""Crops that are read in one call."""

PEERS = ("rapidocr", "tesseract")
_LEAST_WIDTH = 110
"""Columns of text: a narrower terminal wraps the lines rather than losing figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is timed: crops in, their texts out, `batch` of them a call."""

    name: str
    batch: int
    read: Callable[[Sequence[np.ndarray]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Timing:
    """What a row took, in milliseconds a crop, and the text of every crop, in order.

    `wall_ms` has a value for each call; `cpu_ms` is the mean, over all threads.
    """

    row: Row
    wall_ms: tuple[float, ...]
    cpu_ms: float
    texts: tuple[str, ...]

    @property
    def median_ms(self) -> float:
        return statistics.median(self.wall_ms)


def bench(
    labels: Sequence[Path], *, checkpoint: str | None, threads: int, limit: int | None
) -> None:
    """Measure and print, on the CPU; without `checkpoint` the recogniser's own default.

    Raises:
        MarkwatchError: a label file, a picture or the checkpoint is wrong.
    """
    sets = list(limited(read_sets(labels), limit))
    use_threads(threads)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    crops, blank = _crops(sets, errors)
    choices = {
        "trocr": _choice(checkpoint),
        "with an opinion": _choice(checkpoint, opinion="rapidocr"),
        "one look": _choice(checkpoint, second_look_nats=0),
        "one look, float32": _choice(checkpoint, second_look_nats=0, encoder_dtype="float32"),
    }
    options = choices["trocr"].options
    folder = locate(options.checkpoint, options.allow_download)
    stock = open_checkpoint(folder, options.checkpoint)
    with ExitStack() as stack:
        stack.callback(ENGINES.close)

        def loaded(name: str, choice: RecogniserChoice) -> Recogniser:
            return stack.enter_context(ENGINES.use(alone(name, choice, threads).reads))

        own = {name: loaded(name, choice) for name, choice in choices.items()}
        rows = [
            Row(name, batch, _texts(engine)) for name, engine in own.items() for batch in BATCHES
        ]
        rows += [Row("generate", batch, Stock(stock)) for batch in BATCHES]
        for name in PEERS:
            try:
                rows.append(Row(name, 1, _texts(loaded(name, RecogniserChoice(use=name)))))
            except PluginError as error:
                errors.print(f"markwatch: {name} is left out: {error}")
        rates = {dtype: ProductRate(dtype) for dtype in (torch.float32, torch.bfloat16)}
        progress = stack.enter_context(
            Progress(console=errors, transient=True, disable=not errors.is_terminal)
        )
        task = progress.add_task("reading", total=len(crops))

        def between(done: int) -> None:
            for each in rates.values():
                each.measure()
            progress.update(task, completed=done)

        timings = measure(rows, crops, between)
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    console.print(
        f"{own['trocr'].model}: {len(crops)} crops of {', '.join(each.name for each in sets)}"
        f" ({blank} blank ones left out), {threads} thread{'s' * (threads > 1)},"
        f" torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    )
    _show(timings, console)
    console.print(_limit(stock, crops[0], timings, rates))


def measure(
    rows: Sequence[Row],
    crops: Sequence[np.ndarray],
    between: Callable[[int], None] = lambda _: None,
) -> list[Timing]:
    """Time the rows, which take turns: each reads as many crops as the largest batch holds.

    Every call is of a whole batch, the last one filled up with crops from the start, so that its
    time a crop compares. Each row is warmed up first. `between` is told after each turn how many
    crops are done.
    """
    turn = max(row.batch for row in rows)
    for row in rows:
        row.read(list(islice(cycle(crops), row.batch)))
    wall: list[list[float]] = [[] for _ in rows]
    cpu = [0.0] * len(rows)
    texts: list[list[str]] = [[] for _ in rows]
    for start in range(0, len(crops), turn):
        end = min(start + turn, len(crops))
        for at, row in enumerate(rows):
            for first in range(start, end, row.batch):
                batch = list(islice(cycle(crops), first, first + row.batch))
                begin, spent = time.perf_counter(), time.process_time()
                read = row.read(batch)
                cpu[at] += (time.process_time() - spent) * 1000 / row.batch
                wall[at].append((time.perf_counter() - begin) * 1000 / row.batch)
                texts[at] += read[: end - first]
        between(end)
    return [
        Timing(row, tuple(spent), used / len(spent), tuple(read))
        for row, spent, used, read in zip(rows, wall, cpu, texts, strict=True)
    ]


class Stock:
    """The stock classes of transformers as a model card uses them, greedy and in float32.

    Greedy whatever the checkpoint says, and up to the length that it has positions for: beams or a
    ban on repeated n-grams would be another decoding.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._processor, self._network = checkpoint.processor, checkpoint.network
        self._network.generation_config.update(
            do_sample=False,
            num_beams=1,
            early_stopping=False,
            length_penalty=1.0,
            no_repeat_ngram_size=0,
            max_length=self._network.config.decoder.max_position_embeddings,
        )

    def __call__(self, crops: Sequence[np.ndarray]) -> list[str]:
        """Return the texts of crops, without the spaces around them."""
        pictures = [Image.fromarray(crop).convert("RGB") for crop in crops]
        pixels = self._processor(images=pictures, return_tensors="pt").pixel_values
        tokens = self._network.generate(pixels)
        read = self._processor.batch_decode(tokens, skip_special_tokens=True)
        return [text.strip() for text in read]


def use_threads(threads: int) -> None:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    # tokenizers has a pool of its own, as large as the machine
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"


def _crops(sets: Sequence[LabelSet], errors: Console) -> tuple[list[np.ndarray], int]:
    """The crops that are no blanks, and the number of those that are: no engine is asked there."""
    for words in shortened([words for each in sets for words in each.complaints]):
        errors.print(f"markwatch: {words}")
    found = decoded(sets)
    crops = [crop for crop in found if contrast(crop) >= MIN_CONTRAST_GREY_LEVELS]
    if not crops:
        raise ConfigError("every picture is blank; give crops with text")
    return crops, len(found) - len(crops)


def decoded(sets: Sequence[LabelSet]) -> list[np.ndarray]:
    """The crops; those that do not open are told at once."""
    pixels, wrong = [], []
    for label in (label for each in sets for label in each.labels):
        image = image_of(label.path)
        try:
            if isinstance(image, Failure):
                raise ImageError(image.reason)
            pixels.append(decode(image, DecodeOptions())[0].pixels)
        except ImageError as error:
            wrong.append(f"{label.place}: {label.file}: {error}; leave the row out")
    if wrong:
        raise ImageError("\n".join(shortened(wrong)))
    return pixels


def _choice(checkpoint: str | None, **options: object) -> RecogniserChoice:
    own = {"checkpoint": checkpoint} if checkpoint else {}
    return RecogniserChoice(use="trocr", device="cpu", batch_size=max(BATCHES), **own, **options)


def _texts(engine: Recogniser) -> Callable[[Sequence[np.ndarray]], list[str]]:
    return lambda crops: [each.text for each in engine.read(crops, [None] * len(crops))]


def _show(timings: Sequence[Timing], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("ms a crop")
    for head in ("crops a call", "p50", "p95", "times", "CPU", "times", "as generate"):
        table.add_column(head, justify="right", no_wrap=True)
    first = timings[0]
    reference = next(each for each in timings if each.row.name == "generate")
    for each in timings:
        table.add_row(
            each.row.name,
            str(each.row.batch),
            f"{each.median_ms:.2f}",
            f"{np.percentile(each.wall_ms, 95):.2f}",
            f"{each.median_ms / first.median_ms:.2f}",
            f"{each.cpu_ms:.2f}",
            f"{each.cpu_ms / first.cpu_ms:.2f}",
            "" if each.row.name in PEERS else _equal(each.texts, reference.texts),
        )
    console.print(table)
    console.print(
        "p50 and p95 of the calls, and the mean CPU time; times: of the first row. Decoding the"
        " file is left out.\nas generate: texts that are those of `generate`, one crop a call."
    )


def _equal(texts: Sequence[str], expected: Sequence[str]) -> str:
    same = sum(one == two for one, two in zip(texts, expected, strict=True))
    return f"{same}/{len(expected)} ({100 * same / len(expected):.2f} %)"


def _limit(
    stock: Checkpoint,
    crop: np.ndarray,
    timings: Sequence[Timing],
    rates: dict[torch.dtype, ProductRate],
) -> str:
    length = round(statistics.median(len(text) for text in timings[0].texts))
    encoder, decoder = products(stock, crop, length)
    full, half = (rates[each].flops_per_second for each in (torch.float32, torch.bfloat16))
    return (
        f"limit: a crop with {length} characters takes {encoder / 1e6:.0f} MFLOP of matrix products"
        f" in the encoder and {decoder / 1e6:.0f} in the decoder; at the rate of a square product"
        f" of {SIDE} ({full / 1e9:.0f} GFLOP/s in float32, {half / 1e9:.0f} in bfloat16)"
        f" {(encoder + decoder) / full * 1000:.2f} ms in float32,"
        f" {(encoder / half + decoder / full) * 1000:.2f} ms with the encoder in bfloat16."
    )
