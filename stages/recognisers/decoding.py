"""From a network's output to evidence: one `Character` per character, whatever the tokens were.

`ctc` decodes the output of a CTC head; `TokenReader` aligns the tokens of an autoregressive
decoder with the text that its tokenizer makes of them. Both are greedy, and both report what the
network said before any format was imposed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
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
                characters[-1] = _weakened(characters[-1], 1.0 - missed)
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


def _weakened(character: Character, by: float) -> Character:
    return replace(character, confidence=character.confidence * by)


@dataclass(frozen=True, slots=True)
class Step:
    """One decoding step: the token chosen, its probability, the best others with theirs.

    `end` is the probability that the text ended here.
    """

    token: int
    probability: float
    others: tuple[tuple[int, float], ...] = ()
    end: float = 0.0

    @property
    def margin(self) -> float:
        """Log-probability of the chosen token over its best rival, in nats."""
        rival = max((chance for _, chance in self.others), default=0.0)
        return math.log(self.probability / rival) if rival > 0.0 < self.probability else math.inf


@dataclass(frozen=True, slots=True)
class Line:
    """The steps that spell a line, and the one that ended it; None: the text was cut.

    Where the checkpoint has a CTC head, `draft_agrees` says whether its best path is the same
    text, and `draft_probability` is what it gives to this text over all alignments, 0 to 1.
    `doubtful` says that two of its tokens were too close to take it at the first look.
    """

    steps: tuple[Step, ...]
    end: Step | None
    draft_agrees: bool | None = None
    draft_probability: float | None = None
    doubtful: bool = False

    @property
    def probability(self) -> float:
        """What the network gives this text, 0 to 1; a text that was cut has none."""
        if self.end is None:
            return 0.0
        return math.prod(step.probability for step in (*self.steps, self.end))

    @property
    def margin(self) -> float:
        """Least log-probability of a chosen token over its best rival, in nats."""
        steps = self.steps if self.end is None else (*self.steps, self.end)
        return min((step.margin for step in steps), default=math.inf)


class TokenReader:
    """Turns decoding steps into transcripts with a transformers tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._special = frozenset(tokenizer.all_special_ids)
        self._unknown = tokenizer.unk_token_id
        self._silent = self._special - {self._unknown}
        anchor = tokenizer.encode("0", add_special_tokens=False)[-1:]
        self._anchor = [each for each in anchor if each not in self._special]
        self._pieces: dict[int, str] = {}

    def transcript(self, line: Line) -> Transcript:
        """Return the text that the tokenizer decodes, special tokens dropped, with its evidence.

        Each character that a token adds carries that token's probability; a character that
        several tokens spell together (bytes of UTF-8) carries their product and no alternative.
        The alternative comes from the likeliest other token that adds as many characters; where
        it agrees with the chosen one on a character, that character has none.

        What nearly stood where nothing stands is doubt about its neighbour: the last character's
        confidence is that the text went on so and then ended. (That it nearly ended earlier is
        doubt already: the end's probability is missing from the token that was chosen instead.)
        The last character of a text that was cut has no confidence at all.
        """
        visible = [step for step in line.steps if step.token not in self._special]
        texts = iter(self._growth([step.token for step in visible]))
        characters: list[Character] = []
        text = ""
        unspoken = 1.0
        for step in line.steps:
            if step.token in self._special:
                unspoken = _silence(characters, unspoken * self._nothing(step))
                continue
            longer = next(texts)
            if longer == text and characters:
                # one more byte of a character that is not complete yet
                characters[-1] = _weakened(characters[-1], step.probability)
                continue
            kept = _shared(text, longer)
            confidence = step.probability
            for replaced in characters[kept:]:
                confidence *= replaced.confidence
            weights = {} if characters[kept:] else self._rivals(step, len(longer) - kept)
            characters[kept:] = _spell(longer[kept:], confidence * unspoken, weights)
            if longer.strip():
                unspoken = 1.0
            else:
                # spaces before the text are dropped, and what nearly stood in their place with them
                unspoken *= self._nothing(step)
            text = longer
        ending = self._nothing(line.end) if line.end else 0.0
        read = transcript(characters)
        # spaces after it as well
        for step in reversed(visible):
            if self._piece(step.token).strip():
                break
            ending *= self._nothing(step)
        return _ended(read, ending)

    def _nothing(self, step: Step) -> float:
        """The probability that nothing visible stands where a token without text was chosen."""
        if step.token == self._unknown:
            # a character that the tokenizer cannot spell is there, and missing from the text
            return 1.0 - step.probability
        silent = [chance for token, chance in step.others if token in self._silent]
        return min(step.probability + math.fsum(silent), 1.0)

    def _growth(self, tokens: Sequence[int]) -> list[str]:
        """The text after each token."""
        pieces = [self._piece(token) for token in tokens]
        whole = self._decode(tokens)
        if all(pieces) and "".join(pieces) == whole and "\ufffd" not in whole:
            return list(accumulate(pieces))
        return [self._decode(tokens[:count]) for count in range(1, len(tokens) + 1)]

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


def _silence(characters: list[Character], nothing: float) -> float:
    """Let the last character bear what a token without text says; without one, pass it on."""
    if not characters:
        return nothing
    characters[-1] = _weakened(characters[-1], nothing)
    return 1.0


def _ended(read: Transcript, ending: float) -> Transcript:
    if not read.characters:
        return read
    *before, last = read.characters
    return replace(read, characters=(*before, _weakened(last, ending)))


def _shared(text: str, longer: str) -> int:
    """Length of the common start of two texts."""
    if longer.startswith(text):
        return len(text)
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
