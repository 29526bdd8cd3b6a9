"""From a decoder's logits to the steps of its lines: probabilities, rivals and ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from stages.recognisers.decoding import Line, Step

_RIVALS = 4
_KEPT_LOGITS = 1 << 20
"""Logits that wait until their probabilities are computed together, at most, in all."""


class Book:
    """Notes down each step's probabilities; one of `ends` ends a text.

    Logits wait and become probabilities together, but not for long: a published checkpoint that
    never ends would leave 800 MB of them for eight crops.
    """

    def __init__(self, count: int, ends: frozenset[int]) -> None:
        self._steps: list[list[Step]] = [[] for _ in range(count)]
        self._ends = ends
        self._waiting: list[torch.Tensor] = []
        self._noted: list[tuple[int, int]] = []

    def note(self, rows: Sequence[int], logits: torch.Tensor, tokens: Sequence[int]) -> None:
        """Note for some rows, which may repeat, the (N, V) logits and what was chosen."""
        self._waiting.append(logits)
        self._noted += zip(rows, tokens, strict=True)
        if len(self._noted) * logits.shape[-1] > _KEPT_LOGITS:
            self._settle()

    def lines(self) -> list[Line]:
        """Return what was noted of each row; a row that has not ended was cut."""
        self._settle()
        return [
            Line(tuple(each[:-1]), each[-1])
            if each and each[-1].token in self._ends
            else Line(tuple(each), None)
            for each in self._steps
        ]

    def _settle(self) -> None:
        if not self._waiting:
            return
        chances = torch.cat(self._waiting).softmax(-1)
        device = chances.device
        tokens = torch.tensor([token for _, token in self._noted], device=device)
        own = chances.gather(1, tokens[:, None])[:, 0]
        if own.isnan().any():
            raise ValueError("the network computed NaN; try `encoder_dtype: float32`")
        end = chances[:, torch.tensor(sorted(self._ends), dtype=torch.long, device=device)].sum(-1)
        best = chances.topk(min(_RIVALS + 1, chances.shape[-1]), -1)
        rows = zip(
            self._noted,
            own.tolist(),
            end.tolist(),
            best.indices.tolist(),
            best.values.tolist(),
            strict=True,
        )
        for (row, token), probability, ending, rivals, values in rows:
            others = [each for each in zip(rivals, values, strict=True) if each[0] != token]
            self._steps[row].append(Step(token, probability, tuple(others[:_RIVALS]), ending))
        self._waiting, self._noted = [], []
