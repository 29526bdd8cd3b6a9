"""What watchdog tells of an inbox: hints, the latest word on each file, never more than a bound.

Events say soonest what happened, and alone say that a writer closed a file or that it was renamed
into the folder. They get lost (the kernel's queue overflows, threads die, limits are reached);
then a scan is asked for, and `alive` says whether to begin anew.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from typing import TYPE_CHECKING, Literal

import structlog

from flows.sources.names import Names
from stages.records import Hint

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver

Word = Hint | Literal["touched"]
"""`touched` is a change of a file's times or rights without a write."""

TELLS_CLOSED = sys.platform.startswith("linux")
"""Only inotify tells that a writer closed a file."""

PAIRING_SECONDS = 0.005

_WORDS: dict[str, Word] = {
    "created": "changed",
    "modified": "changed",
    "closed": "closed",
    "deleted": "gone",
    "attrib": "touched",
}


class Events:
    """Watches one inbox, and keeps what was told until it is taken; `limit` counts files."""

    def __init__(self, names: Names, limit: int) -> None:
        self._names = names
        self._limit = limit
        self._guard = threading.Lock()
        self._told: dict[str, Word] = {}
        self._folders: set[str] = set()
        self._lifetime = threading.Lock()
        self._observer: BaseObserver | None = None
        self._complaints = _Complaints(self)
        self.waiting = threading.Event()
        """Set when there is something to take, or a scan is asked for."""
        self.rescan = threading.Event()
        """Set when something may have been lost; whoever scans clears it first."""
        self.last_at = -float("inf")
        """When the last event came, in monotonic seconds."""

    def start(self) -> None:
        """Begin to watch.

        Raises:
            OSError: the folder is away, or the kernel's limits do not allow another watch.
        """
        with self._lifetime:
            observer = _observer()
            observer.schedule(self, self._names.inbox, recursive=True, event_filter=_wanted())
            self._observer = observer
            _heed(self._complaints)
            try:
                observer.start()
            except OSError:
                self._stop()
                raise

    def stop(self) -> None:
        """Stop watching and wait for watchdog's threads; may be called at any time."""
        with self._lifetime:
            self._stop()

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._observer is not None

    def alive(self) -> bool:
        """Whether the observer and its emitter (which ends with its folder) still run."""
        observer = self._observer
        if observer is None or not observer.is_alive():
            return False
        return bool(observer.emitters) and all(one.is_alive() for one in observer.emitters)

    def take(self) -> dict[str, Word]:
        """The latest word on each file since this was last called."""
        with self._guard:
            told, self._told = self._told, {}
        return told

    def take_folders(self) -> set[str]:
        """The folders that came since this was last called, to be looked into at once."""
        with self._guard:
            folders, self._folders = self._folders, set()
        return folders

    def ask(self) -> None:
        """Ask for a scan."""
        self.rescan.set()
        self.waiting.set()

    def dispatch(self, event: FileSystemEvent) -> None:
        """Note one event; this is what makes the object a handler for watchdog's threads."""
        self.last_at = time.monotonic()
        kind = event.event_type
        if event.is_directory:
            # What lies in a folder that came or went may not have been told of.
            if kind in ("created", "moved"):
                self._note_folder(event.dest_path or event.src_path)
            self.ask()
        elif kind == "moved":
            if event.src_path:
                self._note(event.src_path, "gone")
            if event.dest_path:
                # A file that moved with its folder may be in the middle of being written.
                self._note(event.dest_path, "changed" if event.is_synthetic else "renamed")
        elif kind in _WORDS:
            self._note(event.src_path, _WORDS[kind])

    def _note_folder(self, path: bytes | str) -> None:
        with self._guard:
            if len(self._folders) < self._limit:
                self._folders.add(os.fsdecode(path))

    def _note(self, path: bytes | str, word: Word) -> None:
        name = os.fsdecode(path)
        if not self._names.wants(name):
            return
        with self._guard:
            if name not in self._told and len(self._told) >= self._limit:
                self.rescan.set()
            elif word == "touched":
                self._told.setdefault(name, word)
            else:
                self._told[name] = word
        self.waiting.set()

    def _stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.ident is not None:
                observer.join()
        _heed(self._complaints, still=False)


class _Complaints(logging.Handler):
    """Listens to watchdog's log, the only place that says that the kernel's queue overflowed."""

    def __init__(self, events: Events) -> None:
        super().__init__(logging.WARNING)
        self._events = events
        self._log = structlog.get_logger("markwatch.sources.folder")

    def emit(self, record: logging.LogRecord) -> None:
        # While it stops watchdog complains of that.
        if self._events.started:
            self._events.ask()
            self._log.warning("events may be lost, scanning", said=record.getMessage())


def _heed(complaints: _Complaints, *, still: bool = True) -> None:
    """Take watchdog's log over, or give it back."""
    logger = logging.getLogger("watchdog")
    (logger.addHandler if still else logger.removeHandler)(complaints)
    logger.propagate = not logger.handlers


def _observer() -> BaseObserver:
    if not TELLS_CLOSED:
        from watchdog.observers import Observer

        return Observer()
    from watchdog.observers.inotify import InotifyObserver
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    # Folders made one in another are watched twice by watchdog, which warns of it and goes on.
    warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)
    # A file that leaves the inbox (each claim) holds up all later events for as long as watchdog
    # waits for the other half of a rename. The kernel writes both halves at once.
    InotifyMoveEventGrouper.delay = PAIRING_SECONDS
    # Full events tell a file that was renamed into the folder from one that was created in it.
    return InotifyObserver(generate_full_events=True)


def _wanted() -> list[type[FileSystemEvent]]:
    """All but opening and reading, which markwatch itself does."""
    from watchdog import events

    return [
        events.FileCreatedEvent,
        events.FileModifiedEvent,
        events.FileAttribEvent,
        events.FileClosedEvent,
        events.FileMovedEvent,
        events.FileDeletedEvent,
        events.DirCreatedEvent,
        events.DirMovedEvent,
        events.DirDeletedEvent,
    ]
