"""Bad files and bad engines, among good pictures that must not suffer from them.

The corpus of `tests/poison.py`, and recognisers that crash, hang, leak and lie, each among good
pictures in blocks with and without them (`neighbours.py`); and a flow that is killed while one
hangs. What is wrong with a picture comes back, each time, with its reason and the way to read it
again.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import markwatch_faults as engine
import poison
from faults.gate import Figures, Gate, Trial
from faults.neighbours import Delays, in_turns
from faults.pictures import RECIPE, SITE, content, drop
from faults.progress import wait_on
from plants import Plant, run

RATIO = 1.25
ENOUGH = 200
"""With fewer pictures a quantile says more about the machine than about its neighbours."""

ATTEMPTS = 3
DEADLINE_SECONDS = 4
WORKER = (
    f"scheduler: worker, memory_limit_mb: 1024, deadline_seconds: {DEADLINE_SECONDS},"
    " patience_seconds: 0.5, standby_after_seconds: 0"
)
GAVE_UP = f"gave up after {ATTEMPTS} attempts: "
LIES = {
    "raise": (engine.RAISE, f"{GAVE_UP}the engine says no"),
    "bug": (engine.BUG, "ZeroDivisionError"),
    "too few texts": (engine.SHORT, "did not return one transcript per crop"),
    "no number": (engine.NAN, "cannot be written"),
}
KILLS = {
    "crash": {"crash": (engine.CRASH, f"{GAVE_UP}the worker died")},
    "hang": {"hang": (engine.HANG, f"{GAVE_UP}the worker died: restarted after a deadline")},
    "leak": {"leak": (engine.LEAK, f"{GAVE_UP}the worker died")},
}
COMES_AND_GOES = (
    "chunk lost",
    "standby ready",
    "the standby has the line",
    "the worker has the line again",
)


def bad_company(trial: Trial) -> Figures:
    """Drop the corpus and the engines' triggers among good pictures; look at all of them."""
    found, files = _corpus(trial)
    found |= _engines(trial)
    measured: dict[str, Any] = {
        f"p95 beside {kind}": delays.line() for kind, delays in found.items()
    }
    if trial.scale:
        measured["reads of a hang, killed between"] = _killed_while_it_hangs(trial)
    slow = [
        kind
        for kind, delays in found.items()
        if len(delays.alone) >= ENOUGH and delays.ratio > RATIO
    ]
    trial.expect_in_time(not slow, f"too slow beside {', '.join(slow)}: {measured}")
    good = sum(len(delays.alone) + len(delays.beside) for delays in found.values())
    return Figures(
        size=f"{files} bad and odd files, {len(found) - 1} ways to break an engine,"
        f" {good:,} neighbours",
        measured=measured,
    )


GATE = Gate(8, "poison", bad_company)


def _corpus(trial: Trial) -> tuple[dict[str, Delays], int]:
    """The neighbours' delays beside the corpus, and how many files it was."""
    plant = _plant(trial, "corpus", isolated=bool(trial.scale))
    plant.start()
    plant.wait_for("watching")
    size, blocks = trial.of(100, 12), trial.of(5, 1)
    cases: list[poison.Case] = []
    total, bad = 0, 0
    spare = itertools.count(1_000_000)

    def sound() -> list[Callable[[], object]]:
        # As many pictures as the corpus has files: what is measured is that those are bad.
        cases.clear()
        many = len(_cases(trial))
        return [partial(drop, plant.inbox("sound"), next(spare)) for _ in range(many)]

    def others() -> list[Callable[[], object]]:
        cases[:] = _cases(trial)
        return [partial(_move, case.path, plant.inbox("poison")) for case in cases]

    def settled(count: int) -> None:
        nonlocal total, bad
        total += size + count
        plant.wait_until(lambda: plant.reported() == total, "the whole block")
        if cases:
            bad += sum(not case.readable for case in cases)
            for case in cases:
                _judge(trial, plant, case.path.name, case.words)

    delays = in_turns(plant, range(2 * size * blocks), blocks, others, settled, sound)
    _end(trial, plant, failed=bad)
    return {"bad files": delays}, total - 2 * size * blocks - (next(spare) - 1_000_000)


def _cases(trial: Trial) -> list[poison.Case]:
    folder = trial.folder / "made"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return [case for case in poison.make(folder) if case.path.is_file()]


def _move(path: Path, folder: Path) -> None:
    # As bytes: some names are no text.
    source = os.fsencode(path)
    os.rename(source, os.path.join(os.fsencode(folder), os.path.basename(source)))


def _engines(trial: Trial) -> dict[str, Delays]:
    """The neighbours' delays beside each way to break an engine; each is given up for its reason.

    One bad picture comes in each block, and each lie in a block of its own.
    """
    plant = _plant(trial, "engines", isolated=bool(trial.scale))
    plant.start()
    plant.wait_for("watching")
    if trial.scale:
        plant.wait_for("standby ready")
    size = trial.of(200, 8)
    start, total, failed = 0, 0, 0
    broken = itertools.count(1_000_000)
    dropped: dict[str, str] = {}

    def others(each: Iterator[tuple[int, str]]) -> list[Callable[[], object]]:
        level, words = next(each)
        number = next(broken)
        dropped[f"{number}.png"] = words
        path = plant.inbox("bad") / f"{number}.png"
        return [partial(_write, path, content(number, level))]

    def settled(count: int) -> None:
        nonlocal total, failed
        total, failed = total + size + count, failed + count
        wait_on(plant, lambda: plant.reported() == total, "giving up the bad ones")
        plant.wait_until(lambda: _calm(plant), "both workers are at their places")
        for name, words in dropped.items():
            _judge(trial, plant, name, words)
        dropped.clear()

    found = {}
    for kind, levels in {**(KILLS if trial.scale else {}), "lies": LIES}.items():
        blocks = max(trial.of(3, 1), len(levels))
        these = range(start, start + 2 * size * blocks)
        each = itertools.cycle(levels.values())
        found[kind] = in_turns(plant, these, blocks, partial(others, each), settled)
        start = these.stop
    _end(trial, plant, failed=failed)
    return found


def _calm(plant: Plant) -> bool:
    """Whether what the last death set off is over."""
    told = [line["event"] for line in plant.log if line["event"] in COMES_AND_GOES]
    away = [event for event in told if "line" in event][-1:] == ["the standby has the line"]
    return not away and told[-1:] != ["chunk lost"]


def _killed_while_it_hangs(trial: Trial) -> int:
    """Kill the flow during the second attempt; how often the picture was read in all."""
    plant = _plant(trial, "killed", isolated=True)
    _write(plant.inbox("bad") / "hang.png", content(0, engine.HANG))
    plant.start()
    plant.wait_until(lambda: plant.claimed("attempts=2"), "the second attempt")
    plant.kill()
    plant.start()
    wait_on(plant, lambda: plant.reported() == 1, "giving it up")
    _judge(trial, plant, "hang.png", KILLS["hang"]["hang"][1])
    _end(trial, plant, failed=1)
    reads = len((trial.folder / "killed-reads").read_text().splitlines())
    # The attempt that was cut off by the kill is nobody's fault, and made again.
    trial.expect(ATTEMPTS <= reads <= ATTEMPTS + 1, f"it was read {reads} times")
    return reads


def _plant(trial: Trial, name: str, *, isolated: bool) -> Plant:
    site = SITE.replace("settle_seconds: 12", "settle_seconds: 0.5").replace(
        "use: scripted", f"use: scripted, marker: '{trial.folder / name}-reads'"
    )
    return trial.plant(
        name, site.replace("scheduler: threads", WORKER) if isolated else site, RECIPE
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
