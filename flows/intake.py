"""From a file in an inbox to a picture that belongs to markwatch: settle, then claim.

The settler (`settle.py`, pure) says when a file may be whole; `endings.py` looks at its last bytes.
An intent goes into the ledger, the file into `work/` (`claims.py`), and that is noted too.
When too much is in flight nothing is claimed: the inbox is the buffer, and cameras take turns.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path

import structlog

from flows.care.sightings import Sightings, is_canary
from flows.claims import Claims
from flows.clocks import Clocks
from flows.configuration.settings import IntakeOptions, Layout
from flows.endings import looks_complete
from flows.files import durable
from flows.files.filenames import printable
from flows.files.sidecar import remove_sidecar
from flows.ledger.log import Claim, Ledger
from flows.settle import Due, Settler
from stages.records import Arrival, ImageRef

RETRY_SECONDS = 5.0
BATCH = 64
TRIES = 4 * BATCH


class Intake:
    """Turns arrivals into claimed pictures, fairly between cameras."""

    def __init__(
        self, layout: Layout, ledger: Ledger, options: IntakeOptions, clocks: Clocks
    ) -> None:
        self._layout = layout
        self._ledger = ledger
        self._clocks = clocks
        self._claims = Claims(layout, clocks)
        self._settler = Settler(options)
        self.sightings = Sightings(clocks.tick)
        self._arrived: deque[Arrival] = deque()
        self._whole: dict[str, dict[str, Due]] = {}
        self._turns: deque[str] = deque()
        self._complaints: dict[str, str] = {}
        self._moved: list[Claim] = []
        self._left: list[str] = []
        self._guard = threading.Lock()
        self._log = structlog.get_logger("markwatch.intake")

    def observe(self, arrival: Arrival) -> None:
        """Take in what a source saw. Safe to call from a source's thread."""
        if self.sightings.admits(arrival):
            with self._guard:
                self._arrived.append(arrival)

    @property
    def idle(self) -> bool:
        """Whether nothing that was seen is waiting to be claimed."""
        with self._guard:
            return not (self._arrived or self._whole or self._settler.pending or self._moved)

    @property
    def trouble(self) -> str | None:
        """Why pictures cannot be claimed, in words for a person; None when they can."""
        if not self._complaints:
            return None
        count, words = len(self._complaints), next(iter(self._complaints.values()))
        return f"{count} pictures cannot be claimed: {words}" if count > 1 else words

    def next_due(self, held: frozenset[str]) -> float | None:
        """Seconds until a file may be whole; 0 when one waits to be claimed, None for never."""
        with self._guard:
            if self._arrived or self._whole.keys() - held:
                return 0.0
        return self._settler.next_due(self._clocks.tick())

    def claim(self, room: int, held: frozenset[str] = frozenset()) -> list[ImageRef]:
        """Claim at most `room` whole files, none of the `held` cameras, and return them.

        Raises:
            sqlite3.Error, OSError: the ledger or `work/` cannot be written; nothing is forgotten,
                and calling again goes on where this stopped.
        """
        self._settle()
        if not self._moved:
            self._move_next(min(room, BATCH), held)
        return self._note_moved()

    def _move_next(self, room: int, held: frozenset[str]) -> None:
        chosen = self._take_turns(room, held)
        if not chosen:
            return
        claims = [self._claims.intent(arrival) for arrival in chosen]
        try:
            self._ledger.intend(claims)
        except BaseException:
            for arrival in chosen:
                self._settler.retry(arrival.path, self._clocks.tick(), 0.0)
            raise
        for claim, arrival in zip(claims, chosen, strict=True):
            try:
                self._claims.move(claim)
            except OSError as error:
                self._left.append(claim.id)
                if _is_gone(arrival.path):
                    self._settler.forget(arrival.path)
                    self._complaints.pop(arrival.path, None)
                    continue
                self._settler.retry(arrival.path, self._clocks.tick(), RETRY_SECONDS)
                if arrival.path not in self._complaints:
                    self._complaints[arrival.path] = f"{claim.name}: {self._why(claim, error)}"
                    self._log.warning(
                        "cannot claim", image=claim.name, camera=claim.camera, error=str(error)
                    )
            else:
                self._moved.append(claim)
                self._settler.forget(arrival.path)
                self._complaints.pop(arrival.path, None)

    def _why(self, claim: Claim, error: OSError) -> str:
        """What hinders this claim: room in `work/`, or a right or a share at the inbox."""
        full = error.errno in durable.FULL
        return durable.remedy(error, "data/work" if full else os.path.dirname(claim.source))

    def _note_moved(self) -> list[ImageRef]:
        """Tell the ledger what was moved, and what was not after all."""
        for folder in {(self._layout.root / claim.work).parent for claim in self._moved}:
            durable.fsync_directory(folder)
        images = [self._claims.image_of(claim) for claim in self._moved]
        if images:
            self._ledger.claimed(images)
            self._moved.clear()
        for image in images:
            remove_sidecar(Path(image.path))
        left, self._left = self._left, []
        if left:
            try:
                self._ledger.disclaim(left)
            except sqlite3.Error as error:
                # What was claimed must be read; a restart clears these away too.
                self._left = left
                self._log.warning("cannot note what was not claimed", error=str(error))
        return images

    def _settle(self) -> None:
        now = self._clocks.tick()
        with self._guard:
            arrived, self._arrived = self._arrived, deque()
        for arrival in arrived:
            self._settler.observe(arrival, now)
            if arrival.hint == "gone":
                self._complaints.pop(arrival.path, None)
            waiting = self._whole.get(arrival.camera, {})
            due = waiting.get(arrival.path)
            if due and (arrival.hint in ("gone", "changed") or _changed(due.arrival, arrival)):
                self._withdraw(arrival)
        for due in self._settler.due(now):
            if is_canary(due.arrival.path):
                self._release(due)
                continue
            camera = due.arrival.camera
            if camera not in self._whole:
                self._whole[camera] = {}
                self._turns.append(camera)
            self._whole[camera][due.arrival.path] = due

    def _release(self, due: Due) -> None:
        """A canary is not claimed, and takes no camera's turn."""
        if self._is_whole(due):
            self.sightings.note_whole(due.arrival.path)
            self._settler.forget(due.arrival.path)

    def _withdraw(self, arrival: Arrival) -> None:
        waiting = self._whole[arrival.camera]
        del waiting[arrival.path]
        if not waiting:
            del self._whole[arrival.camera]
            self._turns.remove(arrival.camera)

    def _take_turns(self, room: int, held: frozenset[str] = frozenset()) -> list[Arrival]:
        """At most `room` files that are whole, one camera after the other; the rest stay due."""
        chosen: list[Arrival] = []
        tries = TRIES
        while not held.issuperset(self._turns) and len(chosen) < room and tries:
            tries -= 1
            camera = self._turns.popleft()
            if camera in held:
                self._turns.append(camera)
                continue
            waiting = self._whole[camera]
            due = waiting.pop(next(iter(waiting)))
            if waiting:
                self._turns.append(camera)
            else:
                del self._whole[camera]
            if self._is_whole(due):
                chosen.append(due.arrival)
        return chosen

    def _is_whole(self, due: Due) -> bool:
        """Look at the file itself; one that is not whole goes back to the settler."""
        arrival, now = due.arrival, self._clocks.tick()
        path = arrival.path
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode):
                self._settler.forget(path)
                return False
            seen = replace(arrival, size=found.st_size, mtime_ns=found.st_mtime_ns, hint="changed")
            if _changed(arrival, seen):
                self._settler.observe(seen, now)
                return False
            complete = looks_complete(Path(path), closed=due.closed) if due.check_ending else None
            if complete is False:
                self._settler.postpone(path, now)
                return False
        except FileNotFoundError:
            self._settler.forget(path)
            return False
        except PermissionError:
            # A file that cannot be opened can still be renamed; its report will say why it failed.
            if due.check_ending:
                self._settler.postpone(path, now)
                return False
        except OSError as error:
            self._settler.retry(path, now, RETRY_SECONDS)
            self._log.warning("cannot look at", path=printable(path), error=str(error))
            return False
        return True


def _is_gone(path: str) -> bool:
    # `lexists` would take a share that is away for a file that is gone.
    try:
        os.lstat(path)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _changed(one: Arrival, other: Arrival) -> bool:
    return (one.size, one.mtime_ns) != (other.size, other.mtime_ns)
