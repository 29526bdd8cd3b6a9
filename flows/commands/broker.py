"""A small MQTT broker inside this process: amqtt in a thread, on loopback, open to this machine.

For the demo, for tests and for a site that has no broker yet. It speaks MQTT 3.1.1 and keeps
everything in memory. A client that asks for MQTT 5 is refused with the return code for it: amqtt
by itself would misread the longer CONNECT and leave the client waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from stages.errors import DeliveryError

if TYPE_CHECKING:
    from amqtt.broker import Broker

HOST = "127.0.0.1"
_STOP_SECONDS = 10.0
_FIRST_PACKET_SECONDS = 10.0
_CONNECT = 0x10
_MQTT_311 = 4
# CONNACK, session not present, return code 1 (MQTT 3.1.1, 3.2.2.3).
_UNACCEPTABLE_VERSION = b"\x20\x02\x00\x01"


class EmbeddedBroker:
    """A broker that lives as long as its `with` block; `port` 0 takes a free one."""

    def __init__(self, port: int = 0) -> None:
        self.host = HOST
        self.port = port
        self._wanted = port
        self._stack = contextlib.ExitStack()
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            DeliveryError: the port is taken, or amqtt does not start.
        """
        listener = _listen(self._wanted)
        self.port = listener.getsockname()[1]
        self._stack.enter_context(_quiet())
        self._ready.clear()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name="embedded-broker", daemon=True
        )
        self._thread.start()
        while not self._ready.wait(0.05):
            if not self._thread.is_alive():
                self._stack.close()
                raise DeliveryError(
                    "the embedded broker does not start (the traceback says why): set host to the"
                    " plant's broker"
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The loop is closed already where the broker's thread ended by itself.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_SECONDS)
        self._stack.close()

    def _run(self, listener: socket.socket) -> None:
        with listener, asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        from amqtt.broker import Broker
        from amqtt.contexts import BrokerConfig, ListenerConfig, ListenerType

        broker = Broker(
            BrokerConfig(
                listeners={"default": ListenerConfig(type=ListenerType.EXTERNAL)},
                plugins={"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            )
        )
        await broker.start()
        clients: set[asyncio.Task[Any]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            clients.add(task)
            try:
                await _admit(broker, reader, writer)
            finally:
                clients.discard(task)
                writer.close()

        server = await asyncio.start_server(connected, sock=listener)
        self._ready.set()
        await self._stop.wait()
        server.close()
        await broker.shutdown()
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


async def _admit(
    broker: Broker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Hand a connection to amqtt if it begins with a CONNECT of MQTT 3.1.1; refuse it otherwise."""
    from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter

    try:
        async with asyncio.timeout(_FIRST_PACKET_SECONDS):
            prefix, level = await _opening(reader)
    except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
        return
    if level != _MQTT_311:
        with contextlib.suppress(OSError):
            writer.write(_UNACCEPTABLE_VERSION)
            await writer.drain()
        return

    class Replayed(StreamReaderAdapter):
        """The stream from its beginning: first what was looked at, then the rest."""

        seen = prefix

        async def read(self, n: int = -1) -> bytes:
            if not self.seen or n < 0:
                return await super().read(n)
            head, self.seen = self.seen[:n], self.seen[n:]
            return head + (await super().read(n - len(head)) if len(head) < n else b"")

    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        await broker.external_connected(Replayed(reader), StreamWriterAdapter(writer), "default")


async def _opening(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """The bytes of a CONNECT up to its protocol level, and that level.

    Raises:
        ValueError: the packet is no CONNECT.
    """
    seen = await reader.readexactly(2)
    if seen[0] != _CONNECT:
        raise ValueError("the first packet is no CONNECT")
    while seen[-1] & 0x80:
        if len(seen) > 4:
            raise ValueError("the length of the first packet is malformed")
        seen += await reader.readexactly(1)
    size = await reader.readexactly(2)
    name = await reader.readexactly(int.from_bytes(size, "big"))
    level = await reader.readexactly(1)
    return seen + size + name + level, level[0]


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise DeliveryError(
            f"the embedded broker cannot listen on {HOST}:{port} ({error.strerror}): set"
            f" embedded_port to a free port, or host: {HOST} to use the broker that runs there"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep amqtt's talk about single connections out of the log."""
    levels = {}
    for name in ("amqtt", "transitions"):
        logger = logging.getLogger(name)
        levels[logger] = logger.level
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
