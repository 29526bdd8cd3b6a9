"""Who waits for what was read: woken by the commit of a report, never by asking the ledger.

`committed` is called by the flow's thread; everything else by the serving thread's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]

RECENT = 1000
"""So many reports are kept for a READ that comes after its picture was read."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A picture that lies in the inbox: its camera, and its name there, which nothing else has."""

    camera: str
    image: str


class Reports:
    """Hands each report to who waits for its picture, or keeps it for a while for who comes."""

    def __init__(self, recent_seconds: float, tick: Callable[[], float] = time.monotonic) -> None:
        self._recent_seconds = recent_seconds
        self._tick = tick
        self._waiting: dict[Ticket, list[asyncio.Future[list[Row]]]] = {}
        self._recent: OrderedDict[Ticket, tuple[float, list[Row]]] = OrderedDict()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin on this loop."""
        self._bell = asyncio.Event()
        self._closing = asyncio.Event()
        self._loop = loop

    def committed(self, rows: Sequence[Row]) -> None:
        """Tell who waits. Called by the flow's thread, after the commit."""
        if self._loop is None:
            return
        # A picture that is read again answers nobody: its name may be that of another part now.
        first = [row for row in rows if row["revision"] == 1]
        pictures = itertools.groupby(first, key=lambda row: row["id"].rsplit("-", 2)[0])
        found = [list(group) for _, group in pictures]
        told = [(Ticket(rows[0]["camera"], rows[0]["image"]), rows) for rows in found]
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._settle, told)

    def _settle(self, told: list[tuple[Ticket, list[Row]]]) -> None:
        for ticket, rows in told:
            waiting = [one for one in self._waiting.pop(ticket, []) if not one.done()]
            # All of them: one may belong to a connection that is dead, its successor beside it.
            for future in waiting:
                future.set_result(rows)
            if not waiting:
                self._recent.pop(ticket, None)
                self._recent[ticket] = (self._tick(), rows)
                while len(self._recent) > RECENT:
                    self._recent.popitem(last=False)
        self._bell.set()
        self._bell = asyncio.Event()

    def expect(self, ticket: Ticket) -> asyncio.Future[list[Row]]:
        """Begin to wait for a picture; to be asked for before it can be read."""
        future = asyncio.get_running_loop().create_future()
        recent = self._recent.pop(ticket, None)
        if recent is not None and self._tick() - recent[0] <= self._recent_seconds:
            future.set_result(recent[1])
        else:
            self._waiting.setdefault(ticket, []).append(future)
        return future

    async def wait(
        self, ticket: Ticket, future: asyncio.Future[list[Row]], seconds: float
    ) -> list[Row] | None:
        """The rows of the picture; None when it was not read in time, or the station stops."""
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait(
                {future, closing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            return future.result() if future.done() else None
        finally:
            closing.cancel()
            self.forget(ticket, future)

    def forget(self, ticket: Ticket, future: asyncio.Future[list[Row]]) -> None:
        """Nobody waits for this any more."""
        waiting = self._waiting.get(ticket, [])
        if future in waiting:
            waiting.remove(future)
        if not waiting:
            self._waiting.pop(ticket, None)

    async def next_commit(self, bell: asyncio.Event, seconds: float) -> None:
        """Wait until `bell` rings, at most so long; `bell` is taken before the ledger is read."""
        closing = asyncio.ensure_future(self._closing.wait())
        ringing = asyncio.ensure_future(bell.wait())
        await asyncio.wait({closing, ringing}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in (closing, ringing):
            task.cancel()

    @property
    def bell(self) -> asyncio.Event:
        """Rings at the next commit, and never again."""
        return self._bell

    @property
    def closing(self) -> bool:
        """Whether nothing will be told any more."""
        return self._closing.is_set()

    def close(self) -> None:
        """Let everyone who waits go."""
        self._closing.set()
