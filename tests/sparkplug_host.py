"""A Sparkplug host at a real broker, for tests: keeps all messages, asks, tells its state."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import paho.mqtt.client as paho
from brokers import DEADLINE_SECONDS
from sparkplugs import Message, rebirth_command, rows_of

_OF_NODES = {"NBIRTH", "NDEATH", "NDATA", "DBIRTH", "DDATA", "DDEATH"}


class SparkplugListener:
    """A client that keeps every message of `spBv1.0`, asks for rebirths, and can be the host."""

    def __init__(self, port: int, group: str = "markwatch", node: str = "plant-1") -> None:
        self._port = port
        self._command = f"spBv1.0/{group}/NCMD/{node}"
        self.messages: list[Message] = []

    def __enter__(self) -> Self:
        self._heard = threading.Condition()
        subscribed = threading.Event()
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"scada-{id(self)}",
            protocol=paho.MQTTProtocolVersion(4),
        )
        client.on_connect = lambda client, *_: client.subscribe("spBv1.0/#", 1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._keep
        client.reconnect_delay_set(0.1, 0.1)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        self._client = client
        assert subscribed.wait(DEADLINE_SECONDS), "the listener is not admitted"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        with self._heard:
            self.messages.append(
                Message(message.topic, message.payload, message.qos, message.retain)
            )
            self._heard.notify_all()

    def of_node(self) -> list[Message]:
        """What nodes and devices said, without commands and states."""
        with self._heard:
            return [m for m in self.messages if m.verb in _OF_NODES]

    def count(self, verb: str) -> int:
        return sum(message.verb == verb for message in self.of_node())

    def rows(self) -> list[dict[str, Any]]:
        return rows_of(self.of_node())

    def wait(self, enough: Callable[[list[Message]], bool]) -> list[Message]:
        """Wait until what was heard of nodes is enough; returns it."""
        with self._heard:
            assert self._heard.wait_for(
                lambda: enough([m for m in self.messages if m.verb in _OF_NODES]), DEADLINE_SECONDS
            ), [message.topic for message in self.messages]
        return self.of_node()

    def wait_for(self, verb: str, count: int = 1) -> list[Message]:
        """Wait for so many messages of a verb; returns them."""
        heard = self.wait(lambda all_: sum(m.verb == verb for m in all_) >= count)
        return [message for message in heard if message.verb == verb]

    def ask_rebirth(self, *, value: bool = True, retain: bool = False) -> None:
        """Publish the NCMD that asks for a rebirth."""
        self.command(rebirth_command(value), retain=retain)

    def ask_rebirth_until_born(self) -> None:
        """Ask, as a host does that missed the births, until an NBIRTH is heard."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._heard:
            while not any(message.verb == "NBIRTH" for message in self.messages):
                assert time.monotonic() < deadline, [message.topic for message in self.messages]
                self._client.publish(self._command, rebirth_command(), 0, False)
                self._heard.wait(0.2)

    def command(self, payload: bytes, *, retain: bool = False) -> None:
        self._client.publish(self._command, payload, 0, retain).wait_for_publish(DEADLINE_SECONDS)

    def state(self, host: str, online: bool, timestamp: int | None = None) -> None:
        """Publish a host's STATE, retained, as a host application does."""
        told = {"online": online, "timestamp": timestamp or time.time_ns() // 1_000_000}
        topic = f"spBv1.0/STATE/{host}"
        self._client.publish(topic, json.dumps(told), 1, True).wait_for_publish(DEADLINE_SECONDS)
