"""uvicorn's protocol with two limits that it lacks: connections that say nothing, and their number.

uvicorn times a connection out between requests, not before the first or within a head, so a few
hundred silent ones would keep everybody out. One too many is told so and closed at once.
"""

from __future__ import annotations

import asyncio
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError


def impatient(options: ServeOptions) -> type[H11Protocol]:
    """The protocol class with these limits."""
    full = RefusedError(
        503,
        "too-many-connections",
        f"{options.max_connections} connections are open",
        "close some, or raise serve.max_connections",
    ).body()
    refusal = (
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 5\r\n"
        b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(full), full)
    )

    class Impatient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            # asyncio does so only where the listener names its protocol; else an answer's second
            # part waits 40 ms for the first one's acknowledgement.
            connected = transport.get_extra_info("socket")
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self.connections) > options.max_connections:
                self.transport.write(refusal)
                self.transport.close()
                return
            self._arm()

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._disarm()
            elif self._timer is None:
                self._arm()

        def connection_lost(self, error: Exception | None) -> None:
            self._disarm()
            super().connection_lost(error)

        def _arm(self) -> None:
            self._timer = self.loop.call_later(options.head_seconds, self.transport.close)

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Impatient
