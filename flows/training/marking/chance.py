"""Chance in batches: one value a sample, and which samples an effect falls on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Chance:
    """Draws from one generator, on its device."""

    generator: torch.Generator

    def uniform(
        self, count: int, low: float | torch.Tensor = 0.0, high: float | torch.Tensor = 1.0
    ) -> torch.Tensor:
        """(count,) values between `low` and `high`, which may differ by sample."""
        drawn = torch.rand(count, generator=self.generator, device=self.generator.device)
        return low + (high - low) * drawn

    def log_uniform(self, count: int, low: float, high: float) -> torch.Tensor:
        """(count,) values whose logarithms are uniform."""
        return self.uniform(count, math.log(low), math.log(high)).exp()

    def sign(self, count: int, positive: float | torch.Tensor = 0.5) -> torch.Tensor:
        """(count,) of +1 and -1; `positive` is the share of +1."""
        return torch.where(self.uniform(count) < positive, 1.0, -1.0)

    def chosen(self, probability: torch.Tensor) -> torch.Tensor:
        """Indices of the samples that an effect of `probability` (N,) falls on."""
        return (self.uniform(len(probability)) < probability).nonzero()[:, 0]


def plane(values: torch.Tensor) -> torch.Tensor:
    """(N,) as (N, 1, 1), to meet pictures."""
    return values[:, None, None]


def tailed(chance: Chance, count: int, power: float = 2.0) -> torch.Tensor:
    """Return (count,) in -1..1 that crowd at 0: most cameras are nearly right, few far off."""
    return chance.uniform(count) ** power * chance.sign(count)


def normal(chance: Chance, shape: tuple[int, ...]) -> torch.Tensor:
    """Return numbers of mean 0 and standard deviation 1."""
    generator = chance.generator
    return torch.randn(shape, generator=generator, device=generator.device)
