"""The power is cut at seeded moments, and what was not fsynced may be gone.

Runs of the walk are recorded file call by file call (`shim.py`); the model of `filesystem.py` then
makes the tree as a cut may leave it at a moment, and markwatch is started on that. What a receiver
outside was told before the cut stays told: its `id` and `seq` must still be the ledger's.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faults.account import account
from faults.filesystem import Model, World, recorded
from faults.gate import BrokenError, Figures, Gate, Trial
from faults.pictures import RECIPE, Dropped, drop
from faults.shim import Faults, shimmed
from plants import Plant

from flows import telemetry
from flows.commands.running import clocks
from flows.configuration import settings
from flows.configuration.settings import Layout, LogOptions
from flows.watch import Watch

PICTURES = 24
EXPECTED = "G107"
FEW = 50
"""Cuts that are made in this process, because starting others takes longer."""

WORLDS: tuple[World, ...] = ("ordered", "strict")
SITE = """
intake: {quiet_seconds: 0, settle_seconds: 0.01, max_in_flight: 6}
cluster: {scheduler: threads, threads: 1}
recogniser: {use: scripted}
sources: {folder: {mode: polling, poll_seconds: 0.01}}
sinks:
  parquet: {max_seconds: 0.05}
  mqtt: null
  told: {use: refusing, closed: '{root}/closed', out: '{root}/outside/told'}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A recorded run: the tree it began with, what it did to it, and what was dropped into it."""

    name: str
    before: Path
    root: Path
    record: Path
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut: after so many changes of a run, in a world, with a seed of its own."""

    run: Run
    after: int
    world: World
    seed: int


def power_cut(trial: Trial) -> Figures:
    """Cut the power at 2,000 moments of three runs."""
    # In memory, where there is such a folder: it is the model that cuts, not this disk.
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else trial.folder
    with tempfile.TemporaryDirectory(dir=memory, prefix="markwatch-cut-") as trees:
        folder = Path(trees).resolve()
        runs = [
            _record(folder / "rename", "claims by rename"),
            _record(folder / "copy", "claims by copying", copying=True),
            _record_restart(folder / "restart", trial.chance.randint(250, 600)),
        ]
        length = {run.name: sum(1 for _ in recorded(run.record)) for run in runs}
        count = trial.of(2000, 6)
        cuts = []
        for number in range(count):
            run = runs[number % len(runs)]
            world = WORLDS[number // len(runs) % len(WORLDS)]
            after = trial.chance.randint(1, length[run.name])
            cuts.append(Cut(run, after, world, trial.chance.getrandbits(32)))
        # Each run's cuts one after the other, because they are made in its own place.
        jobs = [sorted((cut for cut in cuts if cut.run == run), key=_place) for run in runs]
        if count < FEW:
            broken = [words for job in jobs for words in _cut_all(job)]
        else:
            with multiprocessing.get_context("spawn").Pool(len(jobs)) as pool:
                broken = [words for found in pool.map(_cut_all, jobs) for words in found]
    trial.expect(not broken, f"{len(broken)} of {count} cuts: {'; '.join(broken[:3])}")
    worlds = Counter(cut.world for cut in cuts)
    calls = sum(length.values())
    return Figures(
        size=f"{count:,} cuts in 3 runs of {PICTURES} pictures, {calls:,} file calls",
        measured={
            "ordered": worlds["ordered"],
            "strict": worlds["strict"],
            "lost": 0,
            "repeated": 0,
        },
    )


GATE = Gate(12, "power cut", power_cut)


def _place(cut: Cut) -> tuple[World, int]:
    return cut.world, cut.after


def _record(folder: Path, name: str, *, copying: bool = False) -> Run:
    plant, dropped = _plant(folder / "root")
    shutil.copytree(plant.root, folder / "before")
    faults = Faults(folder / "faults")
    if copying:
        # A share is another file system: the picture is copied, not renamed.
        faults.begin(errno.EXDEV, plant.root / "data" / "inbox", "move")
    _watch_once(plant, folder / "record", fault=faults.path)
    return Run(name, folder / "before", plant.root, folder / "record", dropped)


def _record_restart(folder: Path, kill: int) -> Run:
    """The run that repairs a crash, which is itself cut short."""
    plant, dropped = _plant(folder / "root")
    plant.start(**shimmed(plant.root, kill=kill))
    plant.wait_until(plant.ended, "the kill")
    plant.finish()
    shutil.copytree(plant.root, folder / "before")
    _watch_once(plant, folder / "record")
    return Run("a restart", folder / "before", plant.root, folder / "record", dropped)


def _plant(folder: Path) -> tuple[Plant, tuple[Dropped, ...]]:
    plant = Plant(folder)
    plant.configure(SITE.replace("{root}", str(plant.root)), recipe=RECIPE)
    (plant.root / "outside").mkdir()
    dropped = []
    for number in range(PICTURES):
        inbox = plant.inbox(f"cam-{number % 3}")
        dropped.append(drop(inbox, number))
        if number % 8 == 7:
            (inbox / f"{dropped[-1].name}.expected").write_text(EXPECTED)
    return plant, tuple(dropped)


def _watch_once(plant: Plant, record: Path, **more: Path) -> None:
    plant.start("--once", **shimmed(plant.root, record=record, **more))
    status = plant.finish()
    if status:
        raise BrokenError(f"the recorded run ended with {status}: {plant.log[-5:]}")


def _cut_all(cuts: list[Cut]) -> list[str]:
    """Make each cut in turn and start markwatch after it; what did not hold."""
    telemetry.configure(LogOptions(level="error"))
    broken: list[str] = []
    model, at, world = None, 0, None
    for cut in cuts:
        if model is None or cut.world != world:
            model, at, world = Model(cut.run.root, cut.run.before), 0, cut.world
            changes = recorded(cut.run.record)
        while at < cut.after:
            model.apply(next(changes), cut.world)
            at += 1
        told = model.bytes_now(cut.run.root / "outside" / "told")
        model.cut(cut.world, random.Random(cut.seed))
        try:
            _restart(cut.run, told)
        except Exception as error:
            broken.append(
                f"{cut.run.name}, {cut.world}, {cut.after} calls, seed {cut.seed}: "
                f"{type(error).__name__}: {error}"
            )
    return broken


def _restart(run: Run, told: bytes) -> None:
    outside = run.root / "outside" / "told"
    outside.parent.mkdir(exist_ok=True)
    outside.write_bytes(told)
    if not Watch(Layout(run.root), settings.load(run.root), clocks()).run(once=True):
        raise BrokenError("not everything was delivered")
    plant = Plant(run.root)
    account(plant, run.dropped).done()
    kept = plant.query("SELECT COUNT(*) FROM images WHERE expected IS NOT NULL")[0][0]
    if kept != PICTURES // 8:
        raise BrokenError(f"{kept} of {PICTURES // 8} expected codes were kept")
    heard = {tuple(line.split()[::2]) for line in outside.read_text().splitlines()}
    ledger = {(str(seq), key) for seq, key in plant.query("SELECT seq, id FROM rows")}
    if heard != ledger:
        raise BrokenError(f"the receiver heard {sorted(heard ^ ledger)[:2]} otherwise")
