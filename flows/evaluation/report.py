"""Prints an evaluation: a row for each set and recogniser, in tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.evaluation.calibration import Reliability
from flows.evaluation.risk import Curve, OperatingPoint
from flows.evaluation.scores import Confusion, Scores

_SHOWN_CONFUSIONS = 12


@dataclass(frozen=True, slots=True)
class Result:
    """Everything measured of one recogniser on one set."""

    set_name: str
    contender: str
    scores: Scores
    curve: Curve
    points: tuple[OperatingPoint, ...]
    reliability: Reliability


def show(results: Sequence[Result], models: Sequence[str], console: Console) -> None:
    """Print the tables of all results, under a line for each model."""
    for model in models:
        console.print(model, highlight=False)
    console.print()
    for table in (_scores(results), _coverage(results), _confusions(results)):
        console.print(table, "")
    console.print(
        "exact and CER: upper-cased, [A-Z0-9] kept; in brackets as written. ms: one picture a call,"
        " without decoding the file.\n"
        "coverage: pictures whose code may be given out, by a threshold of the confidence (over),"
        " so that at most so many of those codes are wrong (wrong/given).\n"
        "intervals, 95 %: of coverage by bootstrap over pictures, of false reads after Clopper and"
        " Pearson. ECE: expected calibration error of the confidence.\n"
        "never read: characters of the labels, outside [A-Z0-9], that no reading has; it may be"
        " that the recogniser cannot write them.",
        style="dim",
        highlight=False,
    )


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in heads:
        listed = head in ("read as", "never read")
        left = listed or head in ("set", "recogniser")
        table.add_column(head, justify="left" if left else "right", no_wrap=not listed)
    return table


def _scores(results: Sequence[Result]) -> Table:
    heads = ("set", "recogniser", "pictures", "exact", "CER", "false text", "ms mean", "ms p95")
    table = _table(*heads)
    for each in results:
        table.add_row(each.set_name, each.contender, *_score_cells(each.scores))
    if len({each.set_name for each in results}) > 1:
        for name in dict.fromkeys(each.contender for each in results):
            own = [each.scores for each in results if each.contender == name]
            table.add_row("mean", name, *_mean_cells(own), style="bold")
    return table


def _score_cells(scores: Scores) -> tuple[str, ...]:
    plain, written = scores.plain, scores.written
    return (
        str(scores.pictures),
        f"{_percent(plain.exact)} ({_percent(written.exact)})",
        f"{_rate(plain.character_error_rate)} ({_rate(written.character_error_rate)})",
        f"{scores.false_texts}/{scores.blanks}",
        f"{scores.ms_mean:.1f}",
        f"{scores.ms_p95:.1f}",
    )


def _mean_cells(own: Sequence[Scores]) -> tuple[str, ...]:
    """Means over sets, each set counting alike."""
    exact = [np.mean([getattr(each, kind).exact for each in own]) for kind in ("plain", "written")]
    rates = [
        [getattr(each, kind).character_error_rate for each in own] for kind in ("plain", "written")
    ]
    means = [
        None if (kept := [rate for rate in every if rate is not None]) == [] else np.mean(kept)
        for every in rates
    ]
    return (
        str(sum(each.pictures for each in own)),
        f"{_percent(exact[0])} ({_percent(exact[1])})",
        f"{_rate(means[0])} ({_rate(means[1])})",
        f"{sum(each.false_texts for each in own)}/{sum(each.blanks for each in own)}",
        f"{np.mean([each.ms_mean for each in own]):.1f}",
        "",
    )


def _coverage(results: Sequence[Result]) -> Table:
    targets = [point.target for point in results[0].points]
    table = _table("set", "recogniser", *(f"coverage at {100 * each:g} %" for each in targets))
    table.add_column("ECE", justify="right")
    for each in results:
        error = each.reliability.expected_error
        cells = [_point(point) for point in each.points]
        table.add_row(each.set_name, each.contender, *cells, f"{error:.3f}")
    return table


def _point(point: OperatingPoint) -> str:
    low, high = point.coverage_interval
    least, most = point.risk_interval
    coverage = f"{_percent(point.coverage)} [{100 * low:.0f}-{100 * high:.0f}]"
    if point.threshold is None:
        return coverage
    return (
        f"{coverage} over {point.threshold:.4f}\n"
        f"{point.wrong}/{point.given} [{100 * least:.2f}-{100 * most:.2f} %]"
    )


def _confusions(results: Sequence[Result]) -> Table:
    table = _table("set", "recogniser", "read as", "never read")
    for each in results:
        scores = each.scores
        cells = (
            "  ".join(map(confusion_in_words, every[:_SHOWN_CONFUSIONS])) or "-"
            for every in (scores.confusions, scores.never_read)
        )
        table.add_row(each.set_name, each.contender, *cells)
    return table


def confusion_in_words(confusion: Confusion) -> str:
    """`0>O 3` for a 0 read as an O three times; `-0` is lost, `+0` put in."""
    if not confusion.truth:
        return f"+{confusion.read} {confusion.count}"
    if not confusion.read:
        return f"-{confusion.truth} {confusion.count}"
    return f"{confusion.truth}>{confusion.read} {confusion.count}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f} %"
