"""The wall clock steps, another instance is started on the same root, and names are twins.

The clock that is injected steps by an hour either way, over the end of summer time as a machine
that keeps local time does, and over midnight and back; file times are an hour off, as on a share
whose server keeps summer time. Names and cameras come in NFC and in NFD.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path

from faults.account import account
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE, Dropped, drop
from plants import wait_until

from flows.clocks import Clocks
from flows.commands.running import clocks
from flows.configuration import settings
from flows.watch import Watch

SUMMER_ENDS = datetime(2026, 10, 25, 0, 59, 58, tzinfo=UTC)
HOUR = timedelta(hours=1)
STEPS = (
    ("an hour forward", HOUR),
    ("an hour back", -HOUR),
    ("the end of summer time", -HOUR),
    ("over midnight", timedelta(hours=23)),
    ("back before midnight", -timedelta(hours=23)),
    ("a day back", -timedelta(days=1)),
)
NAMES = ("Prüfstück é.png", "Ångström ṩ.png", "가.png")
CONFIG_ERROR = 78


def clocks_and_names(trial: Trial) -> Figures:
    """Step the clock, start rivals, drop twins."""
    stepped = _step_clocks(trial, trial.of(200, 6))
    rivals = _start_rivals(trial, trial.of(20, 2))
    twins = _drop_twins(trial, trial.of(50, 1))
    return Figures(
        size=f"{len(STEPS)} steps of the clock, {rivals} rivals, {twins} twins",
        measured={"pictures": stepped + twins, "lost": 0, "repeated": 0, "rivals let in": 0},
    )


GATE = Gate(13, "clocks, rivals, twins", clocks_and_names)


class _Wall:
    """A wall clock that a test steps; it ticks as the real one does."""

    def __init__(self) -> None:
        self._offset = SUMMER_ENDS - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def step(self, by: timedelta) -> None:
        self._offset += by


def _step_clocks(trial: Trial, each: int) -> int:
    plant = trial.plant("clocks", SITE, RECIPE)
    wall = _Wall()
    flow = Watch(plant.layout, settings.load(plant.root), Clocks(now=wall, tick=clocks().tick))
    thread = threading.Thread(target=flow.run)
    thread.start()
    dropped: list[Dropped] = []
    try:
        for _, by in (("at first", timedelta()), *STEPS):
            wall.step(by)
            for number in range(each):
                dropped.append(drop(plant.inbox("cam"), len(dropped)))
                if number % 3 == 2:
                    _shift(plant.inbox("cam") / dropped[-1].name, 3600 * (-1) ** number)
            wait_until(lambda: plant.reported() == len(dropped), "all to be read")
    finally:
        flow.stop()
        thread.join()
    account(plant, dropped).done()
    return len(dropped)


def _shift(path: Path, seconds: int) -> None:
    try:
        found = path.stat()
        os.utime(path, (found.st_atime, found.st_mtime + seconds))
    except FileNotFoundError:
        # It was claimed before.
        return


def _start_rivals(trial: Trial, times: int) -> int:
    """While one instance runs no other gets in; when it was killed, the next one does."""
    plant = trial.plant("rivals", SITE, RECIPE)
    rival = trial.plant("rivals", SITE)
    dropped: list[Dropped] = []
    for number in range(times):
        plant.start()
        if number % 2:
            # Both at the same time: one of them gets in.
            rival.start()
            plant.wait_until(lambda: plant.ended() or rival.ended(), "one to give way")
        else:
            plant.wait_for("watching")
            rival.start()
            rival.wait_until(rival.ended, "the rival to give way")
        loser, winner = (rival, plant) if rival.ended() else (plant, rival)
        status = loser.finish()
        trial.expect(status == CONFIG_ERROR, f"the rival ended with {status}: {loser.log[-2:]}")
        said = str(loser.log[-1])
        trial.expect("already watching" in said, f"the rival said only {said}")
        winner.wait_for("watching")
        dropped.append(drop(plant.inbox("cam"), number))
        plant.wait_until(lambda: plant.reported() == len(dropped), "the picture to be read")
        winner.kill()
    plant.start("--once")
    trial.expect(plant.finish() == 0, f"the last run failed: {plant.log[-2:]}")
    account(plant, dropped).done()
    return times


def _drop_twins(trial: Trial, times: int) -> int:
    plant = trial.plant("twins", SITE, RECIPE)
    dropped: list[Dropped] = []
    for number in range(times):
        for name in NAMES:
            for form in ("NFC", "NFD"):
                camera = plant.inbox(unicodedata.normalize(form, f"Prüfung-{number % 3}"))
                twin = unicodedata.normalize(form, f"{number:04d} {name}")
                dropped.append(drop(camera, len(dropped), name=twin))
    plant.start("--once")
    trial.expect(plant.finish() == 0, f"it ended badly: {plant.log[-2:]}")
    account(plant, dropped).done()
    return len(dropped)
