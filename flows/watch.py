"""START HERE. The walk, in one direction: intake -> graph -> ledger -> deliver -> archive.

One loop in one thread owns every picture. Sources see files; `Intake` claims them when they are
whole; a chunk goes to the cluster as one Dask graph; what comes back is committed to the ledger in
one transaction; each sink follows the ledger on a thread of its own; the picture is filed last.
A crash at any line is repaired by the next start, from the ledger.
"""

from __future__ import annotations

import itertools
import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from flows import graph, recipes
from flows.archive import Archive, Filing, filing, reason_note, relative_work
from flows.chunks import Waiting, chunk_size
from flows.cluster import WorkerLostError, cluster
from flows.deliver import Delivery
from flows.folders import check_folders, make_folders
from flows.intake import Clocks, Intake, digest_of
from flows.ledger import Ledger, Outcome
from flows.listen import Listeners
from flows.recipe_book import RecipeBook
from flows.settings import Layout, Settings
from stages.ports import Site
from stages.records import Failure, ImageRef, Report

TICK_SECONDS = 0.1
FILE_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Flight:
    """A chunk that the cluster is working on."""

    waiting: tuple[Waiting, ...]
    recipe: recipes.Recipe
    deadline: float
    alone: bool


class Watch:
    """The running flow of one root; `run` returns when it was told to stop."""

    def __init__(self, layout: Layout, settings: Settings, clocks: Clocks) -> None:
        self._layout = layout
        self._settings = settings
        self._clocks = clocks
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._done: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._flights: dict[Future, Flight] = {}
        self._waiting: deque[Waiting] = deque()
        self._alone: deque[Waiting] = deque()
        self._changing: list[tuple[float, Waiting]] = []
        self._unfiled: list[Filing] = []
        self._file_at = 0.0
        self._numbers = itertools.count(1)
        self._log = structlog.get_logger("markwatch.watch")

    def stop(self) -> None:
        """Finish what is in flight, flush the sinks and return; safe in a signal handler."""
        self._stop.set()
        self._wake.set()

    def run(self, *, once: bool = False, ready: Callable[[], None] = lambda: None) -> bool:
        """Watch until stopped, or with `once` until the inbox is empty and everything delivered.

        Calls `ready` when pictures are being watched for. Returns whether every sink had
        everything when it ended.

        Raises:
            ConfigError: the folders overlap, or another process watches this root.
            PluginError: an engine cannot be loaded.
        """
        check_folders(self._layout, self._settings)
        make_folders(self._layout, self._settings)
        site = Site(self._settings.station, str(self._layout.root))
        with Ledger(self._layout.ledger, self._clocks.now, root=self._layout.root) as ledger:
            self._ledger = ledger
            self._archive = Archive(self._layout, ledger)
            self._intake = Intake(self._layout, ledger, self._settings.intake, self._clocks)
            self._book = RecipeBook(self._layout, self._settings.recogniser, self._clocks.tick)
            self._cluster = cluster(self._settings.cluster, self._settings.log)
            self._recover()
            with self._cluster:
                for line in self._cluster.warm(self._book.engines()):
                    self._log.info("loaded", engine=line)
                self._deliveries = [
                    Delivery(name, choice, site, ledger, self._settings.delivery, self._clocks)
                    for name, choice in self._settings.sinks.items()
                ]
                for delivery in self._deliveries:
                    delivery.start()
                try:
                    self._watch(site, once, ready)
                finally:
                    complete = self._finish()
        return complete

    def _recover(self) -> None:
        unfinished = self._ledger.unfinished()
        to_read, to_file = self._intake.recover(unfinished, isolated=self._cluster.isolated)
        self._waiting.extend(Waiting(image, attempts) for image, attempts in to_read)
        for item in to_file:
            note = None
            if item.reason is not None and item.image is not None:
                note = reason_note(item.image, None, item.reason)
            if item.target is not None:
                self._unfiled.append(Filing(item.claim.id, item.claim.work, item.target, note))
        if unfinished:
            self._log.info("recovered", to_read=len(to_read), to_file=len(to_file))

    def _watch(self, site: Site, once: bool, ready: Callable[[], None]) -> None:
        listeners = Listeners(self._settings, site, self._intake, self._wake)
        listeners.start()
        self._log.info(
            "watching",
            station=self._settings.station,
            root=str(self._layout.root),
            slots=self._cluster.slots,
        )
        ready()
        try:
            while not self._stop.is_set():
                worked = self._step()
                listeners.supervise()
                if once and listeners.scanned and self._idle():
                    return
                if not worked:
                    self._pause()
        finally:
            listeners.stop(self._settings.delivery.stop_seconds)

    def _idle(self) -> bool:
        return self._intake.idle and not self._in_work()

    def _in_work(self) -> bool:
        return bool(self._waiting or self._alone or self._changing or self._flights)

    def _pause(self) -> None:
        due = self._intake.next_due() if self._room() else None
        wait = TICK_SECONDS if due is None else min(TICK_SECONDS, max(due, 0.001))
        self._wake.wait(wait)
        self._wake.clear()

    def _room(self) -> int:
        held = len(self._waiting) + len(self._alone) + len(self._changing)
        held += sum(len(flight.waiting) for flight in self._flights.values())
        return max(0, self._settings.intake.max_in_flight - held)

    def _step(self) -> bool:
        """One turn of the loop: claim, dispatch, collect, file. Returns whether it did anything."""
        self._book.refresh()
        claimed = self._intake.claim(self._room())
        self._waiting.extend(Waiting(image, 0) for image in claimed)
        dispatched = self._dispatch()
        collected = self._collect()
        self._check_deadlines()
        if self._unfiled and self._clocks.tick() >= self._file_at:
            self._file()
        return bool(claimed or dispatched or collected)

    def _dispatch(self) -> int:
        """Hand chunks to the cluster; a picture that failed once is read with nothing beside it."""
        now = self._clocks.tick()
        self._waiting.extend(waiting for at, waiting in self._changing if at <= now)
        self._changing = [(at, waiting) for at, waiting in self._changing if at > now]
        if any(flight.alone for flight in self._flights.values()):
            return 0
        count = 0
        if self._alone:
            if not self._flights:
                self._send((self._alone.popleft(),), alone=True)
                count = 1
            return count
        while self._waiting and len(self._flights) < 2 * self._cluster.slots:
            if self._waiting[0].attempts:
                self._alone.append(self._waiting.popleft())
                continue
            size = chunk_size(
                len(self._waiting), self._cluster.slots, self._settings.cluster.max_chunk
            )
            recipe = self._book.recipe(self._waiting[0].image.camera)
            chunk = []
            while self._waiting and len(chunk) < size and not self._waiting[0].attempts:
                if self._book.recipe(self._waiting[0].image.camera) is not recipe:
                    break
                chunk.append(self._waiting.popleft())
            self._send(tuple(chunk), alone=False)
            count += 1
        return count

    def _send(self, waiting: tuple[Waiting, ...], *, alone: bool) -> None:
        options = self._settings.cluster
        unreadable = [one for one in waiting if one.image.sha256 is None]
        worn = [one for one in waiting if one.attempts >= options.max_attempts]
        if unreadable or worn:
            # Only a picture that is alone can be worn out, and unreadable ones are rare.
            rest = tuple(one for one in waiting if one not in unreadable and one not in worn)
            self._commit(
                [
                    Failure(
                        one.image,
                        "intake",
                        "the file cannot be opened: check its permissions",
                        False,
                    )
                    for one in unreadable
                ]
                + [Failure(one.image, "graph", one.reason(), False) for one in worn]
            )
            if rest:
                self._waiting.extendleft(reversed(rest))
            return
        recipe = self._book.recipe(waiting[0].image.camera)
        self._ledger.attempt([one.image.id for one in waiting])
        attempt = waiting[0].attempts + 1
        built = graph.build(
            [one.image for one in waiting],
            recipe,
            self._settings.decode,
            chunk=f"{waiting[0].image.camera}-{next(self._numbers)}",
            attempt=attempt,
        )
        deadline = self._clocks.tick() + options.deadline_seconds * len(waiting)
        future = self._cluster.submit(built)
        self._flights[future] = Flight(waiting, recipe, deadline, alone)
        future.add_done_callback(self._landed)

    def _landed(self, future: Future) -> None:
        self._done.put(future)
        self._wake.set()

    def _collect(self) -> int:
        """Take every finished chunk and commit all of them in one transaction."""
        results: list[Report | Failure] = []
        count = 0
        while not self._done.empty():
            future = self._done.get()
            count += 1
            results.extend(self._settle(self._flights.pop(future), future))
        if results:
            self._commit(results)
        return count

    def _settle(self, flight: Flight, future: Future) -> list[Report | Failure]:
        """What of a finished chunk is final; the rest goes back to be read again."""
        error = future.exception()
        if error is not None:
            reason = (
                "the worker died" if isinstance(error, WorkerLostError) else type(error).__name__
            )
            self._log.warning(
                "chunk lost",
                error=str(error) or reason,
                pictures=[w.image.name for w in flight.waiting],
            )
            self._retry([one.failed(f"{reason}: {error}") for one in flight.waiting])
            return []
        final: list[Report | Failure] = []
        for waiting, result in zip(flight.waiting, future.result(), strict=True):
            digest = self._digest(waiting.image)
            if waiting.image.sha256 != digest and digest is not None:
                # A writer still held the file open: read what it wrote, when it may have ended.
                self._log.info("picture changed while it was read", image=waiting.image.name)
                changed = replace(
                    waiting.image, sha256=digest, size=Path(waiting.image.path).stat().st_size
                )
                self._ledger.claimed([changed])
                quiet = self._clocks.tick() + self._settings.intake.quiet_seconds
                self._changing.append((quiet, Waiting(changed, 0)))
            elif isinstance(result, Failure) and result.retryable:
                self._retry([waiting.failed(result.reason)])
            else:
                final.append(result)
        return final

    def _retry(self, failed: list[Waiting]) -> None:
        self._ledger.attempt_failed([one.image.id for one in failed])
        self._alone.extend(failed)

    def _digest(self, image: ImageRef) -> str | None:
        try:
            return digest_of(Path(image.path))
        except OSError as error:
            self._log.warning("cannot read again", image=image.name, error=str(error))
            return None

    def _commit(self, results: Sequence[Report | Failure]) -> None:
        outcomes = [Outcome(result, self._archive.target(result)) for result in results]
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
        self._unfiled.extend(
            filing(outcome, relative_work(self._layout, outcome.result.image.path))
            for outcome in outcomes
        )

    def _file(self) -> None:
        due, self._unfiled = self._unfiled, []
        left = self._archive.file(due)
        if left:
            self._unfiled.extend(left)
            self._file_at = self._clocks.tick() + FILE_AGAIN_SECONDS

    def _check_deadlines(self) -> None:
        now = self._clocks.tick()
        late = {future: flight for future, flight in self._flights.items() if now > flight.deadline}
        if late:
            names = [one.image.name for flight in late.values() for one in flight.waiting]
            self._log.error("over the deadline", pictures=names)
            self._flights.update(
                (future, replace(flight, deadline=math.inf)) for future, flight in late.items()
            )
            self._cluster.restart()

    def _finish(self) -> bool:
        """Read what was claimed, flush the sinks, and tell them that the station stops."""
        end = self._clocks.tick() + self._settings.delivery.stop_seconds
        for delivery in self._deliveries:
            delivery.announce_draining()
        while self._in_work() and self._clocks.tick() < end:
            self._dispatch()
            self._check_deadlines()
            if not self._collect():
                self._wake.wait(TICK_SECONDS)
                self._wake.clear()
        if self._unfiled:
            self._file()
        for delivery in self._deliveries:
            delivery.drain()
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
