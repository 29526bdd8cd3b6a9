"""Bad files and bad engines, among good pictures that must not suffer from them.

First the corpus of `tests/poison.py`: a block of good pictures alone and one with the corpus beside
them in turns, so that whatever else the machine does falls on both. Then recognisers that crash,
hang, leak, lie and raise, with a worker process; and a flow that is killed while one hangs.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import markwatch_faults as engine
import poison
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE, content, drop
from faults.progress import wait_on
from plants import Plant, run

PER_SECOND = 10.0
CAMERAS = 2
RATIO = 1.25
ENOUGH = 200
"""With fewer pictures a quantile says more about the machine than about its neighbours."""

ATTEMPTS = 3
DEADLINE_SECONDS = 4
GAVE_UP = f"gave up after {ATTEMPTS} attempts: "
LEVELS = {
    "crash": (engine.CRASH, f"{GAVE_UP}the worker died"),
    "hang": (engine.HANG, f"{GAVE_UP}the worker died: restarted after a deadline"),
    "leak": (engine.LEAK, f"{GAVE_UP}the worker died"),
    "raise": (engine.RAISE, f"{GAVE_UP}the engine says no"),
    "bug": (engine.BUG, "ZeroDivisionError"),
    "too few texts": (engine.SHORT, "did not return one transcript per crop"),
    "no number": (engine.NAN, "cannot be written"),
}
NEEDS_WORKER = ("crash", "hang", "leak")


def bad_company(trial: Trial) -> Figures:
    """Drop the corpus and the engines' triggers among good pictures; look at all of them."""
    delays, files = _corpus(trial)
    alone, beside = (_p95(delays[kind]) for kind in ("alone", "beside"))
    if len(delays["alone"]) >= ENOUGH:
        words = f"p95 {alone:.3f} s alone, {beside:.3f} s beside the corpus"
        trial.expect_in_time(beside <= RATIO * alone, words)
    measured: dict[str, Any] = {
        "neighbours' p95 alone, s": alone,
        "beside the corpus": f"{beside / alone:.2f} times",
        **_engines(trial),
    }
    if trial.scale:
        measured["reads of a hang, killed between"] = _killed_while_it_hangs(trial)
    return Figures(
        size=f"{files} bad and odd files, {len(_kinds(trial))} broken engines,"
        f" {sum(map(len, delays.values())):,} neighbours",
        measured=measured,
    )


GATE = Gate(8, "poison", bad_company)


def _corpus(trial: Trial) -> tuple[dict[str, list[float]], int]:
    """Blocks with and without the corpus: the neighbours' delays by block, and how many files."""
    plant = _plant(trial, "corpus", isolated=bool(trial.scale))
    plant.start()
    plant.wait_for("watching")
    delays: dict[str, list[float]] = {"alone": [], "beside": []}
    count, files, bad = trial.of(100, 12), 0, 0
    for _ in range(trial.of(5, 1)):
        for kind, found in delays.items():
            cases = _cases(trial) if kind == "beside" else []
            files += len(cases)
            bad += sum(not case.readable for case in cases)
            moves = [partial(_move, case.path, plant.inbox("poison")) for case in cases]
            good = sum(map(len, delays.values()))
            found += _block(plant, range(good, good + count), moves)
            plant.wait_until(
                lambda due=good + count + files: plant.reported() == due, "the whole block"
            )
            for case in cases:
                _judge(trial, plant, case.path.name, case.words)
    _end(trial, plant, failed=bad)
    return delays, files


def _cases(trial: Trial) -> list[poison.Case]:
    folder = trial.folder / "made"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return [case for case in poison.make(folder) if case.path.is_file()]


def _move(path: Path, folder: Path) -> None:
    # As bytes: some names are no text.
    source = os.fsencode(path)
    os.rename(source, os.path.join(os.fsencode(folder), os.path.basename(source)))


def _block(plant: Plant, numbers: range, others: Sequence[Callable[[], object]]) -> list[float]:
    """Drop these good pictures at their pace and the others among them; the good ones' delays."""
    dropped_at: dict[str, float] = {}
    pause = threading.Event()
    for place, number in enumerate(numbers):
        dropped_at[f"{number:06d}.png"] = time.time()
        drop(plant.inbox(f"cam-{number % CAMERAS}"), number)
        for other in others[place :: len(numbers)]:
            other()
        pause.wait(1 / PER_SECOND)
    plant.wait_until(lambda: dropped_at.keys() <= _read_at(plant).keys(), "the good pictures")
    read_at = _read_at(plant)
    return [read_at[name] - at for name, at in dropped_at.items()]


def _read_at(plant: Plant) -> dict[str, float]:
    found = plant.query(
        "SELECT name, read_at FROM images JOIN rows ON rows.image = images.id"
        " WHERE images.camera LIKE 'cam-%'"
    )
    return {name: datetime.fromisoformat(at).timestamp() for name, at in found}


def _engines(trial: Trial) -> dict[str, float]:
    """What breaks an engine among good pictures: each is given up for its own reason."""
    kinds = _kinds(trial)
    plant = _plant(trial, "engines", isolated=bool(trial.scale))
    plant.start()
    plant.wait_for("watching")
    count, broken = trial.of(200, 8), itertools.count(1_000_000)
    breakers = [
        partial(_write, plant.inbox("bad") / f"{kind}.png", content(next(broken), level))
        for kind, (level, _) in kinds.items()
    ]
    # One at a time, far apart: what they cost their neighbours is then told apart.
    spread = [act for each in breakers for act in (each, *[_nothing] * (count // len(kinds) - 1))]
    delays = _block(plant, range(count), spread)
    wait_on(plant, lambda: plant.reported() == count + len(kinds), "giving up the bad ones")
    for kind, (_, words) in kinds.items():
        _judge(trial, plant, f"{kind}.png", words)
    _end(trial, plant, failed=len(kinds))
    return {
        "beside broken engines, median s": statistics.median(delays),
        "p95 s": _p95(delays),
        "slowest s": max(delays),
    }


def _kinds(trial: Trial) -> dict[str, tuple[int, str]]:
    every = LEVELS.items()
    return {kind: one for kind, one in every if trial.scale or kind not in NEEDS_WORKER}


def _killed_while_it_hangs(trial: Trial) -> int:
    """Kill the flow during the second attempt; how often the picture was read in all."""
    plant = _plant(trial, "killed", isolated=True)
    _write(plant.inbox("bad") / "hang.png", content(0, engine.HANG))
    plant.start()
    plant.wait_until(lambda: plant.claimed("attempts=2"), "the second attempt")
    plant.kill()
    plant.start()
    wait_on(plant, lambda: plant.reported() == 1, "giving it up")
    _judge(trial, plant, "hang.png", LEVELS["hang"][1])
    _end(trial, plant, failed=1)
    reads = len((trial.folder / "killed-reads").read_text().splitlines())
    # The attempt that was cut off by the kill is nobody's fault, and made again.
    trial.expect(ATTEMPTS <= reads <= ATTEMPTS + 1, f"it was read {reads} times")
    return reads


def _plant(trial: Trial, name: str, *, isolated: bool) -> Plant:
    site = SITE.replace("settle_seconds: 12", "settle_seconds: 0.5").replace(
        "use: scripted", f"use: scripted, marker: '{trial.folder / name}-reads'"
    )
    worker = f"scheduler: worker, memory_limit_mb: 1024, deadline_seconds: {DEADLINE_SECONDS}"
    return trial.plant(
        name, site.replace("scheduler: threads", worker) if isolated else site, RECIPE
    )


def _judge(trial: Trial, plant: Plant, name: str, words: str | None) -> None:
    """A bad file failed for its reason, with the way to read it again beside it."""
    if words is None:
        return
    rows = plant.query(
        f"SELECT id, target, reason FROM images WHERE name='{name}' ORDER BY id DESC LIMIT 1"
    )
    trial.expect(rows and rows[0][2] and words in rows[0][2], f"{name}: {rows}, not {words!r}")
    ((key, target, reason),) = rows
    note = json.loads(Path(plant.root, f"{target.decode()}.reason.json").read_text())
    trial.expect(note["reason"] == reason, f"{name}: the note says {note['reason']!r}")
    trial.expect(note["read_again"] == f"markwatch reread {key}", f"{name}: {note}")


def _end(trial: Trial, plant: Plant, *, failed: int) -> None:
    trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    trial.expect(len(plant.filed("failed")) == failed, "not exactly the bad files failed")
    audited = run("audit", "--root", str(plant.root))
    trial.expect(audited.returncode == 0, f"audit: {audited.stdout[-500:]}{audited.stderr[-500:]}")


def _write(path: Path, data: bytes) -> None:
    aside = path.with_suffix(".part")
    aside.write_bytes(data)
    aside.rename(path)


def _nothing() -> None:
    pass


def _p95(delays: Sequence[float]) -> float:
    return statistics.quantiles(delays, n=20, method="inclusive")[-1]
