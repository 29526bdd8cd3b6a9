"""A share that goes away, again and again, in every way in which shares do.

Calls answer EIO, ESTALE, EACCES or a timeout (the shim stands for the network); the folder is gone;
or its mount point is there, empty, without the share. Pictures are waiting when it goes, and more
are written to the share meanwhile. Once in the mode for shares, and once where events are told.
"""

from __future__ import annotations

import errno
import threading
import time
from functools import partial
from pathlib import Path

from faults.account import account, status_of
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE, Dropped, drop
from faults.shim import Faults, shimmed
from plants import Plant

RESCAN_SECONDS = 3.0
SETTLE_SECONDS = 2.0
"""What a found picture takes on top of one scan: two looks, the quiet, and being read."""

SLACK_SECONDS = 5.0
ERRNOS = {"EIO": errno.EIO, "ESTALE": errno.ESTALE, "EACCES": errno.EACCES}
ERRNOS |= {"ETIMEDOUT": errno.ETIMEDOUT}
WAYS = (*ERRNOS, "gone", "empty")
BEFORE, MEANWHILE = 4, 4
UNTOLD_SECONDS = 1.0


def share_away(trial: Trial) -> Figures:
    """Take the share away 20 times in each mode."""
    times = trial.of(20, 2)
    slowest, told = 0.0, 0
    for mode in ("polling", "events"):
        share = trial.folder / f"{mode}-share"
        (share / "cam").mkdir(parents=True)
        source = f"{{mode: {mode}, inbox: '{share}', poll_seconds: 0.2"
        site = SITE.replace("{poll_seconds: 0.1", f"{source}, rescan_seconds: {RESCAN_SECONDS}")
        # A canary might lie in the folder that stands for an empty mount, which is removed.
        site += "canary: {every_minutes: 0}\n"
        plant = trial.plant(mode, site, RECIPE)
        faults = Faults(trial.folder / f"{mode}-faults")
        plant.start(**shimmed(share, fault=faults.path))
        plant.wait_for("watching")
        dropped: list[Dropped] = []
        for number in range(times):
            way = WAYS[(number + trial.seed) % len(WAYS)]
            took, known = _outage(plant, share, faults, way, dropped)
            slowest = max(slowest, took)
            told += known
            limit = RESCAN_SECONDS + SETTLE_SECONDS + SLACK_SECONDS
            trial.expect_in_time(took <= limit, f"{mode}, {way}: {took:.1f} s until all was read")
        trial.expect(not plant.ended(), f"the flow ended: {plant.log[-3:]}")
        stopped = plant.logged("source stopped, starting it again")
        trial.expect(not stopped, f"a thread died: {stopped[:1]}")
        plant.wait_until(partial(_is_quiet, plant), "status to be quiet again")
        trial.expect(plant.stop() == 0, f"it did not end well: {plant.log[-3:]}")
        account(plant, dropped).done()
    return Figures(
        size=f"{2 * times} outages in {len(WAYS)} ways, polling and events",
        measured={
            "lost": 0,
            "dead threads": 0,
            "slowest until all was read, s": slowest,
            "one scan, s": RESCAN_SECONDS,
            "told by status": told,
        },
    )


GATE = Gate(6, "share goes away", share_away)


def _outage(
    plant: Plant, share: Path, faults: Faults, way: str, dropped: list[Dropped]
) -> tuple[float, bool]:
    """One outage; how long after it all was read, and whether `status` told of it."""
    away = share.with_name(f"{share.name}-away")
    _drop(share, BEFORE, dropped)
    if way in ERRNOS:
        faults.begin(ERRNOS[way], share, "all")
        away = share
    else:
        share.rename(away)
        if way == "empty":
            share.mkdir()
    _drop(away, MEANWHILE, dropped)
    if way == "empty":
        # An empty folder is nothing to complain of.
        threading.Event().wait(UNTOLD_SECONDS)
    else:
        plant.wait_until(lambda: _is_told(plant), f"status to tell of {way}")
    if way in ERRNOS:
        faults.end()
    else:
        if way == "empty":
            share.rmdir()
        away.rename(share)
    began = time.monotonic()
    plant.wait_until(lambda: plant.reported() == len(dropped), f"all to be read after {way}")
    return time.monotonic() - began, way != "empty"


def _drop(share: Path, count: int, dropped: list[Dropped]) -> None:
    for _ in range(count):
        dropped.append(drop(share / "cam", len(dropped)))


def _is_quiet(plant: Plant) -> bool:
    return not status_of(plant)["conditions"]


def _is_told(plant: Plant) -> bool:
    names = [name for (name,) in plant.query("SELECT name FROM conditions")]
    return any(name.startswith("source ") for name in names)
