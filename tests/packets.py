"""A broker of a few lines that keeps every MQTT packet in order, and hangs up where it is told.

For what a real broker does not show: the flags of a CONNECT, the QoS of a subscription, the packets
around a barrier. It relays nothing.
Source: MQTT 3.1.1 and 5.0, chapters 2 and 3.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brokers import DEADLINE_SECONDS, Server

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 8, 12, 14


@dataclass(frozen=True)
class Packet:
    """One packet that came: its kind, and what matters of it."""

    kind: int
    protocol: int = 0
    client_id: str = ""
    is_clean: bool = False
    expiry: int = 0
    will: Packet | None = None
    topics: tuple[tuple[str, int], ...] = ()
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    code: int = 0


class PacketBroker(Server):
    """Answers as a broker would; `hangs_up(n)` says whether it hangs up at the n-th SUBSCRIBE.

    `only` is a version of MQTT that it knows; a CONNECT of another is refused, or with `is_rude`
    hung up on.
    """

    def __init__(
        self,
        hangs_up: Callable[[int], bool] = lambda number: False,
        only: int | None = None,
        is_rude: bool = False,
        refuses: str = "",
    ) -> None:
        self._hangs_up = hangs_up
        self._only = only
        self._is_rude = is_rude
        self._refuses = refuses
        self._subscriptions = 0
        self._heard = threading.Condition()
        self.packets: list[Packet] = []

    def wait(self, enough: Callable[[list[Packet]], bool]) -> list[Packet]:
        """Wait until the packets are enough; returns them."""
        with self._heard:
            assert self._heard.wait_for(lambda: enough(self.packets), DEADLINE_SECONDS), (
                self.packets
            )
            return list(self.packets)

    def of(self, kind: int) -> list[Packet]:
        with self._heard:
            return [packet for packet in self.packets if packet.kind == kind]

    def of_last_connection(self) -> list[Packet]:
        """The packets of the newest connection; the others must have ended before it."""
        with self._heard:
            last = max(i for i, packet in enumerate(self.packets) if packet.kind == CONNECT)
            return self.packets[last:]

    def _treat(self, connection: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, EOFError),
            connection,
            connection.makefile("rb") as stream,
        ):
            protocol = 0
            while True:
                first, body = _read(stream)
                packet = _parse(first, body, protocol)
                protocol = packet.protocol or protocol
                with self._heard:
                    self.packets.append(packet)
                    self._heard.notify_all()
                answer = self._answer(packet, body, protocol)
                if answer is None:
                    return
                connection.sendall(answer)

    def _answer(self, packet: Packet, body: bytes, protocol: int) -> bytes | None:
        if packet.kind == CONNECT:
            if self._only not in (None, protocol):
                return None if self._is_rude else b"\x20\x02\x00\x01"
            return b"\x20\x03\x00\x00\x00" if protocol == 5 else b"\x20\x02\x00\x00"
        if packet.kind == SUBSCRIBE:
            self._subscriptions += 1
            if self._hangs_up(self._subscriptions):
                return None
            codes = bytes(
                0x80 if self._refuses and self._refuses in topic else qos
                for topic, qos in packet.topics
            )
            answer = body[:2] + (b"\x00" if protocol == 5 else b"") + codes
            return b"\x90" + bytes([len(answer)]) + answer
        if packet.kind == PUBLISH and packet.qos == 1:
            return b"\x40\x02" + packet.code.to_bytes(2, "big")
        if packet.kind == PINGREQ:
            return b"\xd0\x00"
        return None if packet.kind == DISCONNECT else b""


def _read(stream: Any) -> tuple[int, bytes]:
    first = stream.read(1)
    if not first:
        raise EOFError
    size = shift = 0
    while True:
        (byte,) = stream.read(1)
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first[0], stream.read(size)


def _parse(first: int, body: bytes, protocol: int) -> Packet:
    kind = first >> 4
    if kind == CONNECT:
        return _connect(body)
    if kind == SUBSCRIBE:
        at = 3 + body[2] if protocol == 5 else 2
        topics = []
        while at < len(body):
            topic, at = _text(body, at)
            topics.append((topic.decode(), body[at] & 3))
            at += 1
        return Packet(kind, topics=tuple(topics))
    if kind == PUBLISH:
        topic, at = _text(body, 0)
        qos, mid = (first >> 1) & 3, 0
        if qos:
            mid, at = int.from_bytes(body[at : at + 2], "big"), at + 2
        if protocol == 5:
            at += 1 + body[at]
        return Packet(
            kind, topic=topic.decode(), payload=body[at:], qos=qos, retain=bool(first & 1), code=mid
        )
    return Packet(kind, code=body[0] if kind == DISCONNECT and body else 0)


def _connect(body: bytes) -> Packet:
    protocol, flags = body[6], body[7]
    at, expiry = 10, 0
    if protocol == 5:
        properties = body[11 : 11 + body[10]]
        if properties[:1] == b"\x11":
            expiry = int.from_bytes(properties[1:5], "big")
        at += 1 + body[10]
    client_id, at = _text(body, at)
    will = None
    if flags & 4:
        if protocol == 5:
            at += 1 + body[at]
        topic, at = _text(body, at)
        payload, at = _text(body, at)
        will = Packet(
            PUBLISH,
            topic=topic.decode(),
            payload=payload,
            qos=(flags >> 3) & 3,
            retain=bool(flags & 0x20),
        )
    return Packet(CONNECT, protocol, client_id.decode(), bool(flags & 2), expiry, will)


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    size = int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : at + 2 + size], at + 2 + size
