"""A second opinion: PP-OCR judges the texts between which TrOCR wavers.

A crop and its likeliest texts with TrOCR's log-probabilities in, the posterior of each out. PP-OCR
learnt from real pictures and TrOCR's embedded weights from rendered ones, so they seldom err alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from stages.formats import Constraint
from stages.notation import MAX_LENGTH
from stages.recognisers.calibration import sigmoid
from stages.recognisers.decoding import ctc
from stages.recognisers.rapidocr import RapidocrRecogniser

OWN_POWER = 0.9
"""Power of TrOCR's probabilities in the pool: how much its sureness is worth."""

OTHER_POWER = 0.35
"""Power of PP-OCR's. On 6,000 rendered marks 0.1, 0.25, 0.35, 0.5 and 1 left 606, 592, 590, 600 and
624 wrong; without PP-OCR 638 were. Renders are what TrOCR knows, so it is the largest one that is
no worse on them than the best by more than the error of that difference."""

TRUST = 0.8
"""The chance that PP-OCR knows this kind of mark at all; fitted on the same renders (0.79)."""

BIAS, SLOPE = -0.33, 0.89
"""From the logit of a posterior to that of being right (Platt 1999): the truth is among the texts
in 88 of 100 doubtful lines. Fitted on the renders, whose two halves agree to 0.1."""

_LEAST = 1e-5
"""Of a step's probability: PP-OCR calls nothing impossible."""

_MOST_NATS = 1e4

_LEAST_POSTERIOR = 1e-6


class Opinion:
    """PP-OCR, asked about one crop at a time."""

    def __enter__(self) -> Self:
        self._engine = RapidocrRecogniser(RapidocrRecogniser.Options()).__enter__()
        self.model = self._engine.model
        self._classes: dict[str, list[int]] = defaultdict(list)
        for index, text in enumerate(self._engine.alphabet):
            self._classes[_folded(text)].append(index)
        return self

    def __exit__(self, *about: object) -> None:
        self._engine.__exit__(None, None, None)

    def of(self, crop: np.ndarray) -> Seen:
        """Look at a (H, W[, 3]) uint8 crop.

        Raises:
            RecogniserError: onnxruntime failed.
        """
        return Seen(self._engine.probabilities(crop), self._engine.alphabet, self._classes)


class Seen:
    """What PP-OCR sees: (T, C) CTC probabilities, blank first, over an `alphabet` of C texts.

    `classes` are the numbers of the texts in it that are one when case and spaces do not count.
    `text` is PP-OCR's own reading.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        alphabet: Sequence[str],
        classes: Mapping[str, Sequence[int]],
    ) -> None:
        self._probabilities, self._classes = probabilities, classes
        self.text = ctc(probabilities, alphabet).text

    def log_probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """The log-probability, (N,), of each text over all of its alignments (Graves et al. 2006).

        Case and spaces do not count: PP-OCR writes both as it likes. A character that it does not
        know is as likely as what it holds for impossible.
        """
        folded = [_folded(text) for text in texts]
        chars = sorted(set("".join(folded)))
        steps = [self._probabilities[:, self._classes.get(each, ())] for each in ("", *chars)]
        chances = np.stack([each.sum(1, dtype=np.float64) for each in steps], 1)
        places = {char: at for at, char in enumerate(chars, 1)}
        losses = nn.functional.ctc_loss(
            torch.from_numpy(np.log(np.maximum(chances, _LEAST)))[:, None].expand(
                -1, len(texts), -1
            ),
            torch.tensor([places[char] for text in folded for char in text]),
            torch.full((len(texts),), len(chances)),
            torch.tensor([len(text) for text in folded]),
            0,
            "none",
        )
        # more characters than there are steps
        return -np.minimum(losses.numpy(), _MOST_NATS)


@dataclass(frozen=True, slots=True)
class Pool:
    """Texts with the log-probabilities that TrOCR (`own`) and PP-OCR (`other`) give them, (N,).

    PP-OCR either knows this kind of mark or says nothing: its share of the pool is a mixture of
    what it says and an even chance, so it can favour a text, and never rule one out. With TrOCR it
    forms a logarithmic pool (Genest and Zidek 1986, doi 10.1214/ss/1177013825).
    """

    own: np.ndarray
    other: np.ndarray

    def log_posteriors(
        self, own: np.ndarray | None = None, other: np.ndarray | None = None
    ) -> np.ndarray:
        """The log of each text's posterior, (N,); of other texts, (M,), on the same scale."""
        weights = self._weights(self.own, self.other)
        whole = np.logaddexp.reduce(weights)
        if own is None or other is None:
            return weights - whole
        return self._weights(own, other) - whole

    def _weights(self, own: np.ndarray, other: np.ndarray) -> np.ndarray:
        said = OTHER_POWER * other - np.logaddexp.reduce(OTHER_POWER * self.other)
        heard = math.log(TRUST) + said
        return OWN_POWER * own + np.logaddexp(heard, math.log((1.0 - TRUST) / len(self.own)))


def anything(tokenizer: Any) -> Constraint:
    """The format of all texts that a transformers tokenizer spells."""
    special = frozenset(tokenizer.all_special_ids)
    tokens = [[each] for each in range(len(tokenizer)) if each not in special]
    spelt = "".join(tokenizer.batch_decode(tokens, skip_special_tokens=True))
    chars = "".join(sorted(set(spelt) - {"\ufffd"}))
    return Constraint(".*", 0, MAX_LENGTH, ((chars, (0,) * len(chars)),), frozenset({0}))


def right(posterior: float) -> float:
    """The probability, 0 to 1, that a text of this posterior is right."""
    chance = min(max(posterior, _LEAST_POSTERIOR), 1.0 - _LEAST_POSTERIOR)
    return sigmoid(BIAS + SLOPE * (math.log(chance) - math.log1p(-chance)))


def _folded(text: str) -> str:
    return "".join(text.split()).lower()
