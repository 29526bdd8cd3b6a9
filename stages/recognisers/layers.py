"""The two maps that a transformer is made of, without what a module costs at each call."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

_FEW_ROWS = 8
_SMALL_WEIGHT = 1 << 18
"""Up to here a packed call costs more than the product of a few rows: those go the plain way."""

_FUSED = {"": ("none", [], ""), "gelu": ("gelu", [], "none"), "relu": ("relu", [], "")}
"""Activations that oneDNN computes within the product, and how its operator is told so."""


class Linear:
    """`activation(rows @ weight.T + bias)` of (N, D) rows, in one type.

    On a CPU the weight is packed for oneDNN, as torch's own compiler does when it freezes a network
    (`torch/_inductor/mkldnn_lowerings.py`); a plain call would lay it out anew each time, or leave
    it to MKL, which takes twice as long on AMD. The operators are not public, so where they are
    missing or refuse, torch's plain ones do the same. Packed, a row's result does not depend on how
    many rows there are.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        dtype: torch.dtype = torch.float32,
        activation: str = "",
    ) -> None:
        weight = weight.to(dtype)
        self._bias = None if bias is None else bias.to(dtype)
        self._activation = _activation(activation)
        self._fused = _FUSED.get(activation, _FUSED[""])
        self._after = None if activation in _FUSED else self._activation
        self._packed = self._pack(weight)
        kept = self._packed is None or weight.numel() < _SMALL_WEIGHT
        self._weight = weight.t().contiguous() if kept else None

    @classmethod
    def stacked(
        cls, maps: Sequence[nn.Linear], dtype: torch.dtype = torch.float32, scale: float = 1.0
    ) -> Linear:
        """Join maps of the same input to one, with the outputs of the first times `scale`."""
        scales = [scale, *[1.0] * (len(maps) - 1)]
        weight = torch.cat([each.weight * by for each, by in zip(maps, scales, strict=True)])
        if maps[0].bias is None:
            return cls(weight, None, dtype)
        bias = torch.cat([each.bias * by for each, by in zip(maps, scales, strict=True)])
        return cls(weight, bias, dtype)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        few = rows.shape[0] < _FEW_ROWS and self._weight is not None
        if few or self._packed is None:
            if self._bias is None:
                out = torch.mm(rows, self._weight)
            else:
                out = torch.addmm(self._bias, rows, self._weight)
            return out if self._activation is None else self._activation(out)
        out = self._product(rows, self._packed, self._bias, *self._fused)
        return out if self._after is None else self._after(out)

    def _pack(self, weight: torch.Tensor) -> torch.Tensor | None:
        if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
            return None
        try:
            packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), 1)
            self._product = torch.ops.mkldnn._linear_pointwise.default
            row = weight.new_zeros(1, weight.shape[1])
            self._product(row, packed, self._bias, *self._fused)
        except (AttributeError, RuntimeError):
            return None
        return packed


class Norm:
    """A layer norm over the last axis."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        self._arguments = (norm.normalized_shape, norm.weight, norm.bias, norm.eps)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.layer_norm(rows, *self._arguments)


def _activation(name: str) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return the activation that transformers calls `name`; none where the name is empty."""
    plain = {"": None, "gelu": nn.functional.gelu, "relu": torch.relu}
    if name in plain:
        return plain[name]
    from transformers.activations import ACT2FN

    return ACT2FN[name]
