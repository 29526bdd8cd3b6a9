"""The parts of the benchmark by name, and one run of some of them."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

from flows.bench.figure import Figure, Say
from stages.errors import ConfigError

Size = Literal["quick", "usual", "full"]

PARTS: dict[str, str] = {
    "limit": "the encoder beside its matrix products",
    "original": "the original program's way beside the recipe, step by step",
    "pipeline": "the walk beside the bare loop: rate, processor time, memory",
    "latency": "from a drop to the MQTT message, alone and under load",
    "startup": "from the start to the first reading, and --help",
    "growth": "more files in the inbox, more cameras",
    "ledger": "more rows in the ledger",
    "parquet": "questions to a year of Parquet",
    "cluster": "more workers of a Dask cluster",
}
_MODULES = {"cluster": "scaling"}
_USUAL = ("pipeline", "latency")
EVERY = "all"


def chosen(names: Sequence[str]) -> list[str]:
    """The parts that are named, in their own order; without names those of the walk.

    Raises:
        ConfigError: there is no such part.
    """
    if unknown := [name for name in names if name not in PARTS and name != EVERY]:
        raise ConfigError(f"no part is called {unknown[0]!r}; there are: {', '.join(PARTS)}, all")
    wanted = PARTS if EVERY in names else names or _USUAL
    return [name for name in PARTS if name in wanted]


def measured(
    names: Sequence[str], size: Size, changes: Mapping[str, Any], say: Say
) -> Iterator[list[Figure]]:
    """The figures of these parts, a part at a time.

    `changes` are sizes by the name that they have in the parts' `Sizes`.

    Raises:
        ConfigError: none of these parts has such a size, or something that a part needs is missing.
    """
    modules = {
        name: importlib.import_module(f"flows.bench.{_MODULES.get(name, name)}") for name in names
    }
    sizes = {name: _sizes(module, size) for name, module in modules.items()}
    for change in changes:
        if not any(change in _names(each) for each in sizes.values()):
            flag = "load" if change == "loads" else change
            raise ConfigError(f"`--{flag}` says nothing of {', '.join(names)}; leave it out")
    for name, module in modules.items():
        own = {key: value for key, value in changes.items() if key in _names(sizes[name])}
        with tempfile.TemporaryDirectory(prefix=f"markwatch-bench-{name}-") as folder:
            yield list(module.measure(replace(sizes[name], **own), say, Path(folder)))


def _sizes(module: Any, size: Size) -> Any:
    if size == "quick":
        return module.QUICK
    return getattr(module, "FULL", module.Sizes()) if size == "full" else module.Sizes()


def _names(sizes: Any) -> set[str]:
    return {field.name for field in fields(sizes)}
