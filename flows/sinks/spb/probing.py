"""Whether a broker would take an edge node, asked as a client of its own beside its session."""

from __future__ import annotations

import queue
import time

from flows.sinks import mqtt_client as mqtt
from flows.sinks.mqtt_client import Endpoint
from flows.sinks.spb.connection import Answered, Connection, Event, Gone, Subscribed
from stages.errors import DeliveryError

_Inbox = queue.SimpleQueue[tuple[Connection, Event]]


def probe(endpoint: Endpoint, client_id: str, topic: str) -> str:
    """Connect and subscribe to a topic; returns the broker and its MQTT in one line.

    Raises:
        DeliveryError: there is no such broker, or it refuses; the text says the remedy.
    """
    words = mqtt.silent(endpoint)
    for protocol in (mqtt.MQTT_5, mqtt.MQTT_311):
        inbox: _Inbox = queue.SimpleQueue()
        connection = Connection(endpoint, client_id, protocol, inbox)
        try:
            connection.open()
        except OSError as error:
            raise DeliveryError(mqtt.unreachable(endpoint, error)) from error
        try:
            refusal = _talk(endpoint, connection, inbox, topic)
        finally:
            connection.close()
        if refusal is None:
            return f"{endpoint}, {mqtt.PROTOCOLS[protocol]}"
        words = refusal
    raise DeliveryError(words)


def _talk(endpoint: Endpoint, connection: Connection, inbox: _Inbox, topic: str) -> str | None:
    """Go as far as a subscription; returns what may be another version's of MQTT, in words."""
    end = time.monotonic() + endpoint.connect_timeout_seconds
    while (left := end - time.monotonic()) > 0:
        try:
            _, event = inbox.get(timeout=left)
        except queue.Empty:
            break
        match event:
            case Answered(code, name) if code >= mqtt.SUCCESS_BELOW:
                words = mqtt.refused(endpoint, code, name)
                if code != mqtt.UNSUPPORTED_VERSION:
                    raise DeliveryError(words)
                return words
            case Answered():
                connection.subscribe([(topic, 1)])
            case Subscribed(_, codes) if codes[0] >= mqtt.SUCCESS_BELOW:
                raise DeliveryError(refused_topic(endpoint, topic))
            case Subscribed():
                return None
            case Gone(_, _, said):
                return mqtt.no_answer(endpoint, "hangs up before it answers", said)
    return mqtt.no_answer(endpoint, "takes the connection but is silent")


def refused_topic(endpoint: Endpoint, topic: str) -> str:
    """What it means when a broker refuses a subscription."""
    return f"{endpoint} refuses the subscription to {topic}: give this user the right to read it"
