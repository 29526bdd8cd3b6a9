"""One MQTT connection, once: what happens on it becomes events in a queue.

paho's own reconnecting is off: it would repeat the last will of the first CONNECT, and each CONNECT
of an edge node needs the next `bdSeq` in its will. The session makes a new connection instead.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.sinks import mqtt_client as mqtt
from flows.sinks.mqtt_client import Endpoint
from flows.sinks.spb.node import Publication

if TYPE_CHECKING:
    from paho.mqtt.client import Client

_CLOSE_SECONDS = 2.0
_NORMAL, _WITH_WILL = 0x00, 0x04


@dataclass(frozen=True, slots=True)
class Answered:
    """The broker's CONNACK: its reason code and the code's name."""

    code: int
    name: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A SUBACK: for which packet, and a reason code for each topic."""

    mid: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came."""

    topic: str
    payload: bytes
    is_retained: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection ended, with this reason code; `said` is what paho last complained of."""

    code: int
    name: str
    said: str


Event = Answered | Subscribed | Received | Gone


class Connection:
    """A connection to a broker that puts `(self, event)` into `inbox` until it is gone."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        protocol: int,
        inbox: queue.SimpleQueue[Any],
        will: Publication | None = None,
        before_connect: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._protocol = protocol
        self._inbox = inbox
        self._gone = threading.Event()
        self._said = ""
        client = mqtt.bare_client(endpoint, client_id, protocol, reconnects=False)
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, retain=False)
        client.on_socket_open = lambda *_: before_connect()
        client.on_connect = lambda client, data, flags, reason, properties: self._put(
            Answered(reason.value, reason.getName())
        )
        client.on_subscribe = lambda client, data, mid, reasons, properties: self._put(
            Subscribed(mid, tuple(reason.value for reason in reasons))
        )
        client.on_message = lambda client, data, message: self._put(
            Received(message.topic, message.payload, message.retain)
        )
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        self._client = client

    def open(self) -> None:
        """Connect; `before_connect` is called when TCP and TLS stand, right before the CONNECT.

        Raises:
            OSError: no connection came about.
            DeliveryError: `before_connect` failed.
        """
        clean = {"clean_start": True} if self._protocol == mqtt.MQTT_5 else {}
        where = self._endpoint
        try:
            self._client.connect(where.host, where.port, where.keepalive_seconds, **clean)
        except BaseException:
            self._cut(close=True)
            raise
        self._client.loop_start()

    def publish(self, message: Publication) -> None:
        """Publish, never retained."""
        self._client.publish(message.topic, message.payload, message.qos, False)

    def subscribe(self, topics: Sequence[tuple[str, int]]) -> int:
        """Subscribe to topics, each with its QoS; returns the packet's number."""
        _, mid = self._client.subscribe(list(topics))
        return mid or 0

    def close(self, *, with_will: bool = False) -> None:
        """Disconnect, so that the broker forgets the last will, or publishes it where MQTT 5 can.

        Takes a few seconds at most.
        """
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.reasoncodes import ReasonCode

        code = None
        if self._protocol == mqtt.MQTT_5:
            number = _WITH_WILL if with_will else _NORMAL
            code = ReasonCode(PacketTypes.DISCONNECT, identifier=number)
        self._client.disconnect(code)
        if not self._gone.wait(_CLOSE_SECONDS):
            self._cut()
        self._client.loop_stop()

    def _cut(self, *, close: bool = False) -> None:
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                # Not SSLSocket's own shutdown: it drops the TLS state under the network thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            if close:
                sock.close()

    def _put(self, event: Event) -> None:
        self._inbox.put((self, event))

    def _on_disconnect(
        self, client: Client, data: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        self._gone.set()
        self._put(Gone(reason.value, reason.getName(), self._said))

    def _on_log(self, client: Client, data: Any, level: int, words: str) -> None:
        if level == mqtt.LOG_ERROR:
            self._said = words
