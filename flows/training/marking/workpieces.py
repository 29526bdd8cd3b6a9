"""Surfaces about to be marked, and the marks to make on them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch


@dataclass(frozen=True, slots=True)
class Workpieces:
    """A batch of N surfaces and marks; pictures are (N, 48, 384), all else (N,).

    `ground` is the surface's grey and `texture` what is uneven in it, at zero mean and about unit
    deviation, of which it shows `roughness`. `ink` is the mark's coverage, `contrast` its signed
    difference of tone. `aspect` is natural width by height, `stroke` the stroke's width in rows,
    `severity` how worn the mark may be. `raised`, `painted` and `conical` are as in `Look`.
    """

    ground: torch.Tensor
    texture: torch.Tensor
    ink: torch.Tensor
    roughness: torch.Tensor
    contrast: torch.Tensor
    aspect: torch.Tensor
    stroke: torch.Tensor
    severity: torch.Tensor
    raised: torch.Tensor
    painted: torch.Tensor
    conical: torch.Tensor

    def __len__(self) -> int:
        return len(self.aspect)

    @property
    def squeeze(self) -> torch.Tensor:
        """Columns for a row's length (N,)."""
        return 8 / self.aspect

    def pick(self, index: torch.Tensor) -> Workpieces:
        """Some of them, in the order of `index`."""
        return Workpieces(**{each.name: getattr(self, each.name)[index] for each in fields(self)})
