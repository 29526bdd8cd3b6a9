"""A bank of grey surfaces to mark, held as uint8 tensors and cropped in batches on their device.

Painted from noise (`textures.py`) or cut from pictures. Besides the surfaces themselves there are
masks of blotches and of scratches.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from flows.training.drawing.layout import CANVAS
from flows.training.marking.textures import (
    DEVIATION,
    MIDDLE,
    PAINTERS,
    Substrate,
    fractal,
    scratches,
    standardise,
)
from flows.training.material.fetch import MANIFEST, TEXTURE, manifest
from stages.errors import ConfigError

TILE = (256, 768)
"""Rows and columns of one stored surface, in natural pixels."""

MASKS = 32
"""How many masks of each sort a bank holds."""

PHOTOGRAPHS = 1 / 3
"""The part of a loaded bank that is cut from pictures."""

SMALLEST_PICTURE = 64


@dataclass(frozen=True, slots=True)
class Surfaces:
    """Stored surfaces and masks.

    `tiles` (K, 256, 768), `blotches` and `scratches` (M, 256, 768) are uint8. `substrates` (K,) is
    long and sorted, so that each substrate is one run of `tiles`. Blotches have an even histogram:
    those below `255 * p` cover a share `p` of the area.
    """

    tiles: torch.Tensor
    substrates: torch.Tensor
    blotches: torch.Tensor
    scratches: torch.Tensor

    @classmethod
    def procedural(cls, count: int, seed: int) -> Surfaces:
        """`count` painted surfaces, the substrates in turn."""
        return cls._of(_painted(count, np.random.default_rng(seed)), seed)

    @classmethod
    def load(cls, folder: Path, count: int, seed: int) -> Surfaces:
        """`count` surfaces, a `PHOTOGRAPHS` part cut from pictures of the folder's manifest.

        Raises:
            ConfigError: there is no picture in it that can be read.
        """
        rng = np.random.default_rng(seed)
        cuts = _photographed(folder, round(count * PHOTOGRAPHS), rng)
        if not cuts:
            raise ConfigError(
                f"{folder / MANIFEST}: lists no picture of a surface that can be read; run "
                f"`python -m flows.training.material.fetch {folder}`"
            )
        return cls._of(_painted(count - len(cuts), rng) + cuts, seed)

    @classmethod
    def _of(cls, tiles: list[tuple[Substrate, np.ndarray]], seed: int) -> Surfaces:
        rng = np.random.default_rng([seed, 1])
        tiles = sorted(tiles, key=lambda pair: pair[0])
        clouds = [fractal(rng, *TILE, rng.uniform(4, 40), 5) for _ in range(MASKS)]
        blotches = [cv2.equalizeHist(standardise(cloud)) for cloud in clouds]
        lines = [scratches(rng, *TILE, int(rng.integers(8, 60))) for _ in range(MASKS)]
        return cls(
            torch.from_numpy(np.stack([tile for _, tile in tiles])),
            torch.tensor([int(substrate) for substrate, _ in tiles]),
            torch.from_numpy(np.stack(blotches)),
            torch.from_numpy((255 * np.stack(lines)).astype(np.uint8)),
        )

    def to(self, device: torch.device | str) -> Surfaces:
        """The same bank on another device."""
        return Surfaces(
            self.tiles.to(device),
            self.substrates.to(device),
            self.blotches.to(device),
            self.scratches.to(device),
        )

    def sample(
        self, aspect: torch.Tensor, preference: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Random crops (N, 48, 384), about zero mean and unit deviation, for strips of `aspect`.

        `preference` (N, substrates) weighs the substrates for each sample; those that the bank does
        not hold are left out. A row is 0.5 to 3 pixels of a tile.
        """
        counts = torch.bincount(self.substrates, minlength=len(Substrate))
        weights = preference * (counts > 0)
        weights = weights + 1e-6 * (counts > 0)
        substrate = torch.multinomial(weights, 1, generator=generator)[:, 0]
        drawn = torch.rand(len(aspect), generator=generator, device=aspect.device)
        starts = counts.cumsum(0) - counts
        index = starts[substrate] + (drawn * counts[substrate]).long()
        crops = _crops(self.tiles, index, aspect, (0.5, 3.0), generator)
        return (crops - MIDDLE) / DEVIATION

    def sample_blotches(
        self, aspect: torch.Tensor, zoom: tuple[float, float], generator: torch.Generator
    ) -> torch.Tensor:
        """Random crops (N, 48, 384) of the blotches in 0..1."""
        return self._masks(self.blotches, aspect, zoom, generator)

    def sample_scratches(self, aspect: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Random crops (N, 48, 384) of the scratches in 0..1."""
        return self._masks(self.scratches, aspect, (0.5, 1.5), generator)

    @staticmethod
    def _masks(
        bank: torch.Tensor,
        aspect: torch.Tensor,
        zoom: tuple[float, float],
        generator: torch.Generator,
    ) -> torch.Tensor:
        index = torch.randint(len(bank), (len(aspect),), generator=generator, device=aspect.device)
        return _crops(bank, index, aspect, zoom, generator) / 255


def _painted(count: int, rng: np.random.Generator) -> list[tuple[Substrate, np.ndarray]]:
    substrates = list(PAINTERS)
    return [
        (substrate, standardise(PAINTERS[substrate](rng, *TILE)))
        for substrate in (substrates[number % len(substrates)] for number in range(count))
    ]


def _photographed(
    folder: Path, count: int, rng: np.random.Generator
) -> list[tuple[Substrate, np.ndarray]]:
    """Up to `count` tiles, each cut from another picture."""
    paths = [folder / piece.file for piece in manifest(folder) if piece.kind == TEXTURE]
    tiles = []
    for number in rng.permutation(len(paths))[:count]:
        picture = cv2.imread(str(paths[number]), cv2.IMREAD_GRAYSCALE)
        if picture is not None and min(picture.shape) >= SMALLEST_PICTURE:
            tiles.append((Substrate.PHOTOGRAPHED, _cut(picture, rng)))
    return tiles


def _cut(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random cut (256, 768), of 0.4 to 1 of what fits, its broad shading taken away."""
    height, width = picture.shape
    fits = min(height / TILE[0], width / TILE[1])
    rows, columns = (int(side * fits * rng.uniform(0.4, 1)) for side in TILE)
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    cut = picture[top : top + rows, left : left + columns].astype(np.float32)
    cut = cv2.resize(cut, TILE[::-1], interpolation=cv2.INTER_LINEAR)
    shading = cv2.resize(cut, (12, 4), interpolation=cv2.INTER_AREA)
    return standardise(cut - cv2.resize(shading, TILE[::-1], interpolation=cv2.INTER_CUBIC))


def _crops(
    bank: torch.Tensor,
    index: torch.Tensor,
    aspect: torch.Tensor,
    zoom: tuple[float, float],
    generator: torch.Generator,
) -> torch.Tensor:
    """Bilinear crops (N, 48, 384) of `bank[index]` (N, 256, 768) at random place, zoom and flip.

    `zoom` is the range of a row's length in pixels of a tile; what is too long is mirrored at its
    ends.
    """
    rows, columns = CANVAS
    drawn = torch.rand(5, len(aspect), 1, generator=generator, device=aspect.device)
    scale = zoom[0] * (zoom[1] / zoom[0]) ** drawn[0]
    y = _positions(rows, scale, bank.shape[1], drawn[1], drawn[2])
    x = _positions(
        columns, scale * aspect[:, None] * rows / columns, bank.shape[2], drawn[3], drawn[4]
    )
    top = y.long().clamp_(max=bank.shape[1] - 2)
    left = x.long().clamp_(max=bank.shape[2] - 2)
    lines = bank.view(-1, bank.shape[2])
    first = (index[:, None] * bank.shape[1] + top).flatten()
    above = lines.index_select(0, first).float()
    below = lines.index_select(0, first + 1).float()
    weight = (y - top).flatten()[:, None]
    strips = above.lerp_(below, weight).view(len(index), rows, bank.shape[2])
    left = left[:, None].expand(-1, rows, -1)
    return strips.gather(2, left).lerp_(strips.gather(2, left + 1), (x - left[:, 0])[:, None])


def _positions(
    count: int, step: torch.Tensor, extent: int, start: torch.Tensor, flip: torch.Tensor
) -> torch.Tensor:
    """Positions (N, count) `step` (N, 1) apart from a random start, mirrored into the extent."""
    last = extent - 1
    along = torch.arange(count, device=step.device) * step
    position = start * (last - along[:, -1:]).clamp(min=0) + along
    position = last - (position % (2 * last) - last).abs()
    return torch.where(flip < 0.5, position, last - position)
