"""Canaries: now and then a small file is written through each inbox, and must be seen.

`flights.py` sends them, on threads that may hang with their share; here is who decides when, and
who tells. Source, settler and intake meet a canary like a picture (`sightings.py`), and
`lateness.py` judges what they saw. The judge touches no inbox, so no share holds it up.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

import structlog

from flows.care.flights import Sender
from flows.care.sightings import STEM, Sightings
from flows.clocks import Clocks
from flows.configuration.settings import Settings
from flows.ledger.log import Ledger
from stages.errors import ConfigError
from stages.ports import Perch, Site

TELLER = "canary"
EVERY_SECONDS = 1.0


class Canaries:
    """Sends canaries through a root's inboxes for as long as its block lasts.

    With `on` false only those that an earlier run left are removed. `start` runs what touches an
    inbox; by default on a thread of its own.
    """

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        site: Site,
        sightings: Sightings,
        clocks: Clocks,
        *,
        on: bool = True,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._told: dict[str, str] | None = None
        self._log = structlog.get_logger("markwatch.canary")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)
        # Not made yet: the ledger may not be written to just now.
        self._make = partial(
            _senders, ledger, settings, site, sightings, clocks, on, start or _on_a_thread
        )
        self._senders: dict[str, Sender] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for sender in (self._senders or {}).values():
            sender.end()

    def _run(self) -> None:
        while True:
            try:
                self.turn()
            except (OSError, sqlite3.Error) as error:
                # The ledger's disk is full or away: the flow itself says so.
                self._log.debug("cannot look after the canaries", error=str(error))
            if self._senders == {} or self._stop.wait(EVERY_SECONDS):
                return

    def turn(self) -> None:
        """Send those that are due, judge those that are out, and tell what is wrong.

        Raises:
            sqlite3.Error: the ledger cannot be written.
        """
        if self._senders is None:
            self._senders = self._make()
        found = {f"canary {name}": sender.turn() for name, sender in self._senders.items()}
        told = {name: words for name, words in found.items() if words is not None}
        before = self._told or {}
        for name in told.keys() - before.keys():
            self._log.warning("needs attention", what=name, words=told[name])
        for name in before.keys() - told.keys():
            self._log.info("is well again", what=name)
        if told != self._told:
            self._ledger.set_conditions(told, TELLER)
        self._told = told


def _senders(
    ledger: Ledger,
    settings: Settings,
    site: Site,
    sightings: Sightings,
    clocks: Clocks,
    on: bool,
    start: Callable[[Callable[[], None]], None],
) -> dict[str, Sender]:
    """One for each source that lets canaries be written, or where one may have been left."""
    notes = ledger.canaries
    perches = _perches(settings, site) if on and settings.canary.every_minutes else {}
    if on:
        notes.keep_only(perches)
    left = notes.left()
    return {
        name: Sender(
            name,
            perches.get(name),
            left.get(name),
            settings.canary,
            settings.intake.quiet_seconds,
            notes,
            sightings,
            clocks,
            start,
        )
        for name in sorted(perches.keys() | left.keys())
    }


def _perches(settings: Settings, site: Site) -> dict[str, Perch | ConfigError]:
    """Where each source lets canaries be written, or why it cannot though it would."""
    found: dict[str, Perch | ConfigError] = {}
    for name, choice in settings.sources.items():
        offered = getattr(choice.plugin, "perch", None)
        try:
            perch = offered and offered(choice.options, site, STEM)
        except ConfigError as error:
            perch = error
        if perch is not None:
            found[name] = perch
    return found


def _on_a_thread(act: Callable[[], None]) -> None:
    threading.Thread(target=act, name="canary-file", daemon=True).start()
