"""A run of the benchmark as a JSON file: what was measured, on what, and when."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from flows.bench.figure import Figure, Target
from flows.cluster.place import cores
from stages.errors import ConfigError

_PACKAGES = ("markwatch", "torch", "opencv-python-headless", "onnxruntime", "distributed", "numpy")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and when a run was made."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    at: str


@dataclass(frozen=True, slots=True)
class Run:
    """Figures, and where each part of them was measured."""

    machines: dict[str, Machine]
    figures: tuple[Figure, ...]

    def joined(self, later: Run) -> Run:
        """Both, with the later one's parts in the place of this one's."""
        kept = tuple(each for each in self.figures if each.part not in later.machines)
        return Run({**self.machines, **later.machines}, kept + later.figures)


def this_machine() -> Machine:
    """What a reader must know to compare."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=packages,
        at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def run_of(figures: Sequence[Figure]) -> Run:
    """Figures that were measured here and now."""
    machine = this_machine()
    return Run(dict.fromkeys((each.part for each in figures), machine), tuple(figures))


def save(run: Run, path: Path) -> None:
    """Write a run; parts that the file has and the run has not are kept.

    Raises:
        ConfigError: the file is there and is no run, or cannot be written.
    """
    whole = load(path).joined(run) if path.exists() else run
    content = {
        "machines": {part: asdict(machine) for part, machine in whole.machines.items()},
        "figures": [asdict(figure) for figure in whole.figures],
    }
    written = path.with_name(f"{path.name}.part")
    try:
        written.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(written, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def load(path: Path) -> Run:
    """Read a run.

    Raises:
        ConfigError: there is no such file, or it is no run.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        machines = {part: Machine(**machine) for part, machine in content["machines"].items()}
        return Run(machines, tuple(_figure(each) for each in content["figures"]))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no run of `markwatch bench --save` ({error}); name another file"
        ) from error


def _figure(content: dict[str, Any]) -> Figure:
    target = content["target"]
    values = {**content, "samples": tuple(content["samples"])}
    return Figure(**{**values, "target": target and Target(**target)})


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
