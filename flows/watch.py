"""START HERE. The walk, in one direction: intake -> graph -> ledger -> deliver -> archive.

One loop in one thread owns every picture. Sources see files; `Intake` claims them when they are
whole; a chunk goes to the cluster as one Dask graph; what comes back is committed to the ledger in
one transaction; each sink follows the ledger on a thread of its own; the picture is filed last.
A crash at any line is repaired by the next start, from the ledger.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from flows.archive import Archive, Filing, filing, reason_note, relative_work
from flows.care.canary import Canaries
from flows.care.listening import Listening
from flows.care.rereads import Rereads
from flows.care.retention import Retention
from flows.chunks import Waiting
from flows.clocks import Clocks
from flows.cluster.choice import cluster
from flows.cluster.place import ClusterAwayError
from flows.configuration.folders import check_folders, make_folders
from flows.configuration.installation import site_of
from flows.configuration.recipe_book import RecipeBook
from flows.configuration.settings import Layout, Settings
from flows.deliver import Delivery
from flows.dispatch import Dispatch
from flows.files import durable
from flows.files.residue import clear_residue
from flows.intake import Intake
from flows.ledger.log import Ledger, Outcome, ledger_remedy
from flows.listen import Listeners
from flows.recovery import recover
from flows.serve.serving import Serving
from stages.ports import Site
from stages.records import Failure, Report

TICK_SECONDS = 0.1
FILE_AGAIN_SECONDS = 1.0
TRY_AGAIN_SECONDS = 1.0


class Watch:
    """The running flow of one root; `run` returns when it was told to stop."""

    def __init__(self, layout: Layout, settings: Settings, clocks: Clocks) -> None:
        self._layout = layout
        self._settings = settings
        self._clocks = clocks
        self._stopping = False
        self.stuck = False
        self._wake = threading.Event()
        self._back: list[Report | Failure] = []
        self._final: deque[Report | Failure] = deque()
        self._uncommitted: list[Outcome] = []
        self._unfiled: list[Filing] = []
        self._file_at = 0.0
        self._go_on_at = 0.0
        self._trouble: str | None = None
        self._told: dict[str, str] | None = None
        self._strangers: list[str] = []
        self._log = structlog.get_logger("markwatch.watch")

    def stop(self) -> None:
        """Finish what is in flight, flush the sinks and return; safe in a signal handler."""
        # A plain flag: the thread that a signal interrupts may hold an Event's lock just then.
        self._stopping = True

    def run(self, *, once: bool = False) -> bool:
        """Watch until stopped, or with `once` until the inbox is empty and everything delivered.

        Returns whether every sink had everything when it ended; `stuck` then tells whether a
        thread that cannot be stopped is left.

        Raises:
            ConfigError: the folders overlap, or another process watches this root.
            PluginError: an engine cannot be loaded.
        """
        check_folders(self._layout, self._settings)
        make_folders(self._layout, self._settings)
        site = site_of(self._layout, self._settings)
        with Ledger(self._layout.ledger, self._clocks.now, root=self._layout.root) as ledger:
            self._ledger = ledger
            self._archive = Archive(self._layout, ledger)
            self._rereads = Rereads(self._layout, ledger, self._clocks.tick)
            self._intake = Intake(self._layout, ledger, self._settings.intake, self._clocks)
            options = self._settings.cluster
            self._place = place = cluster(options, self._settings.log, self._layout.root)
            self._book = RecipeBook(
                self._layout, self._settings.recogniser, self._clocks.tick, place.warm
            )
            self._dispatch = Dispatch(
                self._settings, ledger, self._book, place, self._clocks, self._wake.set
            )
            self._recover(isolated=place.isolated)
            serving = Serving(self._layout, self._settings, ledger, self._clocks, on=not once)
            with place, serving as self._serving:
                for line in place.warm(self._book.engines()):
                    self._log.info("loaded", engine=line)
                self._deliveries = [
                    Delivery(name, choice, site, ledger, self._settings.delivery, self._clocks)
                    for name, choice in self._settings.sinks.items()
                ]
                for delivery in self._deliveries:
                    delivery.open()
                for delivery in self._deliveries:
                    delivery.start()
                try:
                    with (
                        Retention(self._layout, ledger, self._settings, self._clocks),
                        Listening(ledger, self._settings.silence, self._clocks),
                        self._canaries(ledger, site, on=not once),
                    ):
                        self._watch(site, once)
                finally:
                    complete = self._finish()
        return complete

    def _canaries(self, ledger: Ledger, site: Site, *, on: bool) -> Canaries:
        seen = self._intake.sightings
        return Canaries(ledger, self._settings, site, seen, self._clocks, on=on)

    def _tell_conditions(self, sources: Mapping[str, str]) -> None:
        """Keep in the ledger, for `status`, what wants a person's attention now."""
        told = {f"recipe {name}": words for name, words in self._book.errors.items()}
        told |= {f"source {name}": words for name, words in sources.items()}
        found = {"intake": self._intake.trouble, "archive": self._archive.trouble}
        found |= {"serve": self._serving.trouble, "suspects": self._dispatch.trouble}
        found["cluster"] = self._place.trouble
        if self._strangers:
            found["data/work"] = (
                f"{len(self._strangers)} files that no picture of the ledger has, "
                f"{self._strangers[0]} for one: move them to an inbox to have them read"
            )
        found |= {f"sink {delivery.name}": delivery.trouble for delivery in self._deliveries}
        told |= {name: words for name, words in found.items() if words}
        if self._trouble:
            told["the flow"] = self._trouble
        if told != self._told:
            self._ledger.set_conditions(told)
            self._told = told

    def _recover(self, *, isolated: bool) -> None:
        unfinished = self._ledger.unfinished()
        to_read, to_file = recover(
            self._layout, self._ledger, self._clocks, unfinished, isolated=isolated
        )
        self._dispatch.add(to_read)
        for item in to_file:
            note = None
            if item.reason is not None and item.image is not None:
                note = reason_note(item.image, None, item.reason)
            if item.target is not None:
                self._unfiled.append(Filing(item.claim.id, item.claim.work, item.target, note))
        self._strangers = clear_residue(self._layout, self._ledger, unfinished)
        if unfinished:
            self._log.info("recovered", to_read=len(to_read), to_file=len(to_file))

    def _watch(self, site: Site, once: bool) -> None:
        listeners = Listeners(self._settings, site, self._intake, self._wake)
        listeners.start()
        self._log.info(
            "watching",
            station=self._settings.station,
            root=str(self._layout.root),
        )
        try:
            while not self._stopping:
                worked = self._try(self._step)
                listeners.supervise()
                self._serving.turn(
                    listeners.scanned_at,
                    complete=listeners.scanned,
                    chunks_lost=self._dispatch.chunks_lost,
                )
                self._try(partial(self._tell_conditions, listeners.troubles))
                if once and listeners.scanned and self._idle():
                    return
                if not worked:
                    self._pause()
        finally:
            listeners.stop(self._settings.delivery.stop_seconds)

    def _try(self, act: Callable[[], bool | None]) -> bool:
        """Do this, unless a disk or cluster was away just now; returns whether it did anything.

        Nothing that was being done is forgotten by what it failed in, so it is simply tried again.
        """
        if self._clocks.tick() < self._go_on_at:
            return False
        try:
            did = bool(act())
        except (sqlite3.OperationalError, OSError, ClusterAwayError) as error:
            self._go_on_at = self._clocks.tick() + TRY_AGAIN_SECONDS
            if self._trouble is None:
                self._trouble = self._words(error)
                self._log.error("cannot go on, will try again", error=self._trouble)
            return False
        if act == self._step and self._trouble is not None:
            self._trouble = None
            self._log.info("going on")
        return did

    def _words(self, error: sqlite3.OperationalError | OSError | ClusterAwayError) -> str:
        if isinstance(error, ClusterAwayError):
            return str(error)
        if isinstance(error, OSError):
            return durable.remedy(error, error.filename or self._layout.root / "data")
        return ledger_remedy(error)

    def _idle(self) -> bool:
        return self._intake.idle and not self._owes() and self._rereads.idle

    def _owes(self) -> bool:
        """Whether pictures are in work whose reports are not committed, or might be."""
        back = self._back or self._final or self._uncommitted
        return bool(self._dispatch.held or back or self._trouble)

    def _pause(self) -> None:
        ready = self._room() and self._trouble is None
        due = self._intake.next_due(self._book.held) if ready else None
        wait = TICK_SECONDS if due is None else min(TICK_SECONDS, max(due, 0.001))
        self._wake.wait(wait)
        self._wake.clear()

    def _room(self) -> int:
        return max(0, self._settings.intake.max_in_flight - self._dispatch.in_line)

    def _step(self) -> bool:
        """One turn of the loop: claim, send, collect, file. Returns whether it did anything."""
        self._book.refresh()
        claimed = self._intake.claim(self._room(), self._book.held)
        self._dispatch.add(Waiting(image, 0) for image in claimed)
        self._dispatch.add(self._rereads.take(self._room(), self._book.held))
        moved = self._read()
        if self._unfiled and self._clocks.tick() >= self._file_at:
            self._file()
        return bool(claimed) or moved

    def _read(self) -> bool:
        """Send what waits, commit what is back; returns whether anything moved."""
        sent = self._dispatch.send()
        self._back += self._dispatch.collect()
        if self._back:
            final, self._back = self._rereads.accept(self._back), []
            self._final.extend(final)
        while self._final:
            outcome = Outcome(self._final[0], self._archive.target(self._final[0]))
            self._uncommitted.append(outcome)
            self._final.popleft()
        worked = bool(self._uncommitted)
        if worked:
            self._commit(self._uncommitted)
            self._uncommitted = []
        self._dispatch.check_deadlines()
        return bool(sent or worked)

    def _commit(self, outcomes: Sequence[Outcome]) -> None:
        rows = self._ledger.commit(outcomes, self._settings.station)
        for row in rows:
            self._log.info(
                "reading",
                seq=row["seq"],
                camera=row["camera"],
                image=row["image"],
                status=row["status"],
                code=row["code"],
                confidence=row["confidence"] and round(row["confidence"], 3),
                reason=row["reason"],
            )
        for delivery in self._deliveries:
            delivery.wake()
        self._serving.committed(rows)
        self._unfiled.extend(
            filing(outcome, relative_work(self._layout, outcome.result.image.path))
            for outcome in outcomes
        )

    def _file(self) -> None:
        self._file_at = self._clocks.tick() + FILE_AGAIN_SECONDS
        self._unfiled = self._archive.file(self._unfiled)
        if not self._unfiled:
            self._file_at = 0.0

    def _finish(self) -> bool:
        """Read what was claimed, flush the sinks, and tell them that the station stops."""
        self._log.info("stopping", seconds=self._settings.delivery.stop_seconds)
        end = self._clocks.tick() + self._settings.delivery.stop_seconds
        self._serving.drain()
        for delivery in self._deliveries:
            delivery.announce_draining()
        while self._owes() and self._clocks.tick() < end:
            if not self._try(self._read):
                self._wake.wait(TICK_SECONDS)
                self._wake.clear()
        if self._unfiled:
            self._try(self._file)
        for delivery in self._deliveries:
            delivery.drain()
        self.stuck = bool(self._dispatch.held)
        complete = True
        for delivery in self._deliveries:
            if not delivery.settled(max(0.0, end - self._clocks.tick())):
                complete = False
                self._log.warning(
                    "readings wait in the ledger", sink=delivery.name, pending=delivery.pending()
                )
        for delivery in self._deliveries:
            delivery.stop(max(1.0, end - self._clocks.tick()))
        self._log.info("stopped", in_work=len(self._ledger.unfinished()))
        return complete
