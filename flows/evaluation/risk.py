"""Risk and coverage: how many codes may be given out at a rate of false reads that is bearable.

A code is given out when its confidence reaches a threshold. Coverage is the share of all pictures
whose code is given out, risk the share of those codes that is wrong (selective prediction, El-Yaniv
and Wiener 2010, JMLR 11). A picture in which no text was read is never given out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flows.evaluation.intervals import LEVEL, clopper_pearson
from flows.evaluation.predictions import Prediction
from flows.evaluation.scores import is_right

TARGETS = (0.01, 0.005, 0.001)
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of falling threshold: each (points,), shares from 0 to 1, `given` and `wrong` counts.

    `pictures` counts those without text too.
    """

    pictures: int
    thresholds: np.ndarray
    given: np.ndarray
    wrong: np.ndarray

    @property
    def coverage(self) -> np.ndarray:
        return self.given / self.pictures

    @property
    def risk(self) -> np.ndarray:
        return self.wrong / self.given


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The largest coverage at a risk of at most `target`, on the pictures that it was chosen on.

    `threshold` is None where there is none. `risk_interval` is Clopper and Pearson's for the codes
    given out at this threshold; `coverage_interval` the bootstrap's percentiles over pictures, with
    the threshold chosen anew in each sample. Both are at 95 %.
    """

    target: float
    threshold: float | None
    pictures: int
    given: int
    wrong: int
    risk_interval: tuple[float, float]
    coverage_interval: tuple[float, float]

    @property
    def coverage(self) -> float:
        return self.given / self.pictures


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Predictions with text by falling confidence; `ends` are the last of each equal confidence."""

    confidences: np.ndarray
    wrong: np.ndarray
    ends: np.ndarray


def _ranked(predictions: Sequence[Prediction]) -> _Ranked:
    given = [each for each in predictions if each.confidence is not None]
    confidences = np.array([each.confidence for each in given], float)
    order = np.argsort(-confidences, kind="stable")
    confidences = confidences[order]
    wrong = np.array([not is_right(each) for each in given], bool)[order]
    ends = np.flatnonzero(np.append(np.diff(confidences) != 0, True)[: len(confidences)])
    return _Ranked(confidences, wrong, ends)


def risk_coverage(predictions: Sequence[Prediction]) -> Curve:
    """The curve over every threshold that makes a difference; no point when nothing was read."""
    ranked = _ranked(predictions)
    return Curve(
        pictures=len(predictions),
        thresholds=ranked.confidences[ranked.ends],
        given=ranked.ends + 1,
        wrong=np.cumsum(ranked.wrong)[ranked.ends],
    )


def operating_points(
    predictions: Sequence[Prediction],
    rng: np.random.Generator,
    targets: Sequence[float] = TARGETS,
) -> tuple[OperatingPoint, ...]:
    """The operating point at each target risk, with its intervals; `rng` draws the bootstrap."""
    curve, ranked, pictures = risk_coverage(predictions), _ranked(predictions), len(predictions)
    drawn = np.zeros((_RESAMPLES, len(targets)))
    for sample in drawn:
        # pictures without text are drawn too, as numbers past the ranked ones
        picks = np.bincount(rng.integers(pictures, size=pictures), minlength=pictures)
        times = picks[: len(ranked.wrong)]
        given = np.cumsum(times)[ranked.ends]
        wrong = np.cumsum(times * ranked.wrong)[ranked.ends]
        sample[:] = [_most(given, wrong, target) / pictures for target in targets]
    tails = 50 * (1 - LEVEL), 100 - 50 * (1 - LEVEL)
    points = []
    for target, coverages in zip(targets, drawn.T, strict=True):
        given = _most(curve.given, curve.wrong, target)
        at = int(np.searchsorted(curve.given, given))
        wrong = int(curve.wrong[at]) if given else 0
        low, high = np.percentile(coverages, tails)
        points.append(
            OperatingPoint(
                target=target,
                threshold=float(curve.thresholds[at]) if given else None,
                pictures=pictures,
                given=given,
                wrong=wrong,
                risk_interval=clopper_pearson(wrong, given),
                coverage_interval=(float(low), float(high)),
            )
        )
    return tuple(points)


def _most(given: np.ndarray, wrong: np.ndarray, target: float) -> int:
    """The largest number given out at a risk of at most `target`."""
    return int(given[wrong <= target * given].max(initial=0))
