"""What an MQTT 5 broker grants a client, learned from its CONNACK."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flows.sinks import mqtt_client
from flows.sinks.mqtt_client import Endpoint

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

FOR_EVER = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Granted:
    """Limits of a broker; what it does not name is what MQTT 5.0, 3.2.2.3 says it then is."""

    receive_maximum: int
    packet_bytes: int | None
    retains: bool
    session_seconds: int


def granted(endpoint: Endpoint, client_id: str, session_seconds: int) -> Granted | None:
    """Ask for a session of this length and see what is granted; the session is ended again.

    None where the broker is away, speaks only 3.1.1, or refuses.
    """
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    answered = threading.Event()
    found: list[Properties] = []

    def on_connect(
        client: Client, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties
    ) -> None:
        if not reason.is_failure:
            found.append(properties)
        answered.set()

    client = mqtt_client.bare_client(endpoint, client_id, mqtt_client.MQTT_5, reconnects=False)
    client.on_connect = on_connect
    wish = Properties(PacketTypes.CONNECT)
    wish.SessionExpiryInterval = min(session_seconds, FOR_EVER)
    try:
        client.connect(
            endpoint.host,
            endpoint.port,
            endpoint.keepalive_seconds,
            clean_start=True,
            properties=wish,
        )
    except OSError:
        return None
    client.loop_start()
    answered.wait(endpoint.connect_timeout_seconds)
    leave = Properties(PacketTypes.DISCONNECT)
    leave.SessionExpiryInterval = 0
    client.disconnect(properties=leave)
    client.loop_stop()
    if not found:
        return None
    (told,) = found
    return Granted(
        receive_maximum=getattr(told, "ReceiveMaximum", 65_535),
        packet_bytes=getattr(told, "MaximumPacketSize", None),
        retains=bool(getattr(told, "RetainAvailable", 1)),
        session_seconds=getattr(told, "SessionExpiryInterval", session_seconds),
    )
