"""Fresh training pictures without end: texts -> strips -> marks -> photographs -> model input.

Strips are drawn by worker processes on the CPU. Marks and photographs are made by the same
processes, or, on a CUDA device, by the device itself; the code is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from flows.training.camera.photograph import Shot, model_input, photograph
from flows.training.drawing.strips import Strip, StripMaker
from flows.training.marking.mark import mark
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import FaceSet, faces
from flows.training.stopping import step_aside
from flows.training.wording.texts import Texts
from stages.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Strips:
    """A batch of strips as tensors; `ink` and `clutter` are (N, 48, 384) uint8."""

    texts: tuple[str, ...]
    ink: torch.Tensor
    clutter: torch.Tensor
    aspect: torch.Tensor
    stroke: torch.Tensor
    fill: torch.Tensor
    pitch: torch.Tensor
    styles: torch.Tensor
    severity: torch.Tensor

    @classmethod
    def of(cls, strips: list[Strip], severity: np.ndarray) -> Self:
        """Stack strips, each with its severity."""
        return cls(
            texts=tuple(strip.text for strip in strips),
            ink=torch.from_numpy(np.stack([strip.ink for strip in strips])),
            clutter=torch.from_numpy(np.stack([strip.clutter for strip in strips])),
            aspect=torch.tensor([strip.aspect for strip in strips], dtype=torch.float32),
            stroke=torch.tensor([strip.stroke for strip in strips], dtype=torch.float32),
            fill=torch.tensor([strip.fill for strip in strips], dtype=torch.float32),
            pitch=torch.tensor(
                [_INKED * strip.aspect / max(1, len(strip.text)) for strip in strips],
                dtype=torch.float32,
            ),
            styles=torch.tensor([int(strip.style) for strip in strips]),
            severity=torch.from_numpy(severity.astype(np.float32)),
        )

    def to(self, device: torch.device) -> Strips:
        """The same strips on another device."""
        moved = {
            each.name: getattr(self, each.name).to(device, non_blocking=True)
            for each in fields(self)
            if each.name != "texts"
        }
        return Strips(texts=self.texts, **moved)


def shoot(strips: Strips, surfaces: Surfaces, generator: torch.Generator) -> list[Shot]:
    """Mark surfaces with the strips and photograph them, on the device where the strips are."""
    pictures = mark(
        strips.ink.float() / 255,
        strips.clutter.float() / 255,
        strips.aspect,
        strips.stroke,
        strips.styles,
        surfaces,
        strips.severity,
        generator,
    )
    return photograph(
        pictures,
        strips.aspect,
        strips.severity,
        generator,
        fill=strips.fill,
        pitch=strips.pitch,
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Model input (N, rows, columns) uint8 and what each picture reads."""

    pictures: torch.Tensor
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Studio:
    """What makes training pictures: texts, faces and surfaces."""

    texts: Texts
    faces: FaceSet
    surfaces: Surfaces
    size: tuple[int, int]
    batch: int

    def strips(self, rng: np.random.Generator, ceiling: float, maker: StripMaker) -> Strips:
        """Draw a batch whose severities are spread from 0 to `ceiling`."""
        severity = rng.uniform(0.0, ceiling, self.batch)
        drawn = [drawn_strip(maker, self.texts, rng, float(each)) for each in severity]
        return Strips.of(drawn, severity)

    def finish(self, strips: Strips, generator: torch.Generator) -> Batch:
        """Mark, photograph and stretch a batch of strips."""
        shots = shoot(strips, self.surfaces, generator)
        pictures = model_input(shots, self.size)
        return Batch((pictures * 255).round().to(torch.uint8), strips.texts)


def drawn_strip(
    maker: StripMaker, texts: Texts, rng: np.random.Generator, severity: float
) -> Strip:
    """A strip of the next text that the faces can draw.

    Raises:
        ConfigError: they draw hardly any of the texts.
    """
    for _ in range(_TRIES):
        try:
            return maker.strip(rng, texts.sample(rng), severity)
        except ValueError:
            continue
    raise ConfigError("no face draws these texts; add one with `--font`")


@dataclass(frozen=True, slots=True)
class Ramp:
    """How the hardest severity of a batch grows with the batches made: clean pictures first.

    A network that sees only hard pictures from the start does not learn to align at all.
    """

    clean: int
    """batches at `floor`"""
    full: int
    """batches after which the ceiling is 1"""
    floor: float = 0.1

    def ceiling(self, batch: int) -> float:
        """The hardest severity of batch number `batch`."""
        if batch >= self.full:
            return 1.0
        grown = max(0, batch - self.clean) / max(1, self.full - self.clean)
        return self.floor + (1.0 - self.floor) * grown


class _Endless(IterableDataset):
    """The batches from number `start` on, shared out among the worker processes in turn."""

    def __init__(self, studio: Studio, ramp: Ramp, seed: int, start: int, finish: bool) -> None:
        self._studio, self._ramp, self._seed = studio, ramp, seed
        self._start, self._finish = start, finish

    def __iter__(self) -> Iterator[tuple[int, Strips | Batch]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        torch.set_num_threads(1)
        maker = StripMaker(self._studio.faces, self._studio.texts)
        number = self._start + first
        while True:
            rng = np.random.default_rng((self._seed, number))
            strips = self._studio.strips(rng, self._ramp.ceiling(number), maker)
            if self._finish:
                generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
                yield number, self._studio.finish(strips, generator)
            else:
                yield number, strips
            number += step


def batches(
    studio: Studio, ramp: Ramp, seed: int, start: int, processes: int, device: torch.device
) -> Iterator[Batch]:
    """Yield batches from number `start` on, made by `processes` worker processes, ahead of use.

    Batch number n is the same whenever it is asked for, on the same kind of device.
    """
    here = device.type == "cuda"
    loader = DataLoader(
        _Endless(studio, ramp, seed, start, finish=not here),
        batch_size=None,
        num_workers=processes,
        prefetch_factor=4 if processes else None,
        pin_memory=here,
        worker_init_fn=_unshaken if processes else None,
    )
    if not here:
        yield from (made for _, made in loader)
        return
    studio = Studio(
        studio.texts, studio.faces, studio.surfaces.to(device), studio.size, studio.batch
    )
    for number, strips in loader:
        generator = torch.Generator(device).manual_seed(hash((seed, number)) % 2**62)
        yield studio.finish(strips.to(device), generator)


def _unshaken(worker: int) -> None:
    step_aside()


def training_studio(material: Path, texts: Texts, size: tuple[int, int], batch: int) -> Studio:
    """The studio of a folder of training material.

    Raises:
        ConfigError: the folder holds no faces; the text says how to fetch them.
    """
    return Studio(
        texts, faces(material).training, Surfaces.load(material, _SURFACES, 1), size, batch
    )


_SURFACES = 400
_TRIES = 50
_INKED = 0.92
"""Share of a crop's width that its line takes, about."""
