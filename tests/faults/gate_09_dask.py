"""On a Dask cluster on loopback: workers are killed, and the scheduler is restarted.

Pictures come all the time, some of which take a second, so that what dies is at work. The scheduler
forgets everything when it dies; its workers end with it and are started again, as a service manager
would.
"""

from __future__ import annotations

import random
import subprocess
import threading
from typing import Self

import markwatch_faults as engine
from brokers import free_port
from crews import dask as start
from faults.account import account
from faults.dripping import Drip
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE
from faults.progress import wait_on
from plants import Plant

KILLS, RESTARTS = 20, 5
EVERY_SECONDS = 30.0
AWAY_SECONDS = (0.0, 40.0)
START_SECONDS = 20
"""After so long without a scheduler Dask's own client gives up for good."""

WORKERS = 2
PER_SECOND = 3.0
LEVELS = (engine.SLOW, None, None)
CAMERAS = 3


def dask(trial: Trial) -> Figures:
    """Kill and restart while pictures come; then wait for the end and close the account."""
    kills, restarts = trial.of(KILLS, 0), trial.of(RESTARTS, 1)
    faults = ["worker"] * kills + ["scheduler"] * restarts
    trial.chance.shuffle(faults)
    with Crew(WORKERS if trial.scale else 1) as crew:
        where = f"address: '{crew.address}', start_seconds: {START_SECONDS}"
        site = SITE.replace("scheduler: threads, threads: 2", where)
        plant = trial.plant("plant", site, RECIPE)
        plant.start()
        with Drip(plant, PER_SECOND, CAMERAS, levels=LEVELS) as drip:
            plant.wait_until(lambda: plant.reported() > 0, "the first report")
            for fault in faults:
                threading.Event().wait(EVERY_SECONDS if trial.scale else 1)
                crew.break_something(fault, trial.chance, calm=not trial.scale)
                _goes_on(plant)
        wait_on(plant, lambda: plant.reported() == len(drip.dropped), "the last pictures")
        trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    closed = account(plant, drip.dropped).done()
    trial.expect(not closed.failed, f"{closed.failed} good pictures were given up")
    again = plant.query("SELECT COUNT(*) FROM images WHERE attempts > 1")[0][0]
    return Figures(
        size=f"{kills} workers killed, {restarts} schedulers, {len(drip.dropped)} pictures",
        measured={
            "lost": 0,
            "repeated rows": 0,
            "given up": closed.failed,
            "read more than once": again,
            "chunks lost": len(plant.logged("chunk lost")),
        },
    )


GATE = Gate(9, "Dask cluster", dask)


def _goes_on(plant: Plant) -> None:
    before = plant.reported()
    plant.wait_until(lambda: plant.ended() or plant.reported() > before, "a report after a fault")


class Crew:
    """A scheduler and its workers as processes; whatever ends is started again."""

    def __init__(self, workers: int) -> None:
        self._port = free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._scheduler: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * workers
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._supervise)

    def __enter__(self) -> Self:
        self._scheduler = self._start_scheduler()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        for process in (*self._workers, self._scheduler):
            if process is not None:
                process.kill()
                process.wait()

    def break_something(self, what: str, chance: random.Random, *, calm: bool) -> None:
        """Kill a worker, or the scheduler and start it again some time later."""
        if what == "worker":
            with self._guard:
                victim = chance.choice([one for one in self._workers if one is not None])
                victim.kill()
            return
        assert self._scheduler is not None
        self._scheduler.kill()
        self._scheduler.wait()
        threading.Event().wait(0 if calm else chance.uniform(*AWAY_SECONDS))
        self._scheduler = self._start_scheduler()

    def _supervise(self) -> None:
        while not self._over.wait(0.1):
            with self._guard:
                for place, worker in enumerate(self._workers):
                    if worker is None or worker.poll() is not None:
                        self._workers[place] = start(
                            "worker", self.address, "--nthreads", "1", "--no-nanny"
                        )

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        return start("scheduler", "--host", "127.0.0.1", "--port", str(self._port))
