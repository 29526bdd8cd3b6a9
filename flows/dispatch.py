"""Claimed pictures on their way through the graph: chunks, attempts, deadlines.

A chunk goes to the cluster as one Dask graph. A picture whose attempt did not end well is read
again alone, so that the guilty one is known and its neighbours are not blamed: in a process of its
own where there is one, and else with nothing else in flight. After `max_attempts` it is given up
as a `Failure`. A picture whose bytes changed while it was read is read anew once it has been quiet.
The ledger counts an attempt before it is made.
"""

from __future__ import annotations

import itertools
import queue
import secrets
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

import structlog

from flows import graph
from flows.chunks import Waiting, chunk_size, light_enough
from flows.clocks import Clocks
from flows.cluster.place import Cluster, ClusterAwayError, NotBegunError, WorkerLostError
from flows.configuration.recipe_book import RecipeBook
from flows.configuration.settings import Settings
from flows.flights import Flight, Flights
from flows.ledger.log import Ledger
from flows.regrown import look_again, may_grow
from flows.suspects import Suspects
from stages.records import Failure, ImageRef, Report

CARRIED_BYTES = 16 << 20
"""Of files in one graph, where it carries them: the scheduler keeps each graph until it is done."""


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
        self._suspects = Suspects()
        self._changing: list[tuple[float, Waiting]] = []
        self._flights = Flights()
        self._landed: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._back: deque[Future] = deque()
        self._given_up: list[Failure] = []
        self.chunks_lost = 0
        # How many of those that wait go before the next one is read alone.
        self._turn = 0
        # Several flows may share one Dask cluster, where a key names one task for all of them.
        self._flow = secrets.token_hex(3)
        self._numbers = itertools.count(1)
        self._log = structlog.get_logger("markwatch.dispatch")

    def add(self, pictures: Iterable[Waiting]) -> None:
        """Take pictures in; suspects, and those with attempts behind them, will be read alone."""
        for waiting in pictures:
            if waiting.attempts or waiting.suspect:
                self._suspects.add([waiting])
            else:
                self._waiting.append(waiting)

    @property
    def held(self) -> int:
        """How many pictures are in work here."""
        here = len(self._waiting) + len(self._suspects) + len(self._changing)
        return here + self._flights.pictures

    @property
    def trouble(self) -> str | None:
        """How many of them are read alone, or wait for it, for `status`."""
        count = len(self._suspects) + bool(self._flights.alone)
        words = f"{count} in work are read alone: a worker died or an engine failed with them"
        return words if count else None

    @property
    def in_line(self) -> int:
        """How many of them take room from others: not those that wait to be read apart."""
        return self.held - (len(self._suspects) if self._cluster.apart else 0)

    def send(self) -> int:
        """Hand over what the cluster has room for; returns how many chunks."""
        now = self._tick()
        self.add(waiting for at, waiting in self._changing if at <= now)
        self._changing = [(at, waiting) for at, waiting in self._changing if at > now]
        self._cluster.tend(self._book.engines())
        return self._send_suspect() + self._send_line()

    def _send_suspect(self) -> int:
        """Have one suspect read alone.

        Where that stops the line, what waits has its turn after an attempt alone that failed: a
        picture that hangs costs the others one deadline at a time.
        """
        if not self._suspects or self._flights.alone:
            return 0
        if not self._cluster.apart and (self._flights or (self._turn and self._waiting)):
            return 0
        one = self._suspects.next()
        most = self._settings.cluster.max_attempts
        last, tried = one.attempts == most - 1, one.given_up(most) is None
        if tried and not self._cluster.ready(self._book.engines(), alone=True, anew=last):
            return 0
        self._send((one,), alone=True)
        self._suspects.remove([one])
        return 1

    def _line_stops(self) -> bool:
        """Whether a picture is read alone in the line's own process, or is the next to be."""
        alone = self._flights.alone
        if alone is not None and not alone.apart:
            return True
        return bool(self._suspects) and not self._cluster.apart and not self._turn

    def _send_line(self) -> int:
        """Have what waits read, as far as there is room."""
        count = 0
        room = 2 * self._cluster.slots - len(self._flights.sharing(self._cluster.life))
        while self._waiting and count < room and not self._line_stops():
            if not self._cluster.ready(self._book.engines()):
                break
            chunk = self._next_chunk()
            self._send(chunk, alone=False)
            sent = {one.image.id for one in chunk}
            self._waiting = deque(one for one in self._waiting if one.image.id not in sent)
            self._turn = max(0, self._turn - len(chunk))
            count += 1
        return count

    def _next_chunk(self) -> tuple[Waiting, ...]:
        """Pictures of one recipe, as many as the rule says."""
        limit = self._settings.cluster.max_chunk
        size = chunk_size(len(self._waiting), self._cluster.slots, limit)
        recipe = self._book.recipe(self._waiting[0].image.camera)
        # From all that wait: cameras take turns at the intake, so neighbours are seldom alike.
        alike = (one for one in self._waiting if self._book.recipe(one.image.camera) is recipe)
        chunk = tuple(itertools.islice(alike, size))
        return light_enough(chunk, CARRIED_BYTES) if self._cluster.terms.carried else chunk

    def _send(self, waiting: tuple[Waiting, ...], *, alone: bool) -> None:
        most = self._settings.cluster.max_attempts
        given_up = [failure for one in waiting if (failure := one.given_up(most))]
        ids = {failure.image.id for failure in given_up}
        waiting = tuple(one for one in waiting if one.image.id not in ids)
        if not waiting:
            self._given_up.extend(given_up)
            return
        self._ledger.attempt([one.image.id for one in waiting], alone=alone)
        self._given_up.extend(given_up)
        camera = waiting[0].image.camera
        built = graph.build(
            [one.image for one in waiting],
            self._book.recipe(camera),
            self._settings.decode,
            # Dask's dashboard shows what stands before the first part of a key that has digits.
            chunk=f"{self._flow}{next(self._numbers)}-{camera}",
            attempt=waiting[0].attempts + 1,
            terms=self._cluster.terms,
        )
        # What is in flight already may be done first, on the same slot.
        beside = [] if alone else self._flights.sharing(self._cluster.life)
        ahead = sum(len(flight.waiting) for flight in beside)
        deadline = self._settings.cluster.deadline_seconds * (ahead + len(waiting))
        apart, life = alone and self._cluster.apart, self._cluster.life
        future = self._cluster.submit(built, pictures=len(waiting), alone=alone)
        flight = Flight(waiting, self._tick() + deadline, alone, apart, life)
        self._flights.sent(future, flight)
        future.add_done_callback(self._on_landed)

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
        self._excuse_late_comers()
        try:
            while self._back:
                final.extend(self._settle(self._flights[self._back[0]], self._back[0]))
                self._flights.landed(self._back.popleft())
        finally:
            self._given_up = [*final, *self._given_up]
        final, self._given_up = self._given_up, []
        return final

    def _excuse_late_comers(self) -> None:
        """Before any of them is settled, for then it is not known any more who came first."""
        for future in self._back:
            flight = self._flights[future]
            died = isinstance(future.exception(), WorkerLostError)
            if died and flight.life is not None and not flight.apart:
                self._flights.excuse_late_comers(flight.life, self._cluster.slots)

    def _settle(self, flight: Flight, future: Future) -> list[Report | Failure]:
        """The final outcomes of one chunk; its other pictures go back to be read again."""
        error = future.exception()
        if error is not None:
            self._lost(flight, error)
            return []
        final: list[Report | Failure] = []
        failed: list[Waiting] = []
        changed: list[tuple[ImageRef, float]] = []
        intake = self._settings.intake
        for waiting, outcome in zip(flight.waiting, future.result(), strict=True):
            now = look_again(waiting.image)
            if now.sha256 != waiting.image.sha256:
                changed.append((now, intake.quiet_seconds))
            elif isinstance(outcome, Failure) and may_grow(now, self._now(), intake.settle_seconds):
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

    def _lost(self, flight: Flight, error: BaseException) -> None:
        """Nothing came back of this chunk: its pictures are read again."""
        self.chunks_lost += not isinstance(error, NotBegunError)
        ids = [one.image.id for one in flight.waiting]
        if isinstance(error, ClusterAwayError | NotBegunError):
            if isinstance(error, ClusterAwayError):
                self._log.warning("chunk lost", error=str(error), pictures=len(ids))
            self._ledger.forgive(ids)
            self._take_back(flight.waiting)
            return
        died = isinstance(error, WorkerLostError)
        reason = f"{'the worker died' if died else type(error).__name__}: {error}"
        names = [one.image.name for one in flight.waiting]
        self._log.warning("chunk lost", error=reason, pictures=names)
        if died and not flight.alone:
            self._suspect(flight, reason)
            return
        innocent = self._suspects.beside(flight.waiting[0]) if died else []
        self._ledger.forgive([one.image.id for one in innocent])
        self._retry([one.failed(reason) for one in flight.waiting], flight.alone)
        self._suspects.remove(innocent)
        self._take_back(one.acquitted() for one in innocent)

    def _suspect(self, flight: Flight, reason: str) -> None:
        """A process died that held more than one picture: whom to suspect, and whom not."""
        lost = [one.lost(reason, flight.life) for one in flight.waiting]
        let_go = [one for one in lost if flight.blameless and not one.spared]
        held = [one for one in lost if one not in let_go]
        self._ledger.forgive([one.image.id for one in let_go])
        # What may yet be forgiven is not noted as an attempt that failed.
        self._ledger.attempt_failed([one.image.id for one in held if one.beside is None])
        self._suspects.add(held)
        self._take_back(one.acquitted() for one in let_go)

    def _take_back(self, pictures: Iterable[Waiting]) -> None:
        """Put these back among those that wait, which stand in the order of their claims."""
        self.add(pictures)
        self._waiting = deque(sorted(self._waiting, key=lambda one: one.image.id))

    def _read_anew(self, changed: list[tuple[ImageRef, float]]) -> None:
        """A writer still held the file open: read what it wrote, when it may have ended."""
        for image, seconds in changed:
            self._log.info("picture was still being written", image=image.name)
            self._changing.append((self._tick() + seconds, Waiting(image, 0)))

    def _retry(self, failed: list[Waiting], was_alone: bool) -> None:
        if not failed:
            return
        self._ledger.attempt_failed([one.image.id for one in failed])
        for one in failed:
            # What is given up waits for nobody.
            given_up = one.given_up(self._settings.cluster.max_attempts)
            self._given_up.extend([given_up] if given_up else [])
            self._suspects.add([] if given_up else [one])
        if was_alone:
            self._turn = len(self._waiting)

    def check_deadlines(self) -> None:
        """Restart the cluster when a chunk is overdue; its pictures come back as lost."""
        late = self._flights.overdue(self._tick())
        if not late:
            return
        names = [one.image.name for flight in late.values() for one in flight.waiting]
        self._log.error("over the deadline", pictures=names)
        self._cluster.restart(list(late))
