"""uvicorn's protocol with limits that it lacks: connections that stall, and how many there are.

uvicorn times a connection out between requests, not before the first, within a head, or while its
answer is not taken, so a few hundred such would keep everybody out; and one address must not take
the places of all others. One too many is told so and closed at once.
"""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError


def impatient(options: ServeOptions) -> type[H11Protocol]:
    """The protocol class with these limits."""
    full = _refusal(
        503,
        f"{options.max_connections} connections are open",
        "close some, or raise serve.max_connections",
    )
    greedy = _refusal(
        429,
        f"{options.max_connections_per_address} connections of your address are open",
        "close some, or raise serve.max_connections_per_address",
    )

    class Impatient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _stall: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            # asyncio does so only where the listener names its protocol; else an answer's second
            # part waits 40 ms for the first one's acknowledgement.
            connected = transport.get_extra_info("socket")
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            refusal = self._refusal()
            if refusal is not None:
                self.transport.write(refusal)
                self.transport.close()
                return
            self._arm()

        def _refusal(self) -> bytes | None:
            address = self.client and self.client[0]
            own = sum(each.client and each.client[0] == address for each in self.connections)
            if own > options.max_connections_per_address:
                return greedy
            return full if len(self.connections) > options.max_connections else None

        def data_received(self, data: bytes) -> None:
            if self.transport.is_closing():
                return
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._disarm()
            elif self._timer is None:
                self._arm()

        def pause_writing(self) -> None:
            super().pause_writing()
            # Not closed, which would wait for the rest to be taken.
            self._stall = self.loop.call_later(options.stall_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            self._go_on()
            super().resume_writing()

        def connection_lost(self, error: Exception | None) -> None:
            self._disarm()
            self._go_on()
            super().connection_lost(error)

        def _arm(self) -> None:
            self._timer = self.loop.call_later(options.head_seconds, self.transport.close)

        def _disarm(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _go_on(self) -> None:
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None

    return Impatient


def _refusal(status: int, detail: str, remedy: str) -> bytes:
    body = RefusedError(status, "too-many-connections", detail, remedy).body()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"retry-after: 5\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
