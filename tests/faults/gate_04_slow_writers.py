"""Writers that are slow, stall, lay files out in advance, overwrite, and touch what they wrote.

Hundreds of files grow at the same time in 64 chunks each, with stalls of up to 8 seconds, in every
format and in every way in which cameras write; half of them where events are told, half of them
where the folder is polled. Only whole pictures may be reported, each at least as left at last.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from faults.gate import Figures, Gate, Trial
from faults.pictures import RECIPE, SITE
from PIL import Image
from plants import Plant

CHUNKS = 64
STALL_SECONDS = 8.0
STALLS = 2
PAUSE_SECONDS = 0.02
STAGGER_SECONDS = 20.0
SIDE = 96
KINDS = {"png": "PNG", "jpg": "JPEG", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP"}
WAYS = (
    "held open",
    "opened for each chunk",
    "preallocated",
    "renamed in",
    "overwritten",
    "touched",
)
Steps = Iterator[float]


def slow_writers(trial: Trial) -> Figures:
    """Let all write at once, and look at what was read."""
    count = trial.of(1000, 12)
    stall = STALL_SECONDS if trial.scale else 0.5
    settle = 1.25 * stall
    inboxes = {mode: trial.folder / f"inbox-{mode}" for mode in ("events", "polling")}
    sources = "".join(
        f"  {mode}: {{use: folder, inbox: '{folder}', mode: {mode}, poll_seconds: 0.5}}\n"
        for mode, folder in inboxes.items()
    )
    site = SITE.replace(
        "sources: {folder: {poll_seconds: 0.1}}\n", f"sources:\n  folder: null\n{sources}"
    )
    plant = trial.plant(
        "plant", site.replace("settle_seconds: 12", f"settle_seconds: {settle}"), RECIPE
    )
    writers = []
    for number in range(count):
        folder = inboxes[("events", "polling")[number % 2]] / f"cam-{number % 5}"
        folder.mkdir(parents=True, exist_ok=True)
        writers.append(_Writer(trial, folder, number, stall))
    plant.start()
    plant.wait_for("watching")
    _write_all(writers, STAGGER_SECONDS if trial.scale else 1.0, trial)
    wanted = {writer.final: writer for writer in writers}
    whole = {sha256 for writer in writers for sha256 in writer.versions}
    with contextlib.suppress(AssertionError):
        plant.wait_until(lambda: wanted.keys() <= _read(plant), "each file as it was left")
    missing = [wanted[key] for key in wanted.keys() - _read(plant)]
    words = ", ".join(f"{writer.path.name} {writer.way}" for writer in missing[:8])
    trial.expect(not missing, f"{len(missing)} files were not read as they were left: {words}")
    trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
    read = plant.query("SELECT sha256, name, reason FROM images WHERE state='archived'")
    partial = [name for sha256, name, reason in read if sha256 not in whole or reason]
    trial.expect(not partial, f"{len(partial)} partial reads: {partial[:5]}")
    return Figures(
        size=f"{count:,} files of {CHUNKS} chunks, stalls up to {stall:g} s, {len(WAYS)} ways",
        measured={
            "read": len(read),
            "lost": 0,
            "partial": 0,
            "read twice, as overwritten": len(read) - count,
        },
    )


GATE = Gate(4, "slow writers", slow_writers)


class _Writer:
    """Writes one file; `versions` are the SHA-256 of all that it ever left whole."""

    def __init__(self, trial: Trial, folder: Path, number: int, stall: float) -> None:
        suffix = list(KINDS)[number // len(WAYS) % len(KINDS)]
        self.way = WAYS[number % len(WAYS)]
        self.path = folder / f"{number:04d}.{suffix}"
        self._content = _picture(KINDS[suffix], 2 * number)
        self._before = _picture(KINDS[suffix], 2 * number + 1)
        self._pauses = [trial.chance.uniform(0, PAUSE_SECONDS) for _ in range(CHUNKS + 2)]
        for _ in range(STALLS):
            self._pauses[trial.chance.randrange(CHUNKS)] = trial.chance.uniform(0, stall)
        self.final = hashlib.sha256(self._content).hexdigest()
        self.versions = {self.final}
        if self.way == "overwritten":
            self.versions.add(hashlib.sha256(self._before).hexdigest())

    def steps(self) -> Steps:
        """Writes a little more at each step; yields how long to pause after it."""
        pauses = iter(self._pauses)
        target = self.path
        if self.way == "renamed in":
            target = target.with_name(f"{target.name}.tmp")
        if self.way == "overwritten":
            target.write_bytes(self._before)
            yield next(pauses)
        if self.way == "opened for each chunk":
            for number, chunk in enumerate(_chunks(self._content)):
                with target.open("ab" if number else "wb") as file:
                    file.write(chunk)
                yield next(pauses)
            return
        with target.open("wb") as file:
            if self.way == "preallocated":
                os.ftruncate(file.fileno(), len(self._content))
            for chunk in _chunks(self._content):
                yield next(pauses)
                file.write(chunk)
                file.flush()
        if self.way == "renamed in":
            target.rename(self.path)
        if self.way == "touched":
            yield next(pauses)
            self._touch()

    def _touch(self) -> None:
        try:
            os.utime(self.path)
        except FileNotFoundError:
            # It was claimed before.
            return


def _picture(kind: str, number: int) -> bytes:
    # Bright, because dark pixels are instructions to the null recogniser.
    chance = np.random.default_rng(number)
    pixels = chance.integers(150, 255, (SIDE, SIDE), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def _chunks(content: bytes) -> Iterator[bytes]:
    size = -(-len(content) // CHUNKS)
    for start in range(0, size * CHUNKS, size):
        yield content[start : start + size]


def _write_all(writers: list[_Writer], stagger: float, trial: Trial) -> None:
    """Run all writers at the same time, in this one thread."""
    began = time.monotonic()
    queue = [
        (trial.chance.uniform(0, stagger), number, writer.steps())
        for number, writer in enumerate(writers)
    ]
    heapq.heapify(queue)
    pause = threading.Event()
    while queue:
        at, number, steps = heapq.heappop(queue)
        pause.wait(max(0.0, at - (time.monotonic() - began)))
        wait = next(steps, None)
        if wait is not None:
            heapq.heappush(queue, (time.monotonic() - began + wait, number, steps))


def _read(plant: Plant) -> set[str]:
    return {key for (key,) in plant.query("SELECT sha256 FROM images WHERE state='archived'")}
