"""Sparkplug B 3.0: this station as an edge node, a camera as a device, a row as one DDATA.

A SCADA host finds the node and its tags by itself: births list every metric. The session is kept up
while nothing is read, and rows wait in the ledger while there is none. What waited goes out as
`is_historical` and never becomes a tag's current value. The receipt is explained in `spb/life.py`;
a host that must not lose a value in its own queues also reads the `mqtt` sink's topics at QoS 1.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from flows.files.filenames import for_file
from flows.sinks import mqtt_client
from flows.sinks.mqtt_options import BrokerOptions, Host
from flows.sinks.spb.bdseq import BdSeq
from flows.sinks.spb.descriptor import lock_descriptor
from flows.sinks.spb.encoding import SparkplugB
from flows.sinks.spb.host import PrimaryHost
from flows.sinks.spb.life import Manners
from flows.sinks.spb.node import EdgeNode
from flows.sinks.spb.probing import probe
from flows.sinks.spb.session import Session
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site


def _level(name: str) -> str:
    if set(name) & set("+/#") or not name.isprintable():
        raise ValueError(f"{name!r} cannot be a level of a topic: no +, / or #")
    return name


_Level = Annotated[str, AfterValidator(_level)]


class SparkplugOptions(BrokerOptions):
    """Which broker, as which edge node, and how patiently."""

    host: Host = Field(default="127.0.0.1", min_length=1, description="the broker")
    client_id: str | None = Field(
        default=None,
        min_length=1,
        description="markwatch-<station>-<sink>-<random> when null, so that a second node with "
        "this name is noticed",
    )
    group_id: _Level = Field(
        default="markwatch", min_length=1, description="Sparkplug group, e.g. site-area"
    )
    node_id: _Level | None = Field(
        default=None, min_length=1, description="edge node in the group; the station when null"
    )
    primary_host: _Level | None = Field(
        default=None,
        min_length=1,
        description="host application that must be online before anything is sent; null for none",
    )
    rebirth_min_seconds: float = Field(
        default=5.0, ge=0, description="shortest time from births to those that a host asks for"
    )
    stand_down_seconds: float = Field(
        default=300.0, gt=0, description="pause after another client took this node's name"
    )


class SparkplugSink:
    """An edge node that is online as long as the station watches."""

    Options: ClassVar[type[Options]] = SparkplugOptions

    def __init__(self, options: SparkplugOptions, site: Site, name: str) -> None:
        self.cut = Cut(max_rows=500, max_seconds=0.0, lanes=True)
        self._options = options
        self._site = site
        own = f"markwatch-{site.station}-{name}"
        # Two with one id would push each other out, and few brokers say so; two with one birth
        # topic hear each other.
        self._client_id = options.client_id or f"{own}-{secrets.token_hex(3)}"
        self._state_file = Path(site.root, "data", "state", f"{for_file(name)}.bdseq")
        self._manners = Manners(options.rebirth_min_seconds, options.stand_down_seconds)
        self._session: Session | None = None

    @staticmethod
    def folders(options: SparkplugOptions, site: Site) -> tuple[Path, ...]:
        """None: it speaks to a broker."""
        return ()

    def __enter__(self) -> Self:
        """Lock the edge node's name on this machine; the session begins when there is something.

        Raises:
            ConfigError: a file of the options cannot be read.
            DeliveryError: another process has the name.
        """
        endpoint = self._endpoint()
        self._node = self._make_node()
        host = self._options.primary_host
        self._lock = lock_descriptor(str(endpoint), self._node.group, self._node.name)
        self._session = Session(
            endpoint,
            self._client_id,
            self._node,
            BdSeq(self._state_file),
            PrimaryHost(host) if host is not None else None,
            self._manners,
        )
        self._is_started = False
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None and self._is_started:
            self._session.tell("stopped")
            self._session.stop()
        self._session = None
        self._lock.release()

    def remember(self, cursor: Mapping[str, Any] | None) -> None:
        """Take in the cameras of earlier lives, so that the first births are whole."""
        if not self._is_started:
            self._node.remember(cursor)

    def deliver(self, batch: Batch) -> Receipt:
        """Send the rows; returning means that the broker has them.

        Returns a receipt for what it took, when the connection is lost on the way.

        Raises:
            DeliveryError: it took nothing.
        """
        if not batch.rows:
            return Receipt()
        self.remember(batch.cursor)
        # A picture that was read again is not in front of the camera now.
        is_late = [batch.late or row["revision"] > 1 for row in batch.rows]
        asked = self._started().send(batch.rows, is_late)
        return Receipt(
            frozenset(row["seq"] for row in batch.rows[: asked.taken]), cursor=asked.cursor
        )

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Tell the host the station's state as a metric of the node, and begin the session."""
        self._started().tell(state)

    def probe(self) -> str:
        """Say which broker answers, and as which edge node, having connected and subscribed to it.

        The edge node's own session, if there is one, goes on: this is a client of its own.

        Raises:
            ConfigError: a file of the options cannot be read.
            DeliveryError: there is no such broker, or it refuses; the text says the remedy.
        """
        endpoint, node = self._endpoint(), self._make_node()
        found = probe(endpoint, f"{self._client_id}-check", node.topic("NCMD"))
        return f"{found}, edge node {node} ({node.encoding.namespace})"

    def _endpoint(self) -> mqtt_client.Endpoint:
        return self._options.endpoint(self._options.host, self._site.root)

    def _make_node(self) -> EdgeNode:
        about = {"Software": "markwatch", "Version": version("markwatch")}
        name = self._options.node_id or self._site.station
        return EdgeNode(self._options.group_id, name, SparkplugB(), about)

    def _started(self) -> Session:
        assert self._session is not None, "used outside its `with`"
        if not self._is_started:
            self._is_started = True
            self._session.start()
        return self._session
