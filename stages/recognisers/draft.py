"""The CTC head on the encoder: a guess of the text, and a second opinion on it.

Checkpoints that carry `ctc_head.safetensors` were trained with connectionist temporal
classification beside the decoder (Graves et al. 2006). Its classes are the token ids, its blank is
the padding token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import nn

from stages.recognisers.layers import Linear


@dataclass(frozen=True, slots=True)
class CtcWeights:
    """A linear map from an encoder state to token ids: `weight` (V, D), `bias` (V,) float32."""

    weight: torch.Tensor
    bias: torch.Tensor


class CtcHead:
    """Reads a line from the states of its patches.

    `grid` is rows and columns of patches, whose states come last (after those of class tokens);
    `silent` tokens have no place in a draft.
    """

    def __init__(
        self,
        weights: CtcWeights,
        grid: tuple[int, int],
        blank: int,
        silent: frozenset[int],
        device: torch.device,
    ) -> None:
        self._map = Linear(weights.weight.to(device), weights.bias.to(device))
        self._grid, self._blank, self._silent = grid, blank, silent | {blank}

    def log_probabilities(self, encoded: torch.Tensor) -> torch.Tensor:
        """Return (B, columns, V) for (B, tokens, D) states; the rows of patches are averaged."""
        rows, columns = self._grid
        batch, _, width = encoded.shape
        patches = encoded[:, -rows * columns :].view(batch, rows, columns, width)
        logits = self._map(
            patches.mean(1).view(-1, width) if rows > 1 else patches.reshape(-1, width)
        )
        return logits.view(batch, columns, -1).log_softmax(-1)

    def drafts(self, log_probabilities: torch.Tensor) -> list[list[int]]:
        """Return the tokens of each line's best path: runs collapse, blanks fall away."""
        paths = log_probabilities.argmax(-1).tolist()
        return [
            [token for token, _ in groupby(path) if token not in self._silent] for path in paths
        ]

    def probabilities(
        self, log_probabilities: torch.Tensor, texts: Sequence[Sequence[int]]
    ) -> list[float]:
        """Return the probability of each text over all of its alignments, 0 to 1."""
        lengths = [len(text) for text in texts]
        columns = log_probabilities.shape[1]
        losses = nn.functional.ctc_loss(
            log_probabilities.transpose(0, 1),
            torch.tensor(
                [token for text in texts for token in text], device=log_probabilities.device
            ),
            torch.full((len(texts),), columns),
            torch.tensor(lengths),
            self._blank,
            "none",
        )
        return [
            0.0 if self._blank in text else math.exp(-loss)
            for text, loss in zip(texts, losses.tolist(), strict=True)
        ]
