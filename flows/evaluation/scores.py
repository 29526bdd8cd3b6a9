"""Scores of what was read against what is there: exact match, character errors, confusions, time.

The main score compares texts after upper-casing and keeping [A-Z0-9], as scene-text benchmarks do
(Baek et al. 2019, arXiv 1904.01906); beside it stands the text as written.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from flows.evaluation.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Errors:
    """Shares, 0 to 1: texts that are exactly right, and the character error rate.

    The latter is the sum of the Levenshtein distances over the sum of the true lengths, so it may
    exceed 1; None where there is no true character.
    """

    exact: float
    character_error_rate: float | None


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often `truth` was read as `read`; one of the two is empty where a character is
    inserted or lost."""

    truth: str
    read: str
    count: int


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of one recogniser on one set; `ms` is wall time a picture, without decoding.

    `blanks` pictures have nothing to be read, and in `false_texts` of them something was.
    `never_read` are characters outside [A-Z0-9] that stand in texts and in nothing that was read:
    it may be that the recogniser cannot write them.
    """

    pictures: int
    plain: Errors
    written: Errors
    blanks: int
    false_texts: int
    ms_mean: float
    ms_p95: float
    confusions: tuple[Confusion, ...]
    never_read: tuple[Confusion, ...]


def plain(text: str) -> str:
    """The text upper-cased, with [A-Z0-9] kept: what the main score compares."""
    return re.sub("[^A-Z0-9]", "", text.upper())


def is_right(prediction: Prediction) -> bool:
    """Whether the main score counts it as right."""
    return plain(prediction.predicted) == plain(prediction.text)


def score(predictions: Sequence[Prediction]) -> Scores:
    """Score at least one prediction."""
    pairs = [(each.text, each.predicted) for each in predictions]
    plain_pairs = [(plain(truth), plain(read)) for truth, read in pairs]
    blanks = [read for truth, read in pairs if not truth]
    times = [each.ms for each in predictions if each.ms is not None] or [math.nan]
    return Scores(
        pictures=len(predictions),
        plain=_errors(plain_pairs),
        written=_errors(pairs),
        blanks=len(blanks),
        false_texts=sum(bool(read) for read in blanks),
        ms_mean=float(np.mean(times)),
        ms_p95=float(np.percentile(times, 95)),
        confusions=confusions(plain_pairs),
        never_read=_never_read(pairs),
    )


def _errors(pairs: Sequence[tuple[str, str]]) -> Errors:
    length = sum(len(truth) for truth, _ in pairs)
    distance = sum(Levenshtein.distance(truth, read) for truth, read in pairs)
    right = sum(truth == read for truth, read in pairs)
    return Errors(right / len(pairs), distance / length if length else None)


def confusions(pairs: Sequence[tuple[str, str]]) -> tuple[Confusion, ...]:
    """Count the edits that turn each truth into what was read, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for truth, read in pairs:
        for edit in Levenshtein.editops(truth, read):
            lost = "" if edit.tag == "insert" else truth[edit.src_pos]
            put = "" if edit.tag == "delete" else read[edit.dest_pos]
            counts[lost, put] += 1
    return _ordered(counts)


def _never_read(pairs: Sequence[tuple[str, str]]) -> tuple[Confusion, ...]:
    written = {char for _, read in pairs for char in read}
    counts = Counter(
        (char, "")
        for truth, _ in pairs
        for char in truth
        if char not in written and not char.isspace() and not plain(char)
    )
    return _ordered(counts)


def _ordered(counts: Counter[tuple[str, str]]) -> tuple[Confusion, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Confusion(truth, read, count) for (truth, read), count in ordered)
