"""Gaussian blur, shift and coordinates on a stretched canvas, in natural lengths.

A canvas stretches its strip to `squeeze` = 8 / aspect columns for every row's length, so that what
is round in the strip is an ellipse here. Lengths are given in rows.
"""

from __future__ import annotations

import math

import torch

MARGIN = 48
"""Columns of nothing between both ends, which the periodic transform takes for neighbours."""


def blur(
    pictures: torch.Tensor,
    sigma: torch.Tensor,
    squeeze: torch.Tensor,
    down: torch.Tensor | None = None,
    right: torch.Tensor | None = None,
) -> torch.Tensor:
    """Gaussian blur of (N, rows, columns) by `sigma` (N,), moved `down` and `right` (N,), in rows.

    A matrix product down the rows and a Fourier transform along them, so that every sample has its
    own sigma and the price does not depend on it. What lies outside counts as 0.
    """
    count, rows, columns = pictures.shape
    if count == 0:
        return pictures
    device = pictures.device
    at = torch.arange(rows, device=device, dtype=pictures.dtype)
    distance = (at[:, None] - at)[None]
    if down is not None:
        distance = distance - down[:, None, None]
    # A narrower kernel, moved by half a row, would fall between the rows and weigh too little.
    wide = sigma.clamp(min=0.45)[:, None, None]
    kernel = torch.exp(-0.5 * (distance / wide) ** 2) / (math.sqrt(2 * math.pi) * wide)
    kernel = kernel / kernel.sum(2, keepdim=True).clamp(min=1.0)
    mixed = torch.bmm(kernel, pictures)
    length = columns + MARGIN
    frequency = torch.fft.rfftfreq(length, device=device)
    transfer = torch.exp(-2 * (math.pi * frequency * (sigma * squeeze)[:, None]) ** 2)
    if right is not None:
        turn = -2 * math.pi * frequency * (right * squeeze)[:, None]
        transfer = torch.polar(transfer, turn)
    spectrum = torch.fft.rfft(mixed, n=length, dim=2)
    spectrum *= transfer[:, None]
    return torch.fft.irfft(spectrum, n=length, dim=2)[:, :, :columns]


def slopes(height: torch.Tensor, squeeze: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Central differences of (N, rows, columns) along and down, per row; 0 at the borders."""
    along, down = torch.zeros_like(height), torch.zeros_like(height)
    torch.sub(height[:, :, 2:], height[:, :, :-2], out=along[:, :, 1:-1])
    along *= (0.5 * squeeze)[:, None, None]
    torch.sub(height[:, 2:], height[:, :-2], out=down[:, 1:-1])
    down *= 0.5
    return along, down


def across(
    pictures: torch.Tensor, aspect: torch.Tensor, angle: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Natural coordinate at `angle` (N,) to the lines, in parts (N, rows, 1) and (N, 1, columns).

    Both are 0 in the middle, and their sum is the coordinate; the strip is 1 high, `aspect` wide.
    """
    _, rows, columns = pictures.shape
    y = (torch.arange(rows, device=pictures.device) + 0.5) / rows - 0.5
    x = (torch.arange(columns, device=pictures.device) + 0.5) / columns - 0.5
    return (angle.sin()[:, None] * y)[:, :, None], ((angle.cos() * aspect)[:, None] * x)[:, None]
