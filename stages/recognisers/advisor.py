"""Asks for an opinion on a doubtful line: the likeliest texts in, the one that both believe out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np

from stages.recognisers.beams import Legal
from stages.recognisers.decoding import Line
from stages.recognisers.opinion import Opinion, Pool, Seen, anything, right
from stages.recognisers.reader import View
from stages.recognisers.steering import Steering
from stages.records import Candidate

WIDTH = 6
"""TrOCR's texts that are weighed. On 6,000 rendered marks 2, 4, 6 and 12 left 600, 596, 592 and 593
wrong."""

_LEAST = 1e-300
"""Of a probability whose logarithm is taken."""


class Advisor:
    """Lets PP-OCR judge between the texts that TrOCR holds for likely, and its own reading.

    A text has at most `most_tokens` of the tokenizer's tokens.
    """

    def __init__(self, tokenizer: Any, most_tokens: int) -> None:
        self._tokenizer, self._most_tokens, self._opinion = tokenizer, most_tokens, Opinion()
        self._all = anything(tokenizer)
        self._masks = Steering(tokenizer).masks(self._all)

    def __enter__(self) -> Self:
        self.model = self._opinion.__enter__().model
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opinion.__exit__(kind, error, trace)

    def advise(self, crop: np.ndarray, view: View, line: Line) -> Advice | None:
        """Choose between the line, its likeliest rivals and PP-OCR's own reading.

        `crop` is (H, W[, 3]) uint8, `view` looks at it, and `line` what they spell; a line that was
        cut is no choice. None where nothing is left to choose from.

        Raises:
            RecogniserError: onnxruntime failed.
        """
        seen = self._opinion.of(crop)
        likely = view.legal(self._all, self._masks, WIDTH)
        tokens = {each.text.strip(): each.tokens for each in reversed(likely)}
        own = {each.text.strip(): each.log_probability for each in reversed(likely)}
        spelt: dict[str, Line] = {}
        read = tuple(step.token for step in line.steps) if line.end else None
        for text, spelling in (
            (self._decode(read or ()), read),
            (seen.text, self._spelling(seen.text)),
        ):
            if spelling is not None and text not in own:
                spelt[text] = view.spelt(spelling)
                tokens[text], own[text] = spelling, _log(spelt[text])
        texts = [text for text in own if text]
        if not texts:
            return None
        pool = Pool(np.array([own[text] for text in texts]), seen.log_probabilities(texts))
        logs = pool.log_posteriors()
        best = int(logs.argmax())
        chosen = texts[best]
        return Advice(
            spelt.get(chosen) or view.spelt(tokens[chosen]), math.exp(logs[best]), pool, seen
        )

    def _decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True).strip()

    def _spelling(self, text: str) -> tuple[int, ...] | None:
        """The tokens of a text; None where there are none, or too many."""
        tokens = tuple(self._tokenizer.encode(text, add_special_tokens=False))
        fits = len(tokens) <= self._most_tokens
        return tokens if text and fits and self._decode(tokens) == text else None


@dataclass(frozen=True, slots=True)
class Advice:
    """The text that both believe, as a line, with its posterior among all that were weighed."""

    line: Line
    posterior: float
    _pool: Pool
    _seen: Seen

    @property
    def probability(self) -> float:
        """The probability, 0 to 1, that the text is right."""
        return right(self.posterior)

    def candidates(self, legal: Sequence[Legal]) -> tuple[Candidate, ...]:
        """The texts of a format with the logs of the probabilities that they are right.

        What the chosen text loses to the chance that none of the texts is right, they lose too.
        """
        if not legal:
            return ()
        logs = self._pool.log_posteriors(
            np.array([each.log_probability for each in legal]),
            self._seen.log_probabilities([each.text for each in legal]),
        )
        lost = math.log(self.probability / self.posterior)
        judged = sorted(zip(np.minimum(logs + lost, 0.0), legal, strict=True), key=_likeliest)
        return tuple(Candidate(each.text, float(log)) for log, each in judged)


def _likeliest(judged: tuple[float, Legal]) -> float:
    return -judged[0]


def _log(line: Line) -> float:
    return math.log(max(line.probability, _LEAST))
