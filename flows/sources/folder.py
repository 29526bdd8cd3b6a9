"""Pictures from an inbox folder: file system events as hints, a scan as the truth.

Events (`events.py`) make markwatch quick; nothing depends on them. A scan (`scan.py`) at the start,
every so often, and whenever events may have been lost finds what they did not tell of. Where they
cannot be trusted, as on a network share, the same scan polls the folder. Every second a look at
the folder and at watchdog decides whether to begin anew.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import structlog

from flows.files.filenames import printable
from flows.sources.copying import Copying, settle_options
from flows.sources.events import TELLS_CLOSED, Events
from flows.sources.filesystem import Mode, filesystems_under, mode_for
from flows.sources.folder_options import FolderOptions
from flows.sources.names import Names
from flows.sources.scan import Scan
from stages.errors import ConfigError
from stages.options import Options
from stages.ports import Perch, ScanEnd, Site, Trouble
from stages.records import Arrival, Hint

STOP_SECONDS = 0.1
"""How late a set `stop` may be noticed."""

DEAF_TIMES = 2
"""So often may events fail to tell of a file before `auto` polls instead."""


class FolderSource:
    """Sees the pictures in an inbox and its subfolders; the first subfolder is the camera."""

    Options: ClassVar[type[Options]] = FolderOptions
    told_limit: ClassVar[int] = 65_536
    """Files that events may tell of before anyone listens; past it a scan is asked for."""

    def __init__(self, options: FolderOptions, site: Site) -> None:
        self._options = options
        self._site = site
        self._inbox = os.path.join(site.root, options.inbox)
        self._log = structlog.get_logger("markwatch.sources.folder")
        self._over = threading.Event()

    @staticmethod
    def folders(options: FolderOptions, site: Site) -> tuple[Path, ...]:
        """The inbox."""
        return (Path(site.root, options.inbox),)

    @staticmethod
    def perch(options: FolderOptions, site: Site, stem: str) -> Perch | None:
        """The inbox, for a canary; none on a share that must stay as it is.

        Raises:
            ConfigError: such a name is on the ignore list.
        """
        if options.claim == "copy":
            return None
        suffix = "png" if "png" in options.suffixes else options.suffixes[0]
        inbox = os.path.join(site.root, options.inbox)
        if Names(inbox, options.suffixes, options.ignore).ignores(f"{stem}.{suffix}"):
            raise ConfigError(
                f"its `ignore` passes over names that begin with {stem}: take that pattern out, or "
                "set canary.every_minutes: 0"
            )
        return Perch(Path(inbox), suffix, options.rescan_seconds, options.poll_seconds)

    def __enter__(self) -> Self:
        options = self._options
        # Resolved, because inotify does not follow links and a share is often reached by one.
        self._inbox = os.path.realpath(self._inbox)
        names = Names(self._inbox, options.suffixes, options.ignore)
        self._scan = Scan(names, options.poll_seconds, options.rescan_seconds)
        self._events = Events(names, self.told_limit)
        self._heard: dict[str, Hint] = {}
        self._watched: tuple[int, int] | None = None
        self._kinds: tuple[str, ...] = ()
        self._mode: Mode = "polling"
        self._deaf = 0
        self._away = False
        self._supervise_at = self._walk_at = self._look_at = self._asked_from = 0.0
        self._over.clear()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._events.stop()

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | ScanEnd | Trouble]:
        """Yield what is seen until `stop` is set; blocks in the thread of its one caller.

        An inbox that is missing or away is waited for. Every file that stays is yielded again by
        each full scan, whose end is told by a `ScanEnd`; what cannot be read, by a `Trouble`.
        With `claim: copy` these are the copies of what is there.
        """
        if self._options.claim == "copy":
            copying = Copying(self._site.root, self._inbox, settle_options(self._site))
            yield from copying.arrivals(self._seen(stop))
        else:
            yield from (each for each in self._seen(stop) if each is not None)

    def _seen(self, stop: threading.Event) -> Iterator[Arrival | ScanEnd | Trouble | None]:
        """What lies in the inbox; None when there was nothing for a while."""
        told: str | None = None
        try:
            while not self._stopped(stop):
                for arrival in self._turn():
                    if self._stopped(stop):
                        return
                    if isinstance(arrival, ScanEnd):
                        yield arrival
                        continue
                    if arrival.hint == "gone":
                        self._heard.pop(arrival.path, None)
                    yield arrival
                    yield from self._news(stop)
                yield from self._news(stop)
                if (words := self._trouble()) != told:
                    told = words
                    yield Trouble(words)
                yield None
                self._wait()
        finally:
            self._events.stop()

    def probe(self) -> str:
        """Name the inbox, its file system and the mode."""
        if not os.path.isdir(self._inbox):
            raise ConfigError(
                f"{printable(self._inbox)} is not there: mount the share, or make the folder"
            )
        copies = self._options.claim == "copy"
        if copies and not os.access(self._inbox, os.R_OK | os.X_OK):
            raise ConfigError(
                f"{printable(self._inbox)} may not be read by this user: give it the right to"
            )
        if not copies and not os.access(self._inbox, os.R_OK | os.W_OK | os.X_OK):
            raise ConfigError(
                f"{printable(self._inbox)} may not be changed by this user, and claiming moves a "
                "picture out of it: give this user the right to write there, or set claim: copy"
            )
        kinds = filesystems_under(os.path.realpath(self._inbox))
        able = mode_for(kinds)
        mode = able if self._options.mode == "auto" else self._options.mode
        found = f"{printable(self._inbox)} ({', '.join(kinds)}), {mode}"
        if mode == "events" and able == "polling":
            found += (
                "\nattention: there the kernel does not tell of files that others write, so they "
                f"are only seen every {self._options.rescan_seconds:g} s; set mode: auto"
            )
        return found

    def _trouble(self) -> str | None:
        """What keeps this source from seeing, in words for a person."""
        if self._away:
            return f"{printable(self._inbox)} is away: mount the share; its pictures wait there"
        if self._scan.troubles:
            path, words = next(iter(self._scan.troubles.items()))
            return f"{printable(path)} cannot be read ({words}); its pictures wait there"
        return None

    def _stopped(self, stop: threading.Event) -> bool:
        return stop.is_set() or self._over.is_set()

    def _wait(self) -> None:
        due = min(self._supervise_at, self._walk_at, self._look_at) - time.monotonic()
        self._events.waiting.wait(min(STOP_SECONDS, max(0.0, due)))
        self._events.waiting.clear()

    def _turn(self) -> Iterator[Arrival | ScanEnd]:
        """Supervise and scan, as far as either is due."""
        now = time.monotonic()
        if now >= self._supervise_at:
            self._supervise(now)
            self._supervise_at = now + self._options.poll_seconds
        asked = self._events.rescan.is_set()
        if now >= self._walk_at or (asked and now >= self._asked_from):
            self._events.rescan.clear()
            # Events owe nothing of what was there before them, or when some were lost.
            owed = self._mode == "events" and self._walk_at > 0 and not asked
            yield from self._scan.walk(full=True, heard=self._heard if owed else None)
            if self._watched is not None:
                yield ScanEnd(len(self._scan), events=self._mode == "events")
            self._forget_unseen()
            now = time.monotonic()
            self._walk_at = now + self._options.rescan_seconds
            self._look_at = self._asked_from = now + self._options.poll_seconds
        elif now >= self._look_at:
            events = self._mode == "events"
            yield from self._scan.look() if events else self._scan.walk(full=False)
            self._look_at = time.monotonic() + self._options.poll_seconds

    def _news(self, stop: threading.Event) -> Iterator[Arrival]:
        """What events told since the last time, each file as it is now."""
        for folder in self._events.take_folders():
            # The first picture of a new camera does not wait for the end of a walk.
            yield from self._scan.visit(folder)
        for path, word in self._events.take().items():
            if self._stopped(stop):
                return
            if word == "touched":
                # Copying tools set the time of a file after they closed it: it is still whole.
                before = self._heard.get(path)
                if before not in ("closed", "renamed"):
                    continue
                word = before
            arrival = self._scan.told(path, word)
            if arrival is None:
                continue
            if arrival.hint == "gone":
                self._heard.pop(path, None)
            else:
                self._heard[path] = arrival.hint
                if not TELLS_CLOSED:
                    self._scan.expect(path)
            yield arrival

    def _forget_unseen(self) -> None:
        """Forget what events told of files whose leaving they did not tell."""
        for path in [path for path in self._heard if not self._scan.knows(path)]:
            if not os.path.lexists(path):
                del self._heard[path]

    def _supervise(self, now: float) -> None:
        """Begin to watch, or begin anew when the folder or watchdog is not what it was."""
        place = self._place()
        if place is None:
            if not self._away:
                self._away = True
                self._log.warning("inbox is away, waiting for it", inbox=printable(self._inbox))
            self._watched = None
            self._events.stop()
            return
        self._away = False
        kinds = filesystems_under(self._inbox)
        reason = self._reason(place, kinds, now)
        if reason is None:
            return
        self._events.stop()
        self._mode = self._choose(kinds)
        if self._mode == "events":
            try:
                self._events.start()
            except OSError as error:
                self._mode = "polling"
                self._log.warning(
                    "no events, polling instead; fs.inotify.max_user_watches and "
                    "max_user_instances are the kernel's limits",
                    inbox=printable(self._inbox),
                    error=str(error),
                )
        self._watched, self._kinds = place, kinds
        self._walk_at = 0.0
        self._scan.unheard.clear()
        self._scan.look_anew()
        self._log.info(
            "watching",
            inbox=printable(self._inbox),
            mode=self._mode,
            filesystem=", ".join(kinds),
            reason=reason,
        )

    def _reason(self, place: tuple[int, int], kinds: tuple[str, ...], now: float) -> str | None:
        """Why to begin to watch anew; None for carrying on."""
        if self._watched is None:
            return "found"
        if place != self._watched or kinds != self._kinds:
            return "replaced"
        if self._mode != "events":
            return None
        if not self._events.alive():
            return "observer stopped"
        if self._scan.unheard and now - self._events.last_at > self._options.poll_seconds:
            self._deaf += 1
            self._log.warning(
                "events did not tell of a new file",
                path=printable(next(iter(self._scan.unheard))),
                files=len(self._scan.unheard),
            )
            return "events missing"
        return None

    def _choose(self, kinds: tuple[str, ...]) -> Mode:
        if self._options.mode != "auto":
            return self._options.mode
        return "polling" if self._deaf >= DEAF_TIMES else mode_for(kinds)

    def _place(self) -> tuple[int, int] | None:
        """What tells this folder from another of its name: one renamed or mounted over it."""
        try:
            found = os.stat(self._inbox)
        except OSError:
            return None
        return found.st_dev, found.st_ino
