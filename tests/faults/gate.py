"""What a gate is: one module `gate_<number>_<name>.py` with one `GATE`; and how gates are found.

A gate's function is given a `Trial`: a folder of its own, seeded chance, and how large to be. It
returns its size and figures, calls `trial.expect` on what must hold, and raises `NotHereError`
where the machine does not allow it.
"""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from plants import Plant

SEED = 20261121


class NotHereError(Exception):
    """This machine does not allow the gate; the words say what it lacks."""


class BrokenError(AssertionError):
    """Something that the gate insists on does not hold."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a gate did and measured, for its line of the table."""

    size: str
    measured: dict[str, Any]

    def line(self) -> str:
        """The figures in one line."""
        return ", ".join(f"{name} {_figure(value)}" for name, value in self.measured.items())


class Trial:
    """One run of one gate: `scale` 1 is full size, 0 the least that still says something."""

    def __init__(self, folder: Path, scale: float, seed: int = SEED) -> None:
        self.folder = folder
        self.scale = scale
        self.seed = seed
        self.chance = random.Random(seed)
        self._plants: list[Plant] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for plant in self._plants:
            if plant.process is not None:
                plant.kill()

    def plant(self, name: str, site: str, recipe: str | None = None) -> Plant:
        """A root of its own below the trial's folder; what runs in it ends with the trial."""
        plant = Plant(self.folder / name)
        plant.configure(site, recipe=recipe)
        self._plants.append(plant)
        return plant

    def of(self, full: int, least: int) -> int:
        """So many of something, by the scale."""
        return max(least, round(full * self.scale))

    def expect_in_time(self, true: object, words: str) -> None:
        """Insist on a pace, but not in small: tests run on machines that are busy.

        Raises:
            BrokenError: it is not so.
        """
        self.expect(true or self.scale == 0, words)

    def expect(self, true: object, words: str) -> None:
        """Insist on something.

        Raises:
            BrokenError: it is not so.
        """
        if not true:
            raise BrokenError(words)


@dataclass(frozen=True, slots=True)
class Gate:
    """A promise, and the function that tries to break it."""

    number: int
    title: str
    run: Callable[[Trial], Figures]


def gates() -> list[Gate]:
    """All gates, in order of their numbers."""
    names = [path.stem for path in Path(__file__).parent.glob("gate_*.py")]
    found = [importlib.import_module(f"faults.{name}").GATE for name in names]
    return sorted(found, key=lambda gate: gate.number)


def chosen(text: str) -> list[Gate]:
    """The gates whose numbers stand in the text; all of them when it is empty.

    Raises:
        ValueError: a number names no gate.
    """
    everyone = {gate.number: gate for gate in gates()}
    numbers = [int(word) for word in re.findall(r"\d+", text)] or list(everyone)
    if unknown := [number for number in numbers if number not in everyone]:
        raise ValueError(f"no gate {unknown[0]}; there are {', '.join(map(str, everyone))}")
    return [everyone[number] for number in numbers]


def _figure(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
