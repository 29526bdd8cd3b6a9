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
from flows.cluster import Cluster, ClusterAwayError, WorkerLostError
from flows.configuration.recipe_book import RecipeBook
from flows.configuration.settings import Settings
from flows.endings import looks_complete
from flows.intake import Clocks, digest_of
from flows.ledger.log import Ledger
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
        clocks: Clocks,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._book = book
        self._cluster = cluster
        self._now = clocks.now
        self._tick = clocks.tick
        self._wake = wake
        self._waiting: deque[Waiting] = deque()
        self._alone: deque[Waiting] = deque()
        self._changing: list[tuple[float, Waiting]] = []
        self._flights: dict[Future, Flight] = {}
        self._landed: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._back: deque[Future] = deque()
        self._given_up: list[Failure] = []
        self._lost = False
        # How many of those that wait go before the next one is read alone.
        self._turn = 0
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
        """Hand over what the cluster has room for; returns how many chunks.

        After an attempt alone that failed, what waits has its turn before the next one: a picture
        that hangs costs the others one deadline at a time.
        """
        now = self._tick()
        self.add(waiting for at, waiting in self._changing if at <= now)
        self._changing = [(at, waiting) for at, waiting in self._changing if at > now]
        if any(flight.alone for flight in self._flights.values()):
            return 0
        if self._alone and not (self._turn and self._waiting):
            if self._flights:
                return 0
            self._send((self._alone[0],), alone=True)
            self._alone.popleft()
            return 1
        count = 0
        while self._waiting and len(self._flights) < 2 * self._cluster.slots:
            if self._alone and not self._turn:
                break
            chunk = self._next_chunk()
            self._send(chunk, alone=False)
            for _ in chunk:
                self._waiting.popleft()
            self._turn = max(0, self._turn - len(chunk))
            count += 1
        return count

    def _next_chunk(self) -> tuple[Waiting, ...]:
        """Pictures of one recipe, as many as the rule says."""
        limit = self._settings.cluster.max_chunk
        size = chunk_size(len(self._waiting), self._cluster.slots, limit)
        recipe = self._book.recipe(self._waiting[0].image.camera)
        alike = itertools.takewhile(
            lambda one: self._book.recipe(one.image.camera) is recipe, self._waiting
        )
        return tuple(itertools.islice(alike, size))

    def _send(self, waiting: tuple[Waiting, ...], *, alone: bool) -> None:
        given_up = [failure for one in waiting if (failure := self._given(one))]
        ids = {failure.image.id for failure in given_up}
        waiting = tuple(one for one in waiting if one.image.id not in ids)
        if not waiting:
            self._given_up.extend(given_up)
            return
        if self._lost:
            self._cluster.warm(self._book.engines())
            self._lost = False
        if alone and waiting[0].attempts == self._settings.cluster.max_attempts - 1:
            self._cluster.renew()
            self._cluster.warm(self._book.engines())
        self._ledger.attempt([one.image.id for one in waiting], alone=alone)
        self._given_up.extend(given_up)
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

    def _given(self, one: Waiting) -> Failure | None:
        """What is reported of a picture that is not tried any more."""
        if one.image.sha256 is None:
            reason, stage = UNREADABLE, "intake"
        elif one.attempts >= self._settings.cluster.max_attempts:
            reason, stage = one.reason(), "graph"
        else:
            return None
        return Failure(one.image, stage, reason, retryable=False)

    def _on_landed(self, future: Future) -> None:
        self._landed.put(future)
        self._wake()

    def collect(self) -> list[Report | Failure]:
        """What became of every chunk that is back: the outcomes that are final.

        Whatever the ledger cannot be told now stays here, and is told when this is called again.
        """
        while not self._landed.empty():
            self._back.append(self._landed.get())
        final: list[Report | Failure] = []
        try:
            while self._back:
                final.extend(self._settle(self._flights[self._back[0]], self._back[0]))
                del self._flights[self._back.popleft()]
        finally:
            self._given_up = [*final, *self._given_up]
        final, self._given_up = self._given_up, []
        return final

    def _settle(self, flight: Flight, future: Future) -> list[Report | Failure]:
        """The final outcomes of one chunk; its other pictures go back to be read again."""
        error = future.exception()
        if isinstance(error, ClusterAwayError):
            self._lost = True
            self._log.warning("chunk lost", error=str(error), pictures=len(flight.waiting))
            self._ledger.forgive([one.image.id for one in flight.waiting])
            self.add(flight.waiting)
            return []
        if error is not None:
            died = isinstance(error, WorkerLostError)
            self._lost = self._lost or died
            reason = f"{'the worker died' if died else type(error).__name__}: {error}"
            names = [one.image.name for one in flight.waiting]
            self._log.warning("chunk lost", error=reason, pictures=names)
            self._retry([one.failed(reason) for one in flight.waiting], flight.alone)
            return []
        final: list[Report | Failure] = []
        failed: list[Waiting] = []
        changed: list[tuple[ImageRef, float]] = []
        intake = self._settings.intake
        for waiting, outcome in zip(flight.waiting, future.result(), strict=True):
            now = self._look_again(waiting.image)
            if now.sha256 != waiting.image.sha256:
                changed.append((now, intake.quiet_seconds))
            elif isinstance(outcome, Failure) and self._may_grow(now):
                changed.append((now, intake.settle_seconds))
            elif isinstance(outcome, Failure) and outcome.retryable:
                failed.append(waiting.failed(outcome.reason))
            else:
                final.append(outcome)
        # Both to the ledger before either is taken up here: this may be called again.
        if changed:
            self._ledger.claimed([image for image, _ in changed])
        self._retry(failed, flight.alone)
        self._read_anew(changed)
        return final

    def _read_anew(self, changed: list[tuple[ImageRef, float]]) -> None:
        """A writer still held the file open: read what it wrote, when it may have ended."""
        for image, seconds in changed:
            self._log.info("picture was still being written", image=image.name)
            self._changing.append((self._tick() + seconds, Waiting(image, 0)))

    def _may_grow(self, image: ImageRef) -> bool:
        """Whether a picture that failed may be half of one: its writer began anew at the claim."""
        path = Path(image.path)
        try:
            age = self._now().timestamp() - path.stat().st_mtime
            return age < self._settings.intake.settle_seconds and looks_complete(path) is False
        except OSError:
            return False

    def _retry(self, failed: list[Waiting], was_alone: bool) -> None:
        if not failed:
            return
        self._ledger.attempt_failed([one.image.id for one in failed])
        self._alone.extend(failed)
        if was_alone:
            self._turn = len(self._waiting)

    def _look_again(self, image: ImageRef) -> ImageRef:
        """The picture as it is now; as it was, where that cannot be said."""
        path = Path(image.path)
        try:
            digest = digest_of(path)
            return replace(image, sha256=digest, size=path.stat().st_size)
        except OSError as error:
            self._log.warning("cannot read again", image=image.name, error=str(error))
            return image

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
