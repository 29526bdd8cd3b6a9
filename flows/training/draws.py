"""Distributions that cameras need, drawn from `Chance`."""

from __future__ import annotations

import torch

from flows.training.chance import Chance


def tailed(chance: Chance, count: int, power: float = 2.0) -> torch.Tensor:
    """Return (count,) in -1..1 that crowd at 0: most cameras are nearly right, few far off."""
    return chance.uniform(count) ** power * chance.sign(count)


def normal(chance: Chance, shape: tuple[int, ...]) -> torch.Tensor:
    """Return numbers of mean 0 and standard deviation 1."""
    generator = chance.generator
    return torch.randn(shape, generator=generator, device=generator.device)
