"""Fits a calibration, and measures how far probabilities can be trusted (reliability)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flows.evaluation.intervals import clopper_pearson
from stages.recognisers.calibration import FEATURES, MONOTONE, Calibration, Evidence, features

_RIDGE = 0.1
"""A Gaussian prior of deviation 3 for each weight on standardised features."""
_STEPS = 100
_SWEEPS = 200
_CLOSE = 1e-9


@dataclass(frozen=True, slots=True)
class Bin:
    """Transcripts of neighbouring probability: the mean of it, and the share that is right.

    `interval` is Clopper and Pearson's at 95 % for that share.
    """

    count: int
    probability: float
    share: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """The reliability curve, and the expected calibration error: the mean gap, by count."""

    bins: tuple[Bin, ...]
    expected_error: float


def fit(
    evidence: Sequence[Evidence], right: Sequence[bool], *, model: str, fitted_on: str
) -> Calibration:
    """Fit a logistic regression whose monotone weights are not negative.

    Newton's method (iteratively reweighted least squares) with a small ridge on standardised
    features; each step solves its quadratic under the bounds by coordinate descent. The targets
    are Platt's smoothed ones (Platt 1999), so that data without errors give no certainty.

    Raises:
        ValueError: there is no evidence, or not one truth for each.
    """
    if not evidence or len(evidence) != len(right):
        raise ValueError(f"{len(right)} truths for {len(evidence)} transcripts")
    values = np.array([features(each) for each in evidence])
    centre, spread = values.mean(axis=0), values.std(axis=0)
    used = spread > _CLOSE
    spread = np.where(used, spread, 1.0)
    inputs = np.column_stack([(values - centre) / spread * used, np.ones(len(values))])
    least = np.where(np.arange(inputs.shape[1]) < MONOTONE, 0.0, -np.inf)
    solved = _solve(inputs, _smoothed(np.asarray(right, bool)), least)
    weights = solved[:-1] / spread
    return Calibration(
        features=FEATURES,
        weights=tuple(map(float, weights)),
        bias=float(solved[-1] - weights @ centre),
        model=model,
        fitted_on=fitted_on,
        pictures=len(evidence),
    )


def _smoothed(right: np.ndarray) -> np.ndarray:
    good = int(right.sum())
    return np.where(right, (good + 1) / (good + 2), 1 / (len(right) - good + 2))


def _solve(inputs: np.ndarray, targets: np.ndarray, least: np.ndarray) -> np.ndarray:
    """The weights of the least ridge-penalised cross-entropy, none under its bound."""
    ridge = np.full(inputs.shape[1], _RIDGE)
    ridge[-1] = 0.0

    def loss(weights: np.ndarray) -> float:
        score = inputs @ weights
        return float(np.logaddexp(0, score).sum() - targets @ score + ridge @ weights**2 / 2)

    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        chances = 0.5 * (1 + np.tanh(inputs @ weights / 2))
        slope = inputs.T @ (chances - targets) + ridge * weights
        curvature = (inputs.T * (chances * (1 - chances))) @ inputs + np.diag(ridge)
        step = _bounded(curvature + np.eye(len(weights)) * _CLOSE, slope, least - weights)
        now, share = loss(weights), 1.0
        while share > _CLOSE and loss(weights + share * step) > now:
            share /= 2
        if np.abs(share * step).max() < _CLOSE or share <= _CLOSE:
            break
        weights = weights + share * step
    return weights


def _bounded(curvature: np.ndarray, slope: np.ndarray, least: np.ndarray) -> np.ndarray:
    """The step of the least `slope . step + step . curvature . step / 2`, each at least `least`."""
    step = np.zeros(len(slope))
    for _ in range(_SWEEPS):
        before = step.copy()
        for at in range(len(step)):
            rest = slope[at] + curvature[at] @ step - curvature[at, at] * step[at]
            step[at] = max(-rest / curvature[at, at], least[at])
        if np.abs(step - before).max() < _CLOSE:
            break
    return step


def reliability(
    probabilities: Sequence[float], right: Sequence[bool], bins: int = 10
) -> Reliability:
    """Hold probabilities against what is true, in bins of about equal count.

    Equal counts rather than equal widths, since most transcripts are nearly sure (Nguyen and
    O'Connor 2015, arXiv 1508.05154). No bins and NaN where there is nothing.
    """
    order = np.argsort(np.asarray(probabilities, float), kind="stable")
    chances, truth = np.asarray(probabilities, float)[order], np.asarray(right, bool)[order]
    found = []
    for part in np.array_split(np.arange(len(order)), bins):
        if len(part):
            good = int(truth[part].sum())
            interval = clopper_pearson(good, len(part))
            mean = float(chances[part].mean())
            found.append(Bin(len(part), mean, good / len(part), interval))
    gaps = [each.count * abs(each.probability - each.share) for each in found]
    return Reliability(tuple(found), sum(gaps) / len(order) if len(order) else float("nan"))
