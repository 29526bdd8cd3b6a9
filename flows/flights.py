"""Chunks in flight: what shares a process with what, what is overdue, and who is blameless."""

from __future__ import annotations

import math
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from flows.chunks import Waiting


@dataclass(frozen=True, slots=True)
class Flight:
    """A chunk that the cluster is working on, and when it must be back (monotonic seconds).

    It shares the process number `life` with others, unless it was sent `apart`. It is `blameless`
    when that process is known to die of something else.
    """

    waiting: tuple[Waiting, ...]
    deadline: float
    alone: bool
    apart: bool
    life: int | None
    blameless: bool = False


class Flights:
    """All that is in flight, in the order in which it was sent. Used by one thread."""

    def __init__(self) -> None:
        self._flights: dict[Future, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __getitem__(self, future: Future) -> Flight:
        return self._flights[future]

    def sent(self, future: Future, flight: Flight) -> None:
        """This one is on its way."""
        self._flights[future] = flight

    def landed(self, future: Future) -> None:
        """What became of this one is settled."""
        del self._flights[future]

    @property
    def pictures(self) -> int:
        """How many pictures are in flight."""
        return sum(len(flight.waiting) for flight in self._flights.values())

    @property
    def alone(self) -> Flight | None:
        """The one that was sent alone."""
        return next((one for one in self._flights.values() if one.alone), None)

    def sharing(self, life: int | None) -> list[Flight]:
        """What was sent to this process, and not apart."""
        return [self._flights[future] for future in self._futures(life)]

    def _futures(self, life: int | None) -> list[Future]:
        return [
            future
            for future, flight in self._flights.items()
            if flight.life == life and not flight.apart
        ]

    def excuse_late_comers(self, life: int, begun: int) -> None:
        """This process died: it takes chunks in order, and only the first `begun` were its own."""
        there = [one for one in self._futures(life) if not one.done() or one.exception()]
        self._excuse(there[begun:])

    def overdue(self, now: float) -> dict[Future, Flight]:
        """What should be back, told once; what shares its process is blameless from now on."""
        late = {one: flight for one, flight in self._flights.items() if now > flight.deadline}
        for future, flight in late.items():
            # Once is enough: where nothing can be killed, it is waited for.
            self._flights[future] = replace(flight, deadline=math.inf)
            if not flight.apart:
                self._excuse(one for one in self._futures(flight.life) if one not in late)
        return late

    def _excuse(self, futures: Iterable[Future]) -> None:
        for future in futures:
            self._flights[future] = replace(self._flights[future], blameless=True)
