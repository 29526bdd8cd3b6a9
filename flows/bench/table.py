"""Figures as tables for people: one for each part, a line for each figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from flows.bench.figure import Figure, ratio, verdict

_FEWEST_FOR_P95 = 20
_FEWEST_FOR_P99 = 100


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print the figures of a run, part by part, in the order given."""
    for part in dict.fromkeys(each.part for each in figures):
        mine = [each for each in figures if each.part == part]
        console.print(_table(part, mine), highlight=False, markup=False)
        for note in dict.fromkeys(f"{each.series}: {each.note}" for each in mine if each.note):
            console.print(f"  {note}", highlight=False, markup=False, soft_wrap=True)
        console.print()


def _table(part: str, figures: Sequence[Figure]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(part, no_wrap=True)
    axes = list(dict.fromkeys(each.axis for each in figures if each.axis))
    spread = any(len(each.samples) >= _FEWEST_FOR_P95 for each in figures)
    heads = [*([axes[0] if len(axes) == 1 else "at"] if axes else []), "median"]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    tail = ["middle half", *(["p95", "p99"] if spread else []), "of its peer", "target", "met"]
    for head in tail:
        table.add_column(head, justify="right", no_wrap=True)
    for each in figures:
        cells = [each.series]
        if axes:
            words = "" if each.at is None else f"{each.at:,g}"
            cells.append(words if len(axes) == 1 or not words else f"{words} {each.axis}")
        cells += [number(each.median), each.unit, _middle(each)]
        if spread:
            cells += [
                number(float(np.percentile(each.samples, share)))
                if len(each.samples) >= fewest
                else ""
                for share, fewest in ((95, _FEWEST_FOR_P95), (99, _FEWEST_FOR_P99))
            ]
        found, met = ratio(each, figures), verdict(each, figures)
        words = found and f"{found.median:.2f} ({found.low:.2f}-{found.high:.2f})"
        cells.append(words or "")
        cells += [str(each.target or ""), {True: "yes", False: "NO", None: ""}[met]]
        table.add_row(*cells)
    return table


def _middle(figure: Figure) -> str:
    low, high = figure.quartiles
    return "" if len(figure.samples) == 1 else f"{number(low)}-{number(high)}"


def number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"
