"""One run of the benchmark: measured, printed as it goes, kept and drawn."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from flows.bench.figure import Figure
from flows.bench.parts import Size, chosen, measured
from flows.bench.plots import draw
from flows.bench.saved import load, run_of, this_machine
from flows.bench.saved import save as keep
from flows.bench.table import show as tabulate

_LEAST_WIDTH = 150
"""Columns of text: a narrower terminal wraps the lines rather than losing figures."""


def measure(
    parts: Sequence[str],
    size: Size,
    changes: Mapping[str, Any],
    *,
    save: Path | None,
    plots: Path | None,
) -> None:
    """Measure these parts and print each when it is done.

    Raises:
        MarkwatchError: there is no such part or size, or something that it needs is missing.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    console = _console()
    names = chosen(parts)
    machine = this_machine()
    console.print(
        f"{machine.processor}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.system},"
        f" Python {machine.python}, {machine.at}"
    )
    # So that what the parts have started is ended with it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    figures: list[Figure] = []
    for own in measured(names, size, changes, errors.print):
        tabulate(own, console)
        figures += own
        if save is not None:
            keep(run_of(own), save)
    _draw(load(save).figures if save is not None else figures, plots, errors)


def show(run: Path, plots: Path | None) -> None:
    """Print a saved run, and draw it.

    Raises:
        ConfigError: there is no such file, or it is no run.
    """
    found = load(run)
    console = _console()
    for part, machine in found.machines.items():
        console.print(f"{part}: {machine.processor}, {machine.cores} cores, {machine.at}")
    tabulate(found.figures, console)
    _draw(found.figures, plots, Console(stderr=True, soft_wrap=True, highlight=False))


def _draw(figures: Sequence[Figure], plots: Path | None, errors: Console) -> None:
    if plots is not None:
        for path in draw(figures, plots):
            errors.print(f"drew {path}")


def _console() -> Console:
    console = Console(markup=False, highlight=False)
    console.width = max(console.width, _LEAST_WIDTH)
    return console
