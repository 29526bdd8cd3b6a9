"""What is said to an MQTT broker, and what its answers mean: endpoint, message, client, words.

`bare_client` is the only place that configures paho. `refused`, `unreachable` and `unanswered` turn
its codes and exceptions into one line with the remedy.
"""

from __future__ import annotations

import random
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties

MQTT_311, MQTT_5 = 4, 5
PROTOCOLS = {MQTT_311: "MQTT 3.1.1", MQTT_5: "MQTT 5"}

# Reason codes of MQTT 5.0, 2.4; paho translates the return codes of 3.1.1 to them.
SUCCESS_BELOW = 0x80
UNSUPPORTED_VERSION = 0x84
NOT_AUTHORISED = 0x87
TAKEN_OVER = 0x8E
TOO_LARGE = 0x95
LOG_ERROR = 8
"""paho's level of what it could not do."""
_REFUSED_PUBLISH = {
    0x83: "not accepted by this broker",
    NOT_AUTHORISED: "not allowed: give this user the right to publish there",
    0x90: "the broker takes no such topic name",
    TOO_LARGE: "larger than the broker takes: raise its maximum packet size",
    0x97: "the broker's quota is used up: raise it",
    0x99: "the broker takes no such payload",
}
FOR_GOOD = frozenset({0x90, TOO_LARGE, 0x99})
"""Answers that would be the same however often a message is offered."""
_REFUSED_CONNECT = {
    0x85: "the broker takes no such client id: set client_id",
    0x86: "user or password is wrong: set username, and password or password_file",
    NOT_AUTHORISED: "this client may not connect: set username, and password or password_file,"
    " or allow it in the broker's rules",
    0x88: "the broker is not available now: look at its log",
    0x89: "the broker is busy",
    0x8A: "this client is banned: see the broker's rules",
    0x9A: "the broker keeps no retained messages, which the station's status needs: allow them",
}

_UNTRUSTED = {
    9: "it is not valid yet; set this machine's clock, or the broker's certificate right",
    10: "renew it at the broker, or set this machine's clock right",
    62: "set host to a name that it is made out to",
    64: "set host to the name that it is made out to, or have the address put into it",
}
"""By the codes of X509_verify_cert_error_string(3)."""
_ALERTS = {
    "certificate required": "it wants a certificate; set tls.cert_file and tls.key_file",
    "certificate expired": "tls.cert_file has expired; renew it",
    "unknown ca": "it does not know the authority that signed tls.cert_file",
    "bad certificate": "tls.cert_file is not one that it takes; see its log",
    "certificate revoked": "tls.cert_file was revoked; get a new one",
}
"""Alerts of TLS (RFC 8446, 6.2) in OpenSSL's words."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker is and how to talk to it."""

    host: str
    port: int
    keepalive_seconds: int
    connect_timeout_seconds: float
    ack_timeout_seconds: float
    reconnect_max_seconds: float
    max_inflight: int
    username: str | None
    password: str | None = field(repr=False)
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Message:
    """One JSON message; `labels` become user properties where the broker speaks MQTT 5."""

    topic: str
    payload: bytes
    retain: bool = False
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """About how many bytes the packet has, not less than it really has."""
        labels = sum(len(name.encode()) + len(value.encode()) + 5 for name, value in self.labels)
        return len(self.payload) + len(self.topic.encode()) + labels + 64


def make_client(
    endpoint: Endpoint, client_id: str, protocol: int, will: Message | None = None
) -> Client:
    """A client that reconnects by itself; it is configured but not started."""
    client = bare_client(endpoint, client_id, protocol)
    if will is not None:
        client.will_set(will.topic, will.payload, 1, True, properties(will, protocol, is_will=True))
    clean = {"clean_start": True} if protocol == MQTT_5 else {}
    client.connect_async(endpoint.host, endpoint.port, endpoint.keepalive_seconds, **clean)
    return client


def bare_client(
    endpoint: Endpoint, client_id: str, protocol: int, *, reconnects: bool = True
) -> Client:
    """A client that knows who it is, but neither its will nor where to connect to."""
    from paho.mqtt import client as paho

    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=paho.MQTTProtocolVersion(protocol),
        reconnect_on_failure=reconnects,
    )
    client.connect_timeout = endpoint.connect_timeout_seconds
    client.max_inflight_messages = endpoint.max_inflight
    if endpoint.username is not None:
        client.username_pw_set(endpoint.username, endpoint.password)
    if endpoint.tls is not None:
        client.tls_set_context(endpoint.tls)
    return client


def first_pause(longest_seconds: float) -> float:
    """Seconds before the first attempt to reconnect, different for each station."""
    # Stations that lost the same broker must not all come back in the same second.
    return min(random.uniform(0.5, 1.5), longest_seconds)


def pace(client: Client, endpoint: Endpoint, first_seconds: float) -> None:
    """Set the pauses between attempts to connect: doubling from the first, with jitter."""
    longest = max(first_seconds, endpoint.reconnect_max_seconds * random.uniform(0.5, 1.0))
    client.reconnect_delay_set(first_seconds, longest)  # type: ignore[arg-type]


def properties(message: Message, protocol: int, *, is_will: bool = False) -> Properties | None:
    """The MQTT 5 properties of a message; None for an older protocol."""
    if protocol != MQTT_5:
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    result = Properties(PacketTypes.WILLMESSAGE if is_will else PacketTypes.PUBLISH)
    result.PayloadFormatIndicator = 1
    result.ContentType = "application/json"
    if message.labels:
        result.UserProperty = list(message.labels)
    return result


def refused(endpoint: Endpoint, code: int, name: str) -> str:
    """Why a broker refused a connection."""
    return f"{endpoint} refuses the connection: {_REFUSED_CONNECT.get(code, name)}"


def refused_publish(topic: str, code: int) -> str:
    """Why a broker refused a message."""
    words = _REFUSED_PUBLISH.get(code, "see the broker's log")
    return f"topic {topic}: {words} (reason code 0x{code:02x})"


def unreachable(endpoint: Endpoint, error: BaseException | None) -> str:
    """Why no connection to a broker came about."""
    match error:
        case socket.gaierror():
            words = "the name cannot be resolved: correct host, or the name service"
        case ConnectionRefusedError():
            words = "nothing listens there: start the broker, or correct host and port"
        case TimeoutError():
            words = "no answer: check host, port, network and firewall"
        case ssl.SSLCertVerificationError():
            remedy = _UNTRUSTED.get(
                error.verify_code, "set tls.ca_file to the authority that signed it"
            )
            words = f"the broker's certificate is not trusted ({error.verify_message}): {remedy}"
        case ssl.SSLError():
            words = (
                f"TLS fails ({error.reason or error}): check that this is the broker's TLS port,"
                " and the client certificate if it wants one"
            )
        case ConnectionError():
            return no_answer(endpoint, "hangs up before it answers")
        case _:
            words = str(error)
    return f"cannot reach {endpoint}: {words}"


def no_answer(endpoint: Endpoint, words: str, said: str = "") -> str:
    """What it means when something listens but does not answer as a broker.

    `said` is what paho last complained of: with TLS 1.3 a broker refuses a client's certificate
    only after the handshake, so no exception tells of it; and nobody does where the connection was
    reset before the alert was read.
    """
    if endpoint.tls:
        for alert, remedy in _ALERTS.items():
            if alert in said.lower():
                return f"{endpoint} refuses this client: {remedy}"
        return (
            f"{endpoint} {words}: check that it is an MQTT port with TLS, whether"
            f" {_ALERTS['certificate required']} that it takes, and the broker's log"
        )
    return (
        f"{endpoint} {words}: check that it is an MQTT port, whether it is one with TLS, and the"
        " broker's log"
    )


def silent(endpoint: Endpoint) -> str:
    """What it means when nothing was heard from a broker in time."""
    return f"no broker answers at {endpoint}: check host, port and firewall, and that it runs"


def unanswered(endpoint: Endpoint) -> str:
    """What it means when a broker acknowledges nothing any more."""
    return (
        f"{endpoint} acknowledged nothing for {endpoint.ack_timeout_seconds:g} s:"
        " look at the broker's log and load, or raise ack_timeout_seconds"
    )


def lost(endpoint: Endpoint, code: int, name: str) -> str:
    """Why a connection ended."""
    words = {
        0x80: "the broker or the network broke it off",
        TAKEN_OVER: "another client connected with the same client id",
    }
    return f"the connection to {endpoint} was lost: {words.get(code, name)}"
