"""From a network's output to evidence: one `Character` per character, whatever the tokens were.

`ctc` decodes the output of a CTC head; `TokenReader` aligns the tokens of an autoregressive
decoder with the text that its tokenizer makes of them. Both are greedy, and both report what the
network said before any format was imposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from stages.records import Character, Transcript

_CTC_BLANK = 0
_RIVALS = 16


def transcript(characters: Iterable[Character]) -> Transcript:
    """Join characters to a transcript without the spaces before and after the text."""
    kept = list(characters)
    while kept and kept[0].char.isspace():
        del kept[0]
    while kept and kept[-1].char.isspace():
        del kept[-1]
    return Transcript("".join(each.char for each in kept), tuple(kept))


def ctc(probabilities: np.ndarray, alphabet: Sequence[str]) -> Transcript:
    """Decode (T, C) CTC probabilities greedily: runs of one class collapse, blanks (0) fall away.

    A character's confidence is the largest probability in its run (best-path decoding, Graves et
    al. 2006), where classes with the same text in `alphabet` count together; its alternative is
    the likeliest other text of the same length at that step, the blank left out. A character that
    the blank only just beat is missing from the text, so its probability is taken from its
    neighbour's confidence.
    """
    best = probabilities.argmax(axis=1)
    peaks = probabilities.max(axis=1)
    starts = np.flatnonzero(np.diff(best, prepend=-1)).tolist()
    characters: list[Character] = []
    doubt = 0.0
    for start, end in zip(starts, [*starts[1:], len(best)], strict=True):
        if best[start] == _CTC_BLANK:
            missed = _missed(probabilities, alphabet, start, end)
            if characters:
                characters[-1] = _doubted(characters[-1], missed)
            else:
                doubt = missed
            continue
        row = probabilities[start + int(peaks[start:end].argmax())]
        text = alphabet[int(best[start])]
        weights: dict[str, float] = {}
        for index in np.argpartition(row, -min(_RIVALS, len(row)))[-_RIVALS:]:
            rival = alphabet[int(index)]
            if len(rival) == len(text):
                weights[rival] = min(weights.get(rival, 0.0) + float(row[index]), 1.0)
        confidence = weights.pop(text)
        characters += _spell(text, confidence * (1.0 - doubt), weights)
        doubt = 0.0
    return transcript(characters)


_LEAST_MISSED = 0.4
"""Under this the blank beat the character clearly, and a doubt would only cost right readings."""


def _missed(probabilities: np.ndarray, alphabet: Sequence[str], start: int, end: int) -> float:
    """The largest probability of a character within a run of blanks, 0 to 1.

    The texts on either side of the run do not count: they rise and fall into it.
    """
    best = probabilities.argmax(axis=1)
    beside = {alphabet[int(best[at])] for at in (start - 1, end) if 0 <= at < len(best)}
    run = probabilities[start:end].copy()
    run[:, _CTC_BLANK] = 0.0
    for index in np.argsort(run.max(axis=0))[::-1]:
        if alphabet[int(index)] not in beside:
            missed = float(run[:, index].max())
            return missed if missed >= _LEAST_MISSED else 0.0
    return 0.0


def _doubted(character: Character, missed: float) -> Character:
    return replace(character, confidence=character.confidence * (1.0 - missed))


@dataclass(frozen=True, slots=True)
class Step:
    """One decoding step: the token chosen, its probability, and the best others with theirs."""

    token: int
    probability: float
    others: tuple[tuple[int, float], ...] = ()


class TokenReader:
    """Turns decoding steps into transcripts with a transformers tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.all_special_ids)
        self._unknown = tokenizer.unk_token_id
        anchor = tokenizer.encode("0", add_special_tokens=False)[-1:]
        self._anchor = [each for each in anchor if each not in self._special]
        self._pieces: dict[int, str] = {}

    def transcript(self, steps: Sequence[Step]) -> Transcript:
        """Return the text that the tokenizer decodes, special tokens dropped, with its evidence.

        Each character that a token adds carries that token's probability; a character that
        several tokens spell together (bytes of UTF-8) carries their product and no alternative.
        The alternative comes from the likeliest other token that adds as many characters; where
        it agrees with the chosen one on a character, that character has none.
        """
        tokens: list[int] = []
        characters: list[Character] = []
        text = ""
        doubt = 0.0
        for step in steps:
            if step.token == self._unknown:
                # A character that the tokenizer cannot spell is there, and missing from the text.
                if characters:
                    characters[-1] = _doubted(characters[-1], step.probability)
                else:
                    doubt = step.probability
            if step.token in self._special:
                continue
            tokens.append(step.token)
            longer = self._decode(tokens)
            if longer == text and characters:
                # one more byte of a character that is not complete yet
                last = characters[-1]
                characters[-1] = replace(last, confidence=last.confidence * step.probability)
                continue
            kept = _shared(text, longer)
            confidence = step.probability
            for replaced in characters[kept:]:
                confidence *= replaced.confidence
            weights = {} if characters[kept:] else self._rivals(step, len(longer) - kept)
            characters[kept:] = _spell(longer[kept:], confidence * (1.0 - doubt), weights)
            text, doubt = longer, 0.0
        return transcript(characters)

    def _rivals(self, step: Step, length: int) -> dict[str, float]:
        for token, probability in step.others:
            if token not in self._special and length:
                piece = self._piece(token)
                if len(piece) == length and "\ufffd" not in piece:
                    return {piece: probability}
        return {}

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            before = self._decode(self._anchor)
            self._pieces[token] = self._decode([*self._anchor, token])[len(before) :]
        return self._pieces[token]

    def _decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True)


def _shared(text: str, longer: str) -> int:
    """Length of the common start of two texts."""
    pairs = enumerate(zip(text, longer, strict=False))
    return next((at for at, (one, two) in pairs if one != two), min(len(text), len(longer)))


def _spell(text: str, confidence: float, rivals: dict[str, float]) -> list[Character]:
    """One character per character of `text`; `rivals` are texts of the same length."""
    best = max(rivals, key=rivals.__getitem__, default=text)
    return [
        Character(char, confidence)
        if char == other
        else Character(char, confidence, alternative=other, alternative_confidence=rivals[best])
        for char, other in zip(text, best, strict=True)
    ]
