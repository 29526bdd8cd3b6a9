"""MQTT: rows in, JSON messages at QoS 1 out; the broker's PUBACK is the receipt.

Topics are `<root>/<camera>/reading`, `/late` (backlog), `/failed`, the retained `/last`, and the
retained `<root>/_station/<station>/status` with a last will. Names become topic levels by
`flows/files/filenames.py`. Every payload carries `id` and `seq`, and MQTT 5 repeats them as user
properties, so that a subscriber can drop a repeat.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import structlog

from flows import vocabulary
from flows.commands.broker import HOST, EmbeddedBroker
from flows.configuration.tls import is_loopback
from flows.files.filenames import for_file, for_topic
from flows.sinks import mqtt_client
from flows.sinks.mqtt_client import Endpoint, Message
from flows.sinks.mqtt_discovery import Discovery
from flows.sinks.mqtt_entities import Devices
from flows.sinks.mqtt_link import Link
from flows.sinks.mqtt_options import MqttOptions
from flows.sinks.mqtt_probe import granted
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site


class MqttSink:
    """Publishes rows as they come; the newest of each camera stays as its retained `last`."""

    Options: ClassVar[type[Options]] = MqttOptions
    replays_into_file: ClassVar[bool] = False

    def __init__(self, options: MqttOptions, site: Site, name: str) -> None:
        # Small, because what is new waits for the batch of the backlog that is on its way.
        self.cut = Cut(
            max_rows=100, max_seconds=0.0, lanes=True, figures_seconds=options.figures_seconds
        )
        self._options = options
        self._site = site
        self._root = options.root.rstrip("/")
        self._client_id = options.client_id or f"markwatch-{site.station}-{name}"
        self._memory = Path(site.root, "data", "state", f"{for_file(name)}.home-assistant.json")
        self._discovery: Discovery | None = None
        self._state = "online"
        self._figures: Mapping[str, Any] = {}
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
            endpoint = self._endpoint()
            if endpoint.password and not endpoint.tls and not is_loopback(endpoint.host):
                self._log.warning(
                    "the password goes over the network as plain text; set tls",
                    broker=str(endpoint),
                )
            self._link = Link(endpoint, self._client_id, will, self._greeting)
            self._link.open()
            if self._options.home_assistant is not None or self._memory.exists():
                self._discovery = stack.enter_context(self._discover(endpoint))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._figures = {}
        # A clean disconnect withholds the last will, so the status must not stay `online`.
        self._link.close(self._status("stopped"))
        self._stack.close()
        self._embedded_port = self._discovery = None

    @property
    def trouble(self) -> str | None:
        """Why the broker is not reached; None when it is."""
        return self._link.trouble

    def remember(self, cursor: Mapping[str, Any] | None) -> None:
        """Take in the cameras of earlier lives."""
        if self._discovery is not None:
            self._discovery.knew((cursor or {}).get("last", {}))

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
        if self._discovery is not None:
            self._discovery.saw(
                (row["camera"], row["read_at"].date())
                for row in batch.rows
                if row["seq"] in delivered
            )
        if refusal is not None and refusal != self._told:
            self._log.warning("not all was delivered", error=refusal)
        self._told = refusal
        return Receipt(frozenset(delivered), dead, refused, cursor={"last": dict(self._newest)})

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Publish the station's status, retained; again on each new connection."""
        if state != self._state:
            self._state = state
            self._link.tell(self._status(state))

    def tell(self, figures: Mapping[str, Any]) -> None:
        """Publish the status with these figures, if they are new."""
        if figures != self._figures:
            self._figures = dict(figures)
            self._link.tell(self._status(self._state))

    def replay(self, batches: Iterable[Batch], file: Path | None) -> Iterator[str]:
        """Publish rows again, to `late` (or `failed`), as a client of its own beside the watch.

        Neither `last` nor the status is touched. What was not acknowledged is sent again by the
        next call; a subscriber knows a repeat by its `id`.

        Raises:
            ConfigError: a file of the options cannot be read.
            DeliveryError: the broker is away, or refuses a row.
        """
        port = self._options.embedded_port if self._options.host is None else None
        link = Link(self._endpoint(port), f"{self._client_id}-replay")
        link.open()
        try:
            for batch in batches:
                owed = {row["seq"]: self._reading(row, late=True) for row in batch.rows}
                while owed:
                    answers = dict(zip(owed, link.send(list(owed.values())), strict=True))
                    for seq, code in answers.items():
                        if code is not None and code >= mqtt_client.SUCCESS_BELOW:
                            words = mqtt_client.refused_publish(owed[seq].topic, code)
                            raise DeliveryError(f"seq {seq}: {words}")
                        if code is not None:
                            del owed[seq]
                first, last = batch.rows[0]["seq"], batch.rows[-1]["seq"]
                yield f"{len(batch.rows)} messages, seq {first}-{last}, to {self._root}/+/late"
        finally:
            link.close()

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
            lines = [f"{link}{how}, topics {self._root}/#"]
            if self._options.host is not None:
                lines += [f"attention: {words}" for words in self._shortcomings(endpoint)]
            return "\n".join(lines)

    def _shortcomings(self, endpoint: Endpoint) -> Iterator[str]:
        """What the broker would drop while its subscribers are away."""
        from flows.care.outage import load_of, shortcomings
        from flows.configuration.settings import Layout

        options, root = self._options, Path(self._site.root)
        hours = options.outage_hours
        if hours is None:
            return
        yield from shortcomings(
            granted(endpoint, f"{self._client_id}-session", round(hours * 3600)),
            load_of(Layout(root)),
            root / options.broker_config if options.broker_config else None,
            hours=hours,
            figures_seconds=options.figures_seconds,
        )

    def _discover(self, endpoint: Endpoint) -> Discovery:
        options = self._options.home_assistant
        devices = Devices(self._site.station, self._root, options.prefix if options else "")
        name = f"{self._client_id}-home-assistant"
        return Discovery(endpoint, name, options, devices, self._memory)

    def _endpoint(self, embedded_port: int | None = None) -> Endpoint:
        options, root = self._options, self._site.root
        if options.host is None:
            return options.endpoint(HOST, root, embedded_port or self._embedded_port)
        return options.endpoint(options.host, root)

    def _reading(self, row: vocabulary.Row, late: bool) -> Message:
        # A picture that was read again is not in front of the camera now.
        late = late or row["revision"] > 1
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
        rows = [row for row in batch.rows if row["revision"] == 1]
        newest = {row["camera"]: row for row in sorted(rows, key=lambda row: row["seq"])}
        return [
            (row, self._message(row, "last", retain=True))
            for camera, row in newest.items()
            if row["seq"] > self._newest.get(camera, 0)
        ]

    def _status(self, state: str) -> Message:
        content = {
            "state": state,
            "station": self._site.station,
            "version": version("markwatch"),
            **self._figures,
        }
        return Message(
            topic=f"{self._root}/_station/{for_topic(self._site.station)}/status",
            payload=json.dumps(content, ensure_ascii=False).encode(),
            retain=True,
        )

    def _greeting(self) -> Iterator[Message]:
        yield self._status(self._state)
        # A broker that restarted without its memory has lost these too.
        yield from self._lasts.values()
