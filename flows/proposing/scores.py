"""How well a trial reads, and whether one trial reads clearly better than another.

Where the code is known, a picture scores how like it the text is, and the confidence: for it if the
text is right, against it if it is wrong. Elsewhere it scores the calibrated confidence, reduced
where less text was read than another trial read surely: a filter that wipes out half a code leaves
the other half clear.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from rapidfuzz.distance import Levenshtein

from flows.proposing.trials import Line, Picture

Seen = tuple[tuple[Line, ...], ...]
"""The lines of each picture, view by view: all pictures in the first view, then in the next."""

SURE = 0.5
"""From this confidence on a text is more likely right than wrong."""

_LEAST_GAINS = {1: 0.25, 2: 0.15}
_LEAST_GAIN = 0.05
_STUDENT = (6.31, 2.92, 2.35, 2.13, 2.02)
"""Of Student's t for 1 degree of freedom on, the quantile at 95 %, one-sided; for more about 2."""


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much one trial scores above another: the mean over pictures, and what chance gives.

    `chance` is the mean that pictures as different as these reach by chance in one of 20 cases.
    """

    mean: float
    chance: float
    least: float

    @property
    def is_clear(self) -> bool:
        """Whether it is at least `least`, and more than chance gives."""
        return self.mean >= self.least and self.mean >= self.chance

    @property
    def is_loss(self) -> bool:
        """Whether the trial reads worse, be it by chance."""
        return self.mean < -_LEAST_GAIN / 2


def least_gain(pictures: int) -> float:
    """The gain that counts at all: with few pictures only a large one."""
    return _LEAST_GAINS.get(pictures, _LEAST_GAIN)


def gain(before: Sequence[float], after: Sequence[float], pictures: int) -> Gain:
    """The gain of two or more paired scores; views of a picture are so many observations."""
    gains = [new - old for old, new in zip(before, after, strict=True)]
    error = stdev(gains) / math.sqrt(len(gains))
    quantile = _STUDENT[len(gains) - 2] if len(gains) - 2 < len(_STUDENT) else 2.0
    return Gain(fmean(gains), quantile * error, least_gain(pictures))


def codes_seen(seen: Seen, pictures: Sequence[Picture]) -> tuple[Line | None, ...]:
    """The line of each picture and view that is, or would be, its code.

    It is the one most like the known code. Elsewhere it is the one in which most was read; before
    texts without a digit, and before texts that stand alike in other pictures, as a label's words
    do.
    """
    everywhere = Counter(text for lines in seen for text in {line.text for line in lines})
    views = len(seen) // len(pictures)
    alike = {text for text, count in everywhere.items() if count > views}

    def preference(line: Line) -> tuple[bool, bool, float]:
        has_digit = any(char.isdigit() for char in line.text)
        return line.text not in alike, has_digit, line.weight

    chosen: list[Line | None] = []
    for lines, picture in zip(seen, pictures * views, strict=True):
        if (code := picture.code) is not None:
            # of equally near ones the surest
            best = min(
                lines,
                key=lambda line: (Levenshtein.distance(line.text, code), -line.confidence),
                default=None,
            )
        else:
            best = max(lines, key=preference, default=None)
        chosen.append(best)
    return tuple(chosen)


def scores(
    chosen: Sequence[Line | None], pictures: Sequence[Picture], longest: Sequence[int]
) -> tuple[float, ...]:
    """The score of each picture and view, at most 1; `longest` is the length of its full text."""
    views = len(chosen) // len(pictures)
    rows = zip(chosen, list(pictures) * views, list(longest) * views, strict=True)
    return tuple(_score(line, picture, most) for line, picture, most in rows)


def _score(line: Line | None, picture: Picture, longest: int) -> float:
    if line is None:
        return 0.0
    if picture.code is not None:
        alike = Levenshtein.normalized_similarity(line.text, picture.code)
        return (alike + (line.confidence if alike == 1 else -line.confidence)) / 2
    return line.confidence * min(1.0, len(line.text) / max(longest, 1))


def longest_sure(trials: Sequence[Sequence[Line | None]], pictures: int) -> tuple[int, ...]:
    """For each picture the length of the longest text that any trial read more surely than not."""
    most = [0] * pictures
    for chosen in trials:
        for index, line in enumerate(chosen):
            if line is not None and line.confidence >= SURE:
                most[index % pictures] = max(most[index % pictures], len(line.text))
    return tuple(most)
