"""`claim: copy`: pictures of a share that must stay as it is are copied, and the copies claimed.

A file that is whole is copied into `data/state/copies/`, hashed, compared with its source and
noted (`copied.py`); what the intake hears of, and moves, is the copy. The share is only read. A
path is copied again when its bytes are others than the last time; a touched file is not. Only so
many copies wait for the intake at a time: the share is the buffer, and cameras take turns.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sqlite3
import stat
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
import uuid_utils

from flows.care.sightings import is_canary
from flows.endings import looks_complete
from flows.files import durable
from flows.files.filenames import printable
from flows.files.opening import open_regular, without_links
from flows.files.sidecar import SUFFIX
from flows.settle import Due, SettleOptions, Settler
from flows.sources.copied import FILE, Copied, Copy
from stages.ports import ScanEnd, Site, Trouble
from stages.records import Arrival

MOST_WAITING = 64
RETRY_SECONDS = 5.0
SWEEP_SECONDS = 86_400.0
CHUNK_BYTES = 1 << 20
SIDECAR_BYTES = 4096


class Copying:
    """Turns what is seen on one share into copies under one root."""

    def __init__(self, root: str, inbox: str, settle: SettleOptions) -> None:
        state = Path(root, "data", "state")
        self._folder = state / "copies"
        self._path = state / FILE
        self._inbox = inbox
        self._settler = Settler(settle)
        self._whole: dict[str, deque[Due]] = {}
        self._waiting: dict[str, Copy] = {}
        self._troubles: dict[str, str] = {}
        self._told: str | None = None
        self._source_trouble: str | None = None
        self._scan_end: ScanEnd | None = None
        self._present: set[str] | None = None
        self._sweep_at = 0.0
        self._log = structlog.get_logger("markwatch.sources.copying")

    def arrivals(
        self, seen: Iterator[Arrival | ScanEnd | Trouble | None]
    ) -> Iterator[Arrival | ScanEnd | Trouble]:
        """Follow what a source sees; None from it says that time has passed.

        Raises:
            OSError, sqlite3.Error: `data/state` cannot be written at the start.
        """
        durable.make_folder(self._folder)
        self._copied = Copied(self._path, self._inbox)
        try:
            yield from self._recover()
            for each in seen:
                if isinstance(each, Arrival):
                    self._observe(each)
                elif isinstance(each, Trouble):
                    self._source_trouble = each.words
                elif isinstance(each, ScanEnd):
                    self._scan_end = each
                    self._sweep()
                    yield from map(self._arrival, self._waiting.values())
                    continue
                yield from self._go_on()
        finally:
            self._copied.close()

    def _recover(self) -> Iterator[Arrival]:
        """Clear away copies that a crash left half made, and tell of those that are whole."""
        there, unfinished = self._copied.left()
        for copy in unfinished:
            self._remove(copy)
        self._waiting = {copy.key: copy for copy in there}
        self._note_taken()
        yield from map(self._arrival, self._waiting.values())

    def _observe(self, arrival: Arrival) -> None:
        if is_canary(arrival.path):
            # Another station's, which claims from this share by moving.
            return
        if self._present is not None:
            self._present.add(arrival.path)
        if arrival.hint == "gone":
            self._troubles.pop(arrival.path, None)
        elif self._copied.is_known(arrival.path, arrival.size, arrival.mtime_ns):
            self._settler.forget(arrival.path)
            return
        self._settler.observe(arrival, time.monotonic())

    def _go_on(self) -> Iterator[Arrival | ScanEnd | Trouble]:
        """Copy what is due, as far as there is room; tell of it, and of what hinders."""
        for due in self._settler.due(time.monotonic()):
            self._whole.setdefault(due.arrival.camera, deque()).append(due)
        if self._whole and len(self._waiting) >= MOST_WAITING:
            self._note_taken()
        while self._whole and len(self._waiting) < MOST_WAITING:
            camera = next(iter(self._whole))
            queue = self._whole.pop(camera)
            due = queue.popleft()
            if queue:
                # At the end: the other cameras have their turn first.
                self._whole[camera] = queue
            copy = self._try(due)
            if copy is not None:
                yield self._arrival(copy)
        words = self._source_trouble or next(iter(self._troubles.values()), None)
        if words != self._told:
            self._told = words
            yield Trouble(words)
        if self._scan_end is not None and not self._whole and not self._settler.pending:
            yield self._scan_end
            self._scan_end = None

    def _try(self, due: Due) -> Copy | None:
        path, now = due.arrival.path, time.monotonic()
        try:
            found = os.lstat(path)
            if not stat.S_ISREG(found.st_mode):
                self._settler.forget(path)
                return None
            if (found.st_size, found.st_mtime_ns) != (due.arrival.size, due.arrival.mtime_ns):
                self._again(due.arrival, found)
                return None
            if due.check_ending and looks_complete(path, closed=due.closed) is False:
                self._settler.postpone(path, now)
                return None
            copy = self._copy(due.arrival)
        except FileNotFoundError as error:
            if error.filename not in (None, path) and os.path.lexists(path):
                self._failed(path, error)
            else:
                self._settler.forget(path)
                self._troubles.pop(path, None)
            return None
        except (OSError, sqlite3.Error) as error:
            self._failed(path, error)
            return None
        self._troubles.pop(path, None)
        return copy

    def _again(self, arrival: Arrival, found: os.stat_result) -> None:
        """The file is not what it was when it was seen: wait for it anew."""
        now = replace(arrival, size=found.st_size, mtime_ns=found.st_mtime_ns, hint="changed")
        self._settler.observe(now, time.monotonic())

    def _failed(self, path: str, error: OSError | sqlite3.Error) -> None:
        self._settler.retry(path, time.monotonic(), RETRY_SECONDS)
        if path in self._troubles:
            return
        said = getattr(error, "strerror", None) or str(error)
        if isinstance(error, OSError) and error.errno in durable.FULL:
            said = durable.remedy(error, self._folder)
        elif isinstance(error, PermissionError):
            said += ": give this user the right to read it"
        self._troubles[path] = f"{printable(path)} cannot be copied ({said}); it waits there"
        self._log.warning("cannot copy", path=printable(path), error=said)

    def _copy(self, arrival: Arrival) -> Copy | None:
        """Copy one file; None if it changed meanwhile, or its bytes were copied before."""
        key = str(uuid_utils.uuid7())
        copy = Copy(
            key, os.path.basename(arrival.path), arrival.camera, arrival.size, arrival.mtime_ns
        )
        self._copied.begin(copy)
        try:
            with without_links(arrival.path) as source:
                digest = self._write(source, copy)
                sidecar = _content(f"{source}{SUFFIX}")
        except BaseException:
            with suppress(OSError, sqlite3.Error):
                self._remove(copy)
            raise
        if digest is None:
            self._remove(copy)
            self._again(arrival, os.lstat(arrival.path))
            return None
        self._settler.forget(arrival.path)
        if self._copied.has_content(arrival.path, digest):
            self._copied.finish(arrival.path, copy, digest, keep=False)
            self._remove(copy)
            return None
        folder = self._folder / key
        if sidecar is not None:
            durable.write_new(folder / f"{copy.name}{SUFFIX}", sidecar)
        os.rename(folder / durable.PART, folder / copy.name)
        durable.fsync_directory(folder)
        self._copied.finish(arrival.path, copy, digest, keep=True)
        self._waiting[key] = copy
        return copy

    def _write(self, source: Path, copy: Copy) -> str | None:
        """Copy the bytes aside, durably; their hash, or None if the source was not at rest."""
        durable.make_folder(self._folder / copy.key)
        staged = self._folder / copy.key / durable.PART
        digest = hashlib.sha256()
        with open_regular(source) as file, staged.open("wb") as target:
            before = os.fstat(file.fileno())
            while piece := file.read(CHUNK_BYTES):
                digest.update(piece)
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
            file.seek(0)
            again = hashlib.file_digest(file, "sha256")
            after = os.stat(source, follow_symlinks=False)
        with staged.open("rb") as copied:
            written = hashlib.file_digest(copied, "sha256")
        os.utime(staged, ns=(copy.mtime_ns, copy.mtime_ns))
        at_rest = _identity(before) == _identity(after) and again.digest() == digest.digest()
        if not at_rest or (before.st_size, before.st_mtime_ns) != (copy.size, copy.mtime_ns):
            return None
        if written.digest() != digest.digest():
            raise OSError("the copy differs from its source: check the disk of data/state")
        return digest.hexdigest()

    def _note_taken(self) -> None:
        """Forget the copies that the intake has moved away."""
        for copy in list(self._waiting.values()):
            if not os.path.lexists(self._folder / copy.key / copy.name):
                del self._waiting[copy.key]
                self._remove(copy)

    def _remove(self, copy: Copy) -> None:
        """Remove what is left of a copy, then its note: in this order a crash is made good."""
        folder = self._folder / copy.key
        with suppress(FileNotFoundError):
            for path in list(folder.iterdir()):
                path.unlink()
            folder.rmdir()
        self._copied.drop(copy.key)

    def _arrival(self, copy: Copy) -> Arrival:
        path = str(self._folder / copy.key / copy.name)
        return Arrival(path, copy.camera, copy.size, copy.mtime_ns, "renamed")

    def _sweep(self) -> None:
        """Once a day, hold what is known against a whole scan; a share that is away tells none."""
        self._note_taken()
        now = time.monotonic()
        if self._present is not None and self._source_trouble is None:
            self._copied.forget_missing(self._present, datetime.now(UTC))
            self._present, self._sweep_at = None, now + SWEEP_SECONDS
        elif self._present is None and now >= self._sweep_at:
            self._present = set()


def settle_options(site: Site) -> SettleOptions:
    """How long a file must be quiet before it is copied: as long as any other of the site."""
    given = {"quiet_seconds": site.quiet_seconds, "settle_seconds": site.settle_seconds}
    return SettleOptions(**{name: value for name, value in given.items() if value is not None})


def _content(path: str) -> bytes | None:
    try:
        with open_regular(path) as file:
            return file.read(SIDECAR_BYTES)
    except OSError as error:
        # Beside a name of full length no file can be.
        if error.errno in (errno.ENOENT, errno.ENAMETOOLONG):
            return None
        raise


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns
