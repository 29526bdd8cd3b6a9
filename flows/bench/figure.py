"""What every bench gives: figures, each with its samples, and beside which peer it stands.

A ratio is that of one run: where the peer was measured in turns with it, sample by sample.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Say = Callable[[str], None]
"""Told what is being measured, because a full run takes long."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should come to: its ratio to the peer, or its own median in its unit."""

    of: Literal["ratio", "value"]
    at_least: float | None = None
    at_most: float | None = None

    def met(self, found: float) -> bool:
        """Whether a ratio or a value is within it."""
        low = self.at_least is None or found >= self.at_least
        return low and (self.at_most is None or found <= self.at_most)

    def __str__(self) -> str:
        bound, sign = (self.at_least, "≥") if self.at_least is not None else (self.at_most, "≤")
        return f"{sign} {bound:g}{'x' if self.of == 'ratio' else ''}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity as it was measured, `samples` in `unit`.

    `part` is the bench, `series` what is measured of whom, `at` where on an axis (rows, workers,
    load; `axis` says which, with its unit). `peer` is a series of the same part and unit, there at
    `peer_at`, or else at the same place, or at none; `paired` says that sample i was taken next to
    the peer's sample i.
    """

    part: str
    series: str
    unit: str
    samples: tuple[float, ...]
    axis: str | None = None
    at: float | None = None
    peer: str | None = None
    peer_at: float | None = None
    paired: bool = False
    target: Target | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"{self.part}, {self.series}: nothing was measured")

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The middle half of the samples; a single one twice."""
        return _quartiles(self.samples)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure over its peer: the median, and the middle half."""

    median: float
    low: float
    high: float


def ratio(figure: Figure, figures: Iterable[Figure]) -> Ratio | None:
    """The figure over its peer; None where it has none among these figures."""
    if figure.peer is None:
        return None
    alike = [
        each
        for each in figures
        if (each.part, each.series, each.unit) == (figure.part, figure.peer, figure.unit)
    ]
    places = [figure.at if figure.peer_at is None else figure.peer_at, None]
    here = sorted(
        (each for each in alike if each.at in places), key=lambda each: places.index(each.at)
    )
    if not here:
        return None
    peer = here[0]
    if figure.paired and len(peer.samples) == len(figure.samples):
        pairs = [a / b for a, b in zip(figure.samples, peer.samples, strict=True)]
        return Ratio(statistics.median(pairs), *_quartiles(pairs))
    low, high = figure.quartiles
    middle = peer.median
    return Ratio(figure.median / middle, low / middle, high / middle)


def verdict(figure: Figure, figures: Iterable[Figure]) -> bool | None:
    """Whether the target is met; None where there is none, or no peer to compare with."""
    if figure.target is None:
        return None
    if figure.target.of == "value":
        return figure.target.met(figure.median)
    found = ratio(figure, figures)
    return None if found is None else figure.target.met(found.median)


def interleaved(
    rounds: int, contenders: Mapping[str, Callable[[], float]]
) -> dict[str, tuple[float, ...]]:
    """Measure the contenders in turns (ABAB), so that a slow spell of the machine slows them all.

    Each is called once more before the first round, and that sample is thrown away.
    """
    for measure in contenders.values():
        measure()
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            samples[name].append(measure())
    return {name: tuple(taken) for name, taken in samples.items()}


def _quartiles(samples: Sequence[float]) -> tuple[float, float]:
    if len(samples) == 1:
        return samples[0], samples[0]
    cuts = statistics.quantiles(samples, n=4, method="inclusive")
    return cuts[0], cuts[2]
