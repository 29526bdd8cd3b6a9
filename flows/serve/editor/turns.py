"""One at a time, and of each person only the newest wish: who drags a handle asks many times."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flows.serve.problems import RefusedError

MOST_WAITING = 8


class Turns:
    """Who may work now; for one event loop."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: OrderedDict[object, asyncio.Future[None]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, session: str) -> AsyncIterator[None]:
        """Wait for the turn; a later wish of the same session takes its place, but of none (`""`).

        Raises:
            RefusedError: a later wish came, or too many wait.
        """
        if self._busy:
            await self._queue(session or object())
        self._busy = True
        try:
            yield
        finally:
            self._next()

    async def _queue(self, session: object) -> None:
        if (older := self._waiting.pop(session, None)) is not None and not older.done():
            older.set_exception(
                RefusedError(409, "superseded", "a later one was asked for", "use that one")
            )
        elif len(self._waiting) >= MOST_WAITING:
            raise RefusedError(
                503,
                "busy",
                f"{MOST_WAITING} others are waiting",
                "try again in a while",
                {"Retry-After": "5"},
            )
        mine = self._waiting[session] = asyncio.get_running_loop().create_future()
        try:
            await mine
        except asyncio.CancelledError:
            if self._waiting.get(session) is mine:
                del self._waiting[session]
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                # The turn had been given, and nobody is here to take it.
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting:
            _, future = self._waiting.popitem(last=False)
            if not future.done():
                # It stays busy: nobody may come between.
                future.set_result(None)
                return
        self._busy = False
