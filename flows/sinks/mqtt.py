"""MQTT: rows in, JSON messages at QoS 1 out; the broker's PUBACK is the receipt.

Topics are `<root>/<camera>/reading`, `/late` (backlog), `/failed`, the retained `/last`, and the
retained `<root>/_station/<station>/status` with a last will. Names become topic levels by
`flows/filenames.py`. Every payload carries `id` and `seq`, and MQTT 5 repeats them as user
properties, so that a subscriber can drop a repeat.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, ClassVar, Literal, Self

import structlog
from pydantic import AfterValidator, Field, SecretStr

from flows import vocabulary
from flows.broker import HOST, EmbeddedBroker
from flows.filenames import for_topic
from flows.sinks import mqtt_client
from flows.sinks.mqtt_client import Endpoint, Message
from flows.sinks.mqtt_link import Link
from stages.errors import ConfigError, DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site


def _resolvable(host: str) -> str:
    if "/" in host or host.count(":") == 1:
        raise ValueError(f"{host!r} is more than a name; write the port as `port`, TLS as `tls`")
    host.encode("idna")
    return host


def _levels(root: str) -> str:
    if not root.strip("/") or root.startswith(("$", "/")) or re.search(r"[+#\x00-\x1f]", root):
        raise ValueError(f"{root!r} cannot begin a topic: no +, #, and no $ or / at its start")
    return root


class TlsOptions(Options):
    """Files of an encrypted connection, relative to the root."""

    ca_file: str | None = Field(
        default=None, description="authorities to trust (PEM); the system's when null"
    )
    cert_file: str | None = Field(default=None, description="this client's certificate (PEM)")
    key_file: str | None = Field(
        default=None, description="its private key (PEM); null when it is in cert_file"
    )


class MqttOptions(Options):
    """Which broker, as whom, and how patiently."""

    host: Annotated[str, AfterValidator(_resolvable)] | None = Field(
        default=None, min_length=1, description="the broker; null starts one in this process"
    )
    port: int | None = Field(
        default=None, ge=1, le=65535, description="its port; 1883, or 8883 with tls, when null"
    )
    embedded_port: int = Field(
        default=1883, ge=0, le=65535, description="port of the embedded broker; 0 for a free one"
    )
    root: Annotated[str, AfterValidator(_levels)] = Field(
        default="markwatch",
        description="first levels of every topic, e.g. enterprise/site/area/line",
    )
    client_id: str | None = Field(
        default=None, min_length=1, description="markwatch-<station>-<sink> when null"
    )
    username: str | None = Field(default=None, description="user at the broker")
    password: SecretStr | None = Field(
        default=None,
        description="password at the broker; only from the environment",
        json_schema_extra={"secret": True},
    )
    password_file: str | None = Field(
        default=None, description="file that holds the password, relative to the root"
    )
    tls: TlsOptions | None = Field(default=None, description="encrypt; null for plain TCP")
    keepalive_seconds: int = Field(
        default=30, ge=1, le=65535, description="silence after which a connection is tested"
    )
    connect_timeout_seconds: float = Field(
        default=5.0, gt=0, description="longest wait for a connection"
    )
    ack_timeout_seconds: float = Field(
        default=20.0, gt=0, description="longest wait for the next acknowledgement"
    )
    reconnect_max_seconds: float = Field(
        default=30.0, gt=0, description="longest pause between attempts to connect"
    )
    max_inflight: int = Field(
        default=100, ge=1, le=65535, description="most messages that await their acknowledgement"
    )


class MqttSink:
    """Publishes rows as they come; the newest of each camera stays as its retained `last`."""

    Options: ClassVar[type[Options]] = MqttOptions
    cut = Cut(max_rows=500, max_seconds=0.0, lanes=True)

    def __init__(self, options: MqttOptions, site: Site, name: str) -> None:
        self._options = options
        self._site = site
        self._root = options.root.rstrip("/")
        self._client_id = options.client_id or f"markwatch-{site.station}-{name}"
        self._state = "online"
        self._lasts: dict[str, Message] = {}
        self._newest: dict[str, int] = {}
        self._told: str | None = None
        self._embedded_port: int | None = None
        self._log = structlog.get_logger("markwatch.sinks.mqtt")

    @staticmethod
    def folders(options: MqttOptions, site: Site) -> tuple[Path, ...]:
        """None: it speaks to a broker."""
        return ()

    def __enter__(self) -> Self:
        """Begin to connect, and start the embedded broker where no host is named.

        Raises:
            ConfigError: a file of the options cannot be read.
            DeliveryError: the embedded broker does not start.
        """
        self._state = "online"
        with contextlib.ExitStack() as stack:
            if self._options.host is None:
                broker = stack.enter_context(EmbeddedBroker(self._options.embedded_port))
                self._embedded_port = broker.port
                self._log.info(
                    "no broker is configured: started one, for this machine only",
                    address=f"mqtt://{broker.host}:{broker.port}",
                )
            will = self._status("offline")
            self._link = Link(self._endpoint(), self._client_id, will, self._greeting)
            self._link.open()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A clean disconnect withholds the last will, so the status must not stay `online`.
        self._link.close(self._status("stopped"))
        self._embedded_port = None
        self._stack.close()

    def deliver(self, batch: Batch) -> Receipt:
        """Publish the rows and wait for their acknowledgements.

        Returns what was acknowledged, when a connection is lost on the way, and what the broker
        refused.

        Raises:
            DeliveryError: nothing was answered.
        """
        if not batch.rows:
            return Receipt()
        for camera, seq in (batch.cursor or {}).get("last", {}).items():
            self._newest[camera] = max(seq, self._newest.get(camera, 0))
        messages = [self._reading(row, batch.late) for row in batch.rows]
        lasts = self._fresh(batch)
        answers = self._link.send([*messages, *(message for _, message in lasts)])
        delivered, dead, refused, refusal = set(), {}, {}, None
        for row, message, code in zip(batch.rows, messages, answers, strict=False):
            if code is None:
                refusal = refusal or self._link.why
            elif code < mqtt_client.SUCCESS_BELOW:
                delivered.add(row["seq"])
            else:
                kind = dead if code in mqtt_client.FOR_GOOD else refused
                kind[row["seq"]] = mqtt_client.refused_publish(message.topic, code)
        if refusal is not None and not (delivered or dead or refused):
            raise DeliveryError(refusal)
        for (row, message), code in zip(lasts, answers[len(messages) :], strict=True):
            if code is not None and code >= mqtt_client.SUCCESS_BELOW:
                refusal = mqtt_client.refused_publish(message.topic, code)
            if row["seq"] in delivered:
                # Also where its own answer was lost: the greeting publishes it again.
                self._newest[row["camera"]] = row["seq"]
                self._lasts = {**self._lasts, row["camera"]: message}
        if refusal is not None and refusal != self._told:
            self._log.warning("not all was delivered", error=refusal)
        self._told = refusal
        return Receipt(frozenset(delivered), dead, refused, cursor={"last": dict(self._newest)})

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Publish the station's status, retained; again on each new connection."""
        if state != self._state:
            self._state = state
            self._link.tell(self._status(state))

    def probe(self) -> str:
        """Say which broker answers, and how, having connected to it.

        Raises:
            ConfigError: a file of the options cannot be read.
            DeliveryError: there is no such broker, or it refuses; the text says the remedy.
        """
        with contextlib.ExitStack() as stack:
            endpoint = self._endpoint()
            if self._options.host is None and self._embedded_port is None:
                try:
                    broker = stack.enter_context(EmbeddedBroker(self._options.embedded_port))
                    endpoint = self._endpoint(broker.port)
                except DeliveryError:
                    # Somebody listens there: a watch that runs, if it speaks MQTT.
                    endpoint = self._endpoint(self._options.embedded_port)
            link = Link(endpoint, f"{self._client_id}-check")
            stack.callback(link.close)
            link.open()
            link.wait()
            how = ", embedded broker for this machine only" if self._options.host is None else ""
            return f"{link}{how}, topics {self._root}/#"

    def _endpoint(self, embedded_port: int | None = None) -> Endpoint:
        options = self._options
        if options.host is None:
            host, port = HOST, embedded_port or self._embedded_port or 0
        else:
            host, port = options.host, options.port or (8883 if options.tls else 1883)
        return Endpoint(
            host=host,
            port=port,
            keepalive_seconds=options.keepalive_seconds,
            connect_timeout_seconds=options.connect_timeout_seconds,
            ack_timeout_seconds=options.ack_timeout_seconds,
            reconnect_max_seconds=options.reconnect_max_seconds,
            max_inflight=options.max_inflight,
            username=options.username,
            password=self._password(),
            tls=self._tls(options.tls) if options.tls and options.host else None,
        )

    def _password(self) -> str | None:
        if self._options.password is not None:
            return self._options.password.get_secret_value()
        if self._options.password_file is None:
            return None
        path = Path(self._site.root, self._options.password_file)
        try:
            return path.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"password_file {path} cannot be read: {error}") from error

    def _tls(self, options: TlsOptions) -> ssl.SSLContext:
        def path(file: str | None) -> str | None:
            return None if file is None else str(Path(self._site.root, file))

        try:
            context = ssl.create_default_context(cafile=path(options.ca_file))
            if options.cert_file is not None:
                context.load_cert_chain(str(path(options.cert_file)), path(options.key_file))
        except OSError as error:
            files = ", ".join(filter(None, (options.ca_file, options.cert_file, options.key_file)))
            raise ConfigError(f"tls: {files}: not readable as PEM files ({error})") from error
        return context

    def _reading(self, row: vocabulary.Row, late: bool) -> Message:
        kind = "failed" if row["status"] == "failed" else "late" if late else "reading"
        return self._message(row, kind, retain=False)

    def _message(self, row: vocabulary.Row, kind: str, retain: bool) -> Message:
        return Message(
            topic=f"{self._root}/{for_topic(row['camera'])}/{kind}",
            payload=vocabulary.to_json(row).encode(),
            retain=retain,
            labels=(("id", row["id"]), ("seq", str(row["seq"]))),
        )

    def _fresh(self, batch: Batch) -> list[tuple[vocabulary.Row, Message]]:
        """The new `last` of each camera whose newest row is in this batch."""
        newest = {row["camera"]: row for row in sorted(batch.rows, key=lambda row: row["seq"])}
        return [
            (row, self._message(row, "last", retain=True))
            for camera, row in newest.items()
            if row["seq"] > self._newest.get(camera, 0)
        ]

    def _status(self, state: str) -> Message:
        content = {"state": state, "station": self._site.station, "version": version("markwatch")}
        return Message(
            topic=f"{self._root}/_station/{for_topic(self._site.station)}/status",
            payload=json.dumps(content, ensure_ascii=False).encode(),
            retain=True,
        )

    def _greeting(self) -> Iterator[Message]:
        yield self._status(self._state)
        # A broker that restarted without its memory has lost these too.
        yield from self._lasts.values()
