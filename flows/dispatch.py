"""Claimed pictures on their way through the graph: chunks, attempts, deadlines.

A chunk goes to the cluster as one Dask graph. A picture whose attempt did not end well is read
again with nothing beside it, so that the guilty one is known and its neighbours are not blamed;
after `max_attempts` it is given up as a `Failure`. A picture whose bytes changed while it was read
is read anew once it has been quiet. The ledger counts an attempt before it is made.
"""

from __future__ import annotations

import itertools
import math
import queue
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from flows import graph
from flows.chunks import Waiting, chunk_size
from flows.cluster import Cluster, WorkerLostError
from flows.intake import digest_of
from flows.ledger import Ledger
from flows.recipe_book import RecipeBook
from flows.settings import Settings
from stages.records import Failure, ImageRef, Report

UNREADABLE = "the file cannot be opened: check its permissions"


@dataclass(frozen=True, slots=True)
class Flight:
    """A chunk that the cluster is working on, and when it must be back (monotonic seconds)."""

    waiting: tuple[Waiting, ...]
    deadline: float
    alone: bool


class Dispatch:
    """Pictures in work. Used by the flow's own thread; `wake` is called from others."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        book: RecipeBook,
        cluster: Cluster,
        tick: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._book = book
        self._cluster = cluster
        self._tick = tick
        self._wake = wake
        self._waiting: deque[Waiting] = deque()
        self._alone: deque[Waiting] = deque()
        self._changing: list[tuple[float, Waiting]] = []
        self._flights: dict[Future, Flight] = {}
        self._landed: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._given_up: list[Failure] = []
        self._lost = False
        # Several flows may share one Dask cluster, where a key names one task for all of them.
        self._flow = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._log = structlog.get_logger("markwatch.dispatch")

    def add(self, pictures: Iterable[Waiting]) -> None:
        """Take pictures in; suspects, and those with attempts behind them, will be read alone."""
        for waiting in pictures:
            alone = waiting.attempts or waiting.suspect
            (self._alone if alone else self._waiting).append(waiting)

    @property
    def held(self) -> int:
        """How many pictures are in work here."""
        flying = sum(len(flight.waiting) for flight in self._flights.values())
        return len(self._waiting) + len(self._alone) + len(self._changing) + flying

    def send(self) -> int:
        """Hand over what the cluster has room for; returns how many chunks."""
        now = self._tick()
        self.add(waiting for at, waiting in self._changing if at <= now)
        self._changing = [(at, waiting) for at, waiting in self._changing if at > now]
        if any(flight.alone for flight in self._flights.values()):
            return 0
        if self._alone:
            if self._flights:
                return 0
            self._send((self._alone.popleft(),), alone=True)
            return 1
        count = 0
        while self._waiting and len(self._flights) < 2 * self._cluster.slots:
            self._send(self._next_chunk(), alone=False)
            count += 1
        return count

    def _next_chunk(self) -> tuple[Waiting, ...]:
        """Pictures of one recipe, as many as the rule says."""
        limit = self._settings.cluster.max_chunk
        size = chunk_size(len(self._waiting), self._cluster.slots, limit)
        recipe = self._book.recipe(self._waiting[0].image.camera)
        chunk = [self._waiting.popleft()]
        while self._waiting and len(chunk) < size:
            if self._book.recipe(self._waiting[0].image.camera) is not recipe:
                break
            chunk.append(self._waiting.popleft())
        return tuple(chunk)

    def _send(self, waiting: tuple[Waiting, ...], *, alone: bool) -> None:
        waiting = tuple(one for one in waiting if not self._give_up(one))
        if not waiting:
            return
        if self._lost:
            self._cluster.warm(self._book.engines())
            self._lost = False
        if alone and waiting[0].attempts == self._settings.cluster.max_attempts - 1:
            self._cluster.renew()
            self._cluster.warm(self._book.engines())
        self._ledger.attempt([one.image.id for one in waiting], alone=alone)
        camera = waiting[0].image.camera
        built = graph.build(
            [one.image for one in waiting],
            self._book.recipe(camera),
            self._settings.decode,
            chunk=f"{camera}-{self._flow}{next(self._numbers)}",
            attempt=waiting[0].attempts + 1,
        )
        # What is in flight already may be done first, on the same slot.
        ahead = sum(len(flight.waiting) for flight in self._flights.values())
        seconds = self._settings.cluster.deadline_seconds * (ahead + len(waiting))
        future = self._cluster.submit(built)
        self._flights[future] = Flight(waiting, self._tick() + seconds, alone)
        future.add_done_callback(self._on_landed)

    def _give_up(self, one: Waiting) -> bool:
        if one.image.sha256 is None:
            reason, stage = UNREADABLE, "intake"
        elif one.attempts >= self._settings.cluster.max_attempts:
            reason, stage = one.reason(), "graph"
        else:
            return False
        self._given_up.append(Failure(one.image, stage, reason, retryable=False))
        return True

    def _on_landed(self, future: Future) -> None:
        self._landed.put(future)
        self._wake()

    def collect(self) -> list[Report | Failure]:
        """What became of every chunk that is back: the outcomes that are final."""
        final: list[Report | Failure] = []
        while not self._landed.empty():
            future = self._landed.get()
            final.extend(self._settle(self._flights.pop(future), future))
        given_up, self._given_up = self._given_up, []
        return final + given_up

    def _settle(self, flight: Flight, future: Future) -> list[Report | Failure]:
        """The final outcomes of one chunk; its other pictures go back to be read again."""
        error = future.exception()
        if error is not None:
            died = isinstance(error, WorkerLostError)
            self._lost = self._lost or died
            reason = f"{'the worker died' if died else type(error).__name__}: {error}"
            names = [one.image.name for one in flight.waiting]
            self._log.warning("chunk lost", error=reason, pictures=names)
            self._retry([one.failed(reason) for one in flight.waiting])
            return []
        final: list[Report | Failure] = []
        for waiting, outcome in zip(flight.waiting, future.result(), strict=True):
            digest = self._digest(waiting.image)
            if digest not in (None, waiting.image.sha256):
                self._read_anew(waiting.image, digest)
            elif isinstance(outcome, Failure) and outcome.retryable:
                self._retry([waiting.failed(outcome.reason)])
            else:
                final.append(outcome)
        return final

    def _read_anew(self, image: ImageRef, digest: str) -> None:
        """A writer still held the file open: read what it wrote, when it may have ended."""
        self._log.info("picture changed while it was read", image=image.name)
        changed = replace(image, sha256=digest, size=Path(image.path).stat().st_size)
        self._ledger.claimed([changed])
        quiet = self._tick() + self._settings.intake.quiet_seconds
        self._changing.append((quiet, Waiting(changed, 0)))

    def _retry(self, failed: list[Waiting]) -> None:
        self._ledger.attempt_failed([one.image.id for one in failed])
        self._alone.extend(failed)

    def _digest(self, image: ImageRef) -> str | None:
        try:
            return digest_of(Path(image.path))
        except OSError as error:
            self._log.warning("cannot read again", image=image.name, error=str(error))
            return None

    def check_deadlines(self) -> None:
        """Restart the cluster when a chunk is overdue; its pictures come back as lost."""
        now = self._tick()
        late = {future: flight for future, flight in self._flights.items() if now > flight.deadline}
        if not late:
            return
        names = [one.image.name for flight in late.values() for one in flight.waiting]
        self._log.error("over the deadline", pictures=names)
        # Once is enough: where nothing can be killed, the chunk is waited for.
        for future, flight in late.items():
            self._flights[future] = replace(flight, deadline=math.inf)
        self._cluster.restart()
