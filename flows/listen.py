"""The sources' threads: each feeds the intake, and one that dies is noticed and started again."""

from __future__ import annotations

import threading
import time

import structlog

from flows.configuration.choices import SourceChoice
from flows.configuration.settings import Settings
from flows.intake import Intake
from stages.ports import ScanEnd, Site, Trouble

RESTART_SECONDS = 1.0
ENDED = "its thread ended by itself and was started again: see the log"


class Listeners:
    """Runs every source of the site until stopped."""

    def __init__(
        self, settings: Settings, site: Site, intake: Intake, wake: threading.Event
    ) -> None:
        self._sources = settings.sources
        self._site = site
        self._intake = intake
        self._wake = wake
        self._stop = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._scanned: dict[str, float] = {}
        self._guard = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._started: dict[str, float] = {}
        self._log = structlog.get_logger("markwatch.listen")

    def start(self) -> None:
        """Start a thread for each source."""
        for name, choice in self._sources.items():
            self._start(name, choice)

    def _start(self, name: str, choice: SourceChoice) -> None:
        thread = threading.Thread(
            target=self._listen, args=(name, choice), name=f"source-{name}", daemon=True
        )
        self._threads[name] = thread
        self._started[name] = time.monotonic()
        thread.start()

    def _listen(self, name: str, choice: SourceChoice) -> None:
        with choice.plugin(choice.options, self._site) as source:
            for seen in source.arrivals(self._stop):
                if isinstance(seen, ScanEnd):
                    if self._troubles.get(name) == ENDED:
                        self._note(name, None)
                    # Its files are with the intake by now, so `scanned` is never told too early.
                    self._scanned[name] = time.monotonic()
                    self._intake.sightings.note_scan(name, events=seen.events)
                    self._wake.set()
                    continue
                if isinstance(seen, Trouble):
                    self._note(name, seen.words)
                    continue
                self._intake.observe(seen)
                if seen.hint != "seen":
                    self._wake.set()

    def _note(self, name: str, words: str | None) -> None:
        with self._guard:
            if words is None:
                self._troubles.pop(name, None)
            else:
                self._troubles[name] = words
        self._wake.set()

    @property
    def troubles(self) -> dict[str, str]:
        """What keeps sources from seeing, by their names."""
        with self._guard:
            return dict(self._troubles)

    @property
    def scanned_at(self) -> dict[str, float]:
        """When each source ended its last full scan, in monotonic seconds."""
        return dict(self._scanned)

    @property
    def scanned(self) -> bool:
        """Whether every source has seen all its files at least once."""
        return len(self._scanned) == len(self._sources)

    def supervise(self) -> None:
        """Start again any source whose thread has ended."""
        for name, thread in list(self._threads.items()):
            rested = time.monotonic() - self._started[name] >= RESTART_SECONDS
            if not thread.is_alive() and rested and not self._stop.is_set():
                self._log.error("source stopped, starting it again", source=name)
                self._note(name, ENDED)
                self._start(name, self._sources[name])

    def stop(self, timeout: float) -> None:
        """End all threads."""
        self._stop.set()
        end = time.monotonic() + timeout
        for thread in self._threads.values():
            thread.join(max(0.1, end - time.monotonic()))
