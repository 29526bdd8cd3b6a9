"""Readings as server-sent events: resumed by `Last-Event-ID`, without a gap and without a repeat.

An event's id is the `seq` of its row. Every listener reads the ledger behind its own position, so
one that is slow holds up nobody and loses nothing.
Source: WHATWG HTML, 9.2 Server-sent events.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from flows.serve.reports import Reports
from flows.serve.shelf import Shelf, Wanted

BATCH = 200
SILENCE_SECONDS = 15.0
"""Pause after which a comment is sent: proxies end connections that say nothing."""

RETRY_MS = 2000


async def events(
    reports: Reports,
    shelf: Shelf,
    wanted: Wanted,
    after: int | None,
    gone: Callable[[], Awaitable[bool]],
) -> AsyncIterator[bytes]:
    """The stream from behind `after`, or from now; ends when the listener or the station does.

    Where rows after `after` are not kept any more, an event `pruned` says which.
    """
    head, oldest = await asyncio.to_thread(shelf.ends)
    position = head if after is None else min(after, head)
    yield f"retry: {RETRY_MS}\n\n".encode()
    if position < head and position + 1 < oldest:
        lost = {"from": position + 1, "to": oldest - 1}
        yield f"event: pruned\ndata: {json.dumps(lost)}\n\n".encode()
    while not reports.closing:
        bell = reports.bell
        found, position = await asyncio.to_thread(shelf.since, position, wanted, BATCH)
        for seq, record in found:
            yield f"id: {seq}\nevent: reading\ndata: {record}\n\n".encode()
        if len(found) == BATCH:
            continue
        if await gone():
            return
        await reports.next_commit(bell, SILENCE_SECONDS)
        if not bell.is_set():
            yield b": still here\n\n"
