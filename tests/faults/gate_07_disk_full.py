"""The disks of work, the ledger, the outputs and the archive are full, one after the other.

As root each is a little tmpfs, really filled; otherwise the shim answers ENOSPC to every call that
would need room. Nothing may be lost or deleted, `status` must say so, and once there is room again
everything goes on by itself, in the same process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import time
from pathlib import Path

from faults.account import account, status_of
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE, Dropped, drop
from faults.shim import Faults, shimmed
from plants import Plant

PLACES = {"work": "work", "ledger": "state", "outputs": "out", "archive": "archive"}
TMPFS_MB = 6
CHUNK_BYTES = 1 << 16
SITE_FULL = SITE.replace("quiet_seconds: 0.05", "quiet_seconds: 0.05, max_in_flight: 16") + (
    "delivery: {backoff_seconds: 0.1, max_backoff_seconds: 0.5}\n"
)


def disk_full(trial: Trial) -> Figures:
    """Fill each disk while pictures come, look at the status, make room, wait."""
    count = trial.of(200, 4)
    seconds, words, how = {}, {}, set()
    for name, place in PLACES.items():
        plant = trial.plant(name, SITE_FULL, RECIPE)
        with _Disk(trial.folder / f"{name}-faults", plant, place) as disk:
            seconds[name], words[name] = _fill_and_free(trial, plant, disk, count)
            how.add(disk.how)
    return Figures(
        size=f"{len(PLACES)} disks ({', '.join(sorted(how))}), {2 * count} pictures each",
        measured={
            "lost": 0,
            "deleted": 0,
            **{f"{name} whole again in s": took for name, took in seconds.items()},
            "status": " | ".join(f"{name}: {told[:60]}" for name, told in words.items()),
        },
    )


GATE = Gate(7, "disk full", disk_full)


def _fill_and_free(trial: Trial, plant: Plant, disk: _Disk, count: int) -> tuple[float, str]:
    plant.start(**disk.environment)
    plant.wait_for("watching")
    dropped = [drop(plant.inbox(f"cam-{number % 2}"), number) for number in range(count)]
    plant.wait_until(lambda: plant.reported() == count, "the first pictures")
    disk.fill()
    dropped += [drop(plant.inbox(f"cam-{n % 2}"), n) for n in range(count, 2 * count)]
    told: list[str] = []
    plant.wait_until(lambda: told.extend(_told(plant)) or told, "a word of the full disk")
    trial.expect(not plant.ended(), f"the flow ended: {plant.log[-3:]}")
    _nothing_gone(trial, plant, dropped)
    began = time.monotonic()
    disk.free()
    plant.wait_until(
        lambda: plant.reported() == 2 * count and not _pending(plant), "all to be well again"
    )
    took = time.monotonic() - began
    plant.wait_until(lambda: not _told(plant, log=False), "the status to be quiet again")
    trial.expect(plant.stop() == 0, f"it did not end well: {plant.log[-3:]}")
    account(plant, dropped).done()
    return took, told[0]


def _told(plant: Plant, *, log: bool = True) -> list[str]:
    """What a person is told: by `status`, and in the log where the ledger cannot be written."""
    status = status_of(plant)
    told = [words for words in status["conditions"].values() if "space" in words]
    told += [sink["error"] for sink in status["sinks"].values() if sink["error"]]
    if log:
        told += [line["error"] for line in plant.logged("cannot go on, will try again")]
    return told


def _pending(plant: Plant) -> int:
    return sum(sink["pending"] for sink in status_of(plant)["sinks"].values())


def _nothing_gone(trial: Trial, plant: Plant, dropped: list[Dropped]) -> None:
    """Each picture is somewhere: in its inbox, in work, in the archive."""
    files = [*plant.filed("inbox"), *plant.filed("archive"), *plant.filed("work")]
    pictures = {(found.st_dev, found.st_ino) for found in map(_stat, files) if found}
    trial.expect(len(pictures) >= len(dropped), f"{len(pictures)} of {len(dropped)} files are left")


def _stat(path: Path) -> os.stat_result | None:
    # A second name may go just now.
    with contextlib.suppress(FileNotFoundError):
        return path.stat()
    return None


class _Disk:
    """A disk of its own for one folder of a root, which can be filled and freed."""

    def __init__(self, page: Path, plant: Plant, place: str) -> None:
        self._folder = plant.root / "data" / place
        self._folder.mkdir(parents=True, exist_ok=True)
        self._filler = self._folder / "filler"
        self._page = page
        self.environment: dict[str, str] = {}

    def __enter__(self) -> _Disk:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_MB}m", "tmpfs", str(self._folder)]
        self._mounted = (
            os.geteuid() == 0
            and subprocess.run(mount, capture_output=True, check=False).returncode == 0
        )
        self.how = "tmpfs" if self._mounted else "ENOSPC by the shim"
        if not self._mounted:
            self._faults = Faults(self._page)
            self.environment = shimmed(self._folder, fault=self._faults.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self._folder)], check=True)

    def fill(self) -> None:
        """Leave no room."""
        if not self._mounted:
            self._faults.begin(errno.ENOSPC, self._folder, "grow")
            return
        with contextlib.suppress(OSError), self._filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(CHUNK_BYTES))

    def free(self) -> None:
        """Make room again."""
        if self._mounted:
            self._filler.unlink()
        else:
            self._faults.end()
