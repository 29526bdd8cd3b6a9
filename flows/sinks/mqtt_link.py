"""One connection to an MQTT broker that comes back by itself: MQTT 5 first, 3.1.1 where refused.

`Link.send` publishes at QoS 1 with a bounded window and returns what the broker answered. On each
new connection paho's own queue is emptied, so the ledger alone decides what is sent again; paho's
network thread alone reconnects. Callbacks run on that thread and never block.
"""

from __future__ import annotations

import itertools
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import structlog

from flows.sinks import mqtt_client as mqtt
from flows.sinks.mqtt_client import Endpoint, Message
from stages.errors import DeliveryError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_CLOSE_SECONDS = 2.0
_STEADY_SECONDS = 10.0


class Link:
    """A kept-up connection; `greeting` is published each time it is made.

    `hears` names topics to subscribe to, and who is told each payload, on the network thread.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        will: Message | None = None,
        greeting: Callable[[], Iterable[Message]] = tuple,
        hears: Mapping[str, Callable[[bytes], None]] | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._will = will
        self._greeting = greeting
        self._hears = dict(hears or {})
        self._changed = threading.Condition()
        self._client: Client | None = None
        self._endings: list[threading.Thread] = []
        self._protocol = mqtt.MQTT_5
        # Whether a broker has accepted this protocol; until then the other one may be tried.
        self._settled = False
        self._stage: Literal["away", "open", "up"] = "away"
        self._epoch = self._failures = self._hang_ups = self._sent = self._acked = 0
        self._acks: dict[int, int] = {}
        self._window = endpoint.max_inflight
        self._largest = sys.maxsize
        self._pause = mqtt.first_pause(endpoint.reconnect_max_seconds)
        self._up_since = 0.0
        self._why = mqtt.silent(endpoint)
        self._told_away = self._is_cut = False
        self._said = ""
        self._log = structlog.get_logger("markwatch.sinks.mqtt").bind(broker=str(endpoint))

    def __str__(self) -> str:
        return f"{self._endpoint}, {mqtt.PROTOCOLS[self._protocol]}"

    @property
    def why(self) -> str:
        """What last kept messages from the broker, with the remedy."""
        return self._why

    @property
    def trouble(self) -> str | None:
        """Why there is no connection; None when there is one, or the first is being tried."""
        with self._changed:
            tried = self._failures or self._epoch
            return self._why if tried and self._stage != "up" else None

    def open(self) -> None:
        """Begin to connect; returns at once."""
        with self._changed:
            self._start(mqtt.MQTT_5)

    def close(self, farewell: Message | None = None) -> None:
        """Say farewell where there is a connection, disconnect, and end the network thread.

        Takes a few seconds at most; a thread that hangs in the connect call ends when that does.
        """
        if farewell is not None:
            self.tell(farewell)
        with self._changed:
            self._changed.wait_for(
                lambda: self._stage != "up" or self._acked >= self._sent, _CLOSE_SECONDS
            )
            if self._client is not None:
                self._retire(self._client)
            self._client = None
            # Another thread that waits for the connection need not wait longer.
            self._stage = "away"
            self._failures += 1
            self._changed.notify_all()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for ending in self._endings:
            ending.join(max(0.0, deadline - time.monotonic()))

    def wait(self) -> int:
        """Wait for a connection and return its number.

        Raises:
            DeliveryError: an attempt failed, or none succeeded in time.
        """
        with self._changed:
            failures = self._failures
            self._changed.wait_for(
                lambda: self._stage == "up" or self._failures != failures,
                self._endpoint.connect_timeout_seconds,
            )
            if self._stage == "up":
                return self._epoch
            if self._stage == "open":
                self._why = mqtt.no_answer(self._endpoint, "takes the connection but is silent")
            if not self._settled:
                # A broker that knows only 3.1.1 may leave a CONNECT of MQTT 5 without an answer;
                # and where 3.1.1 is not answered either, nothing is known about MQTT 5.
                if self._protocol == mqtt.MQTT_311:
                    self._switch(mqtt.MQTT_5)
                elif self._stage == "open":
                    self._switch(mqtt.MQTT_311)
        raise DeliveryError(self._why)

    def tell(self, message: Message) -> None:
        """Publish without waiting; nothing happens where there is no connection."""
        with self._changed:
            client = self._client if self._stage == "up" else None
        if client is not None:
            self._publish(client, message)

    def send(self, messages: Sequence[Message]) -> list[int | None]:
        """Publish messages and wait for the answers.

        Returns one MQTT 5 reason code per message (0 to 127: the broker has it), None for each that
        was not answered before the connection was lost.

        Raises:
            DeliveryError: there is no connection.
        """
        epoch = self.wait()
        answers: list[int | None] = [None] * len(messages)
        todo = deque(range(len(messages)))
        waiting: dict[int, int] = {}
        while todo or waiting:
            room = self._await(epoch, waiting, answers, bool(todo))
            client = self._client
            if room is None or client is None:
                break
            for index in [todo.popleft() for _ in range(min(room, len(todo)))]:
                if messages[index].size > self._largest:
                    answers[index] = mqtt.TOO_LARGE
                else:
                    waiting[self._publish(client, messages[index])] = index
        return answers

    def _await(
        self, epoch: int, waiting: dict[int, int], answers: list[int | None], has_more: bool
    ) -> int | None:
        """Take in acknowledgements; how many messages may go now, None when all is lost."""
        with self._changed:
            heard = self._changed.wait_for(
                lambda: (
                    self._acks
                    or (has_more and self._room > 0)
                    or self._epoch != epoch
                    or self._stage != "up"
                ),
                self._endpoint.ack_timeout_seconds,
            )
            acks, self._acks = self._acks, {}
            room = self._room if self._epoch == epoch and self._stage == "up" else None
        for mid in acks.keys() & waiting.keys():
            answers[waiting.pop(mid)] = acks[mid]
        if heard:
            return room
        self._why, self._is_cut = mqtt.unanswered(self._endpoint), True
        self._cut()
        with self._changed:
            self._changed.wait_for(lambda: self._stage != "up", _CLOSE_SECONDS)
        return None

    @property
    def _room(self) -> int:
        return max(0, self._window - (self._sent - self._acked))

    def _cut(self) -> None:
        """Break a connection on which nothing is acknowledged any more; paho makes a new one."""
        client = self._client
        connection = client.socket() if client is not None else None
        if isinstance(connection, socket.socket):
            try:
                # Not SSLSocket's own shutdown: it drops the TLS state under the network thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError as error:
                self._log.debug("connection was gone already", error=str(error))

    def _publish(self, client: Client, message: Message) -> int:
        with self._changed:
            self._sent += 1
        extra = mqtt.properties(message, self._protocol)
        return client.publish(message.topic, message.payload, 1, message.retain, extra).mid

    def _start(self, protocol: int) -> None:
        """Begin with a new client; `_changed` is held."""
        client = mqtt.make_client(self._endpoint, self._client_id, protocol, self._will)
        mqtt.pace(client, self._endpoint, self._pause)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_log = self._on_log
        self._said = ""
        self._protocol, self._stage, self._client = protocol, "away", client
        client.loop_start()

    def _switch(self, protocol: int) -> None:
        """Go on with a new client that speaks another version; `_changed` is held."""
        if self._client is None:
            return
        self._retire(self._client)
        self._start(protocol)

    def _retire(self, client: Client) -> None:
        """End a client and its network thread, without waiting for it."""
        client.disconnect()
        ending = threading.Thread(target=client.loop_stop, name="mqtt-ending", daemon=True)
        ending.start()
        self._endings = [*(thread for thread in self._endings if thread.is_alive()), ending]

    def _fail(self, why: str) -> None:
        with self._changed:
            self._why = why
            self._failures += 1
            told, self._told_away = self._told_away, True
            self._changed.notify_all()
        if not told:
            self._log.warning("not connected", error=why)

    def _on_socket_open(self, client: Client, userdata: Any, sock: Any) -> None:
        with self._changed:
            if client is self._client:
                self._stage = "open"

    def _on_connect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties
    ) -> None:
        with self._changed:
            if client is not self._client:
                client.disconnect()
                return
            if reason.value == mqtt.UNSUPPORTED_VERSION and self._protocol == mqtt.MQTT_5:
                self._settled = False
                self._switch(mqtt.MQTT_311)
                return
            self._settled = True
        if reason.is_failure:
            self._stage = "away"
            self._fail(mqtt.refused(self._endpoint, reason.value, reason.getName()))
            return
        client.drop_out_messages()
        with self._changed:
            self._sent = self._acked = 0
            self._acks = {}
            limit = getattr(properties, "ReceiveMaximum", self._endpoint.max_inflight)
            self._window = min(limit, self._endpoint.max_inflight)
            self._largest = getattr(properties, "MaximumPacketSize", sys.maxsize)
        for topic in self._hears:
            client.subscribe(topic, 1)
        for message in itertools.islice(self._greeting(), self._window):
            self._publish(client, message)
        with self._changed:
            self._stage = "up"
            self._epoch += 1
            self._up_since = time.monotonic()
            self._told_away = self._is_cut = False
            self._changed.notify_all()
        self._log.info("connected", protocol=mqtt.PROTOCOLS[self._protocol])

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        # paho calls this while it handles the exception, and does not pass it on.
        if client is self._client:
            self._fail(mqtt.unreachable(self._endpoint, sys.exception()))

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties
    ) -> None:
        with self._changed:
            if client is not self._client:
                return
            stage, self._stage = self._stage, "away"
            self._changed.notify_all()
            if stage == "open" and self._protocol == mqtt.MQTT_5 and not self._settled:
                # Once may be the network; twice is a broker that does not know MQTT 5.
                self._hang_ups += 1
                if self._hang_ups > 1:
                    self._switch(mqtt.MQTT_311)
                    return
        if stage == "open":
            self._fail(mqtt.no_answer(self._endpoint, "hangs up before it answers", self._said))
        elif stage == "up":
            is_short = time.monotonic() - self._up_since < _STEADY_SECONDS
            if not self._is_cut:
                self._why = mqtt.lost(self._endpoint, reason.value, reason.getName())
                if is_short:
                    self._why += (
                        f"; if this repeats, look for another client called {self._client_id}"
                    )
            # paho begins anew after each connection: two clients with one id would be a storm.
            longest = self._endpoint.reconnect_max_seconds
            self._pause = min(2 * self._pause, longest) if is_short else mqtt.first_pause(longest)
            mqtt.pace(client, self._endpoint, self._pause)
            self._log.warning("connection lost", error=self._why)

    def _on_message(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        if client is self._client and message.topic in self._hears:
            self._hears[message.topic](message.payload)

    def _on_log(self, client: Client, userdata: Any, level: int, words: str) -> None:
        if client is self._client and level == mqtt.LOG_ERROR:
            self._said = words

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties
    ) -> None:
        with self._changed:
            if client is self._client:
                self._acked += 1
                self._acks[mid] = reason.value
                self._changed.notify_all()
