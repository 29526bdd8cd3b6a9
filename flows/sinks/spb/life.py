"""What happens on one connection of an edge node: subscriptions, the host, births, data, commands.

`Life` takes in what the broker says, gives what is due, and ends with an `OverError`. After the
CONNACK come the subscriptions, then the primary host where one is awaited, the births, and data.

DDATA goes out at QoS 0, as Sparkplug wants it, and QoS 0 has no answer. The receipt is a barrier:
after some rows the node subscribes to its own command topic once more. A broker takes the packets
of a connection in their order, so the SUBACK says that it has taken all rows before it; rows after
the last SUBACK of a lost connection are owed.

Two nodes with one descriptor would set off rebirth after rebirth. The node hears its own NBIRTH
topic: a birth there that is not its own, or MQTT 5's "session taken over", makes it stand down for
minutes, without an NDEATH that could be taken for the other's.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from flows.sinks import mqtt_client as mqtt
from flows.sinks.mqtt_client import Endpoint
from flows.sinks.spb.connection import Answered, Connection, Event, Gone, Received, Subscribed
from flows.sinks.spb.host import PrimaryHost
from flows.sinks.spb.node import EdgeNode
from flows.sinks.spb.probing import refused_topic


@dataclass(slots=True)
class Asked:
    """Rows to send: how many the broker has so far, and when it is over, with or without words."""

    rows: Sequence[Mapping[str, Any]]
    is_late: Sequence[bool]
    deadline: float
    sent: int = 0
    taken: int = 0
    why: str | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a session behaves: its pauses, and its clock."""

    rebirth_min_seconds: float
    stand_down_seconds: float
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class OverError(Exception):
    """This connection is over, and why.

    `farewell`: the node goes of its own will. `rest`: seconds before the next one, None for the
    usual pause. `unheard`: the broker did not answer this version of MQTT, or refused it. `lost`:
    the other side broke it off without a word.
    """

    def __init__(
        self,
        why: str,
        *,
        farewell: bool = False,
        rest: float | None = None,
        unheard: Literal["refused", "silent", "hung up"] | None = None,
        lost: bool = False,
    ) -> None:
        super().__init__(why)
        self.farewell, self.rest, self.unheard, self.lost = farewell, rest, unheard, lost


class Life:
    """One connection, from its CONNECT on; used by the session's thread alone."""

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        node: EdgeNode,
        bd_seq: int,
        host: PrimaryHost | None,
        manners: Manners,
        own_births: deque[bytes],
    ) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._node = node
        self._bd_seq = bd_seq
        self._host = host
        self._manners = manners
        self._stage: Literal["connecting", "subscribing", "waiting", "live"] = "connecting"
        self._deadline = time.monotonic() + endpoint.connect_timeout_seconds
        self._subscription = -1
        self._barrier: int | None = None
        self._asked: Asked | None = None
        self._rebirth = False
        self._born_at = 0.0
        # Also those of the connections before: a broker may pass one on late.
        self._births = own_births

    @property
    def is_admitted(self) -> bool:
        """Whether the broker answered and took this client."""
        return self._stage != "connecting"

    @property
    def is_live(self) -> bool:
        """Whether the births are out."""
        return self._stage == "live"

    @property
    def waits_for(self) -> str | None:
        """What keeps the births back, in words, where it is the primary host."""
        if self._stage != "waiting" or self._host is None:
            return None
        return (
            f"primary host {self._host.name} is not online at {self._endpoint}: start it, or "
            "correct primary_host"
        )

    def work(self) -> None:
        """Do what is due: a deadline, a rebirth.

        Raises:
            OverError: an answer did not come in time.
        """
        now = time.monotonic()
        if not self.is_live:
            if self._stage != "waiting" and now > self._deadline:
                words = mqtt.no_answer(self._endpoint, "takes the connection but is silent")
                raise OverError(words, unheard=None if self.is_admitted else "silent")
        elif self._barrier is not None and now > self._deadline:
            raise OverError(mqtt.unanswered(self._endpoint))
        elif self._rebirth and now >= self._born_at + self._manners.rebirth_min_seconds:
            self._bear()

    def takes_rows(self) -> bool:
        """Whether rows may go out now: born, no rebirth wished for, no barrier awaited."""
        return self.is_live and not self._rebirth and self._barrier is None

    def send(self, asked: Asked) -> None:
        """Send rows up to the next barrier."""
        end = min(asked.sent + self._endpoint.max_inflight, len(asked.rows))
        part = slice(asked.sent, end)
        for row, is_late in zip(asked.rows[part], asked.is_late[part], strict=True):
            for message in self._node.data(row, is_late, self._manners.now()):
                self._connection.publish(message)
            if not is_late:
                self._node.note(row)
        asked.sent, self._asked = end, asked
        self._barrier = self._connection.subscribe([(self._node.topic("NCMD"), 1)])
        self._deadline = time.monotonic() + self._endpoint.ack_timeout_seconds

    def tell(self, state: str) -> None:
        """Tell the host the station's state."""
        for message in self._node.tell(state, self._manners.now()):
            self._connection.publish(message)

    def die(self) -> None:
        """Publish the NDEATH; a DISCONNECT that follows it arrives after it."""
        self._connection.publish(self._node.death(self._bd_seq, self._manners.now()))

    def hear(self, event: Event) -> None:
        """Take in what the broker says.

        Raises:
            OverError: that ends this connection.
        """
        match event:
            case Answered():
                self._answered(event)
            case Subscribed(mid, codes) if mid == self._subscription:
                self._subscribed(codes)
            case Subscribed(mid, _) if mid == self._barrier and self._asked is not None:
                self._barrier, self._asked.taken = None, self._asked.sent
            case Received():
                self._received(event)
            case Gone():
                self._gone(event)

    def _answered(self, event: Answered) -> None:
        if event.code >= mqtt.SUCCESS_BELOW:
            words = mqtt.refused(self._endpoint, event.code, event.name)
            unheard: Any = "refused" if event.code == mqtt.UNSUPPORTED_VERSION else None
            raise OverError(words, unheard=unheard)
        topics = [(self._node.topic("NCMD"), 1), (self._node.topic("NBIRTH"), 0)]
        if self._host is not None:
            topics.append((self._node.encoding.host_topic(self._host.name), 1))
        self._subscription = self._connection.subscribe(topics)
        self._stage = "subscribing"

    def _subscribed(self, codes: tuple[int, ...]) -> None:
        # Without hearing its own births a node works, and only a taken session shows it a twin.
        needed = {0: self._node.topic("NCMD")}
        if self._host is not None:
            needed[2] = self._node.encoding.host_topic(self._host.name)
        for index, topic in needed.items():
            if codes[index] >= mqtt.SUCCESS_BELOW:
                raise OverError(refused_topic(self._endpoint, topic))
        self._stage = "waiting"
        self._welcome()

    def _welcome(self) -> None:
        """Give the births, if nothing is waited for any more."""
        if self._stage == "waiting" and (self._host is None or self._host.is_online):
            self._stage = "live"
            self._bear()

    def _bear(self) -> None:
        births = self._node.births(self._bd_seq, self._manners.now())
        self._births.append(births[0].payload)
        for message in births:
            self._connection.publish(message)
        self._rebirth, self._born_at = False, time.monotonic()

    def _received(self, event: Received) -> None:
        host = self._host
        if host is not None and event.topic == self._node.encoding.host_topic(host.name):
            if host.hear(event.payload) and not host.is_online and self.is_live:
                raise OverError(
                    f"primary host {host.name} went offline at {self._endpoint}: its rows wait",
                    farewell=True,
                )
            self._welcome()
        elif event.is_retained:
            # Sparkplug retains neither; a stored one would come again with every barrier.
            return
        elif event.topic == self._node.topic("NCMD"):
            # Until the births no data goes out; what is wished for in the meantime is one rebirth.
            self._rebirth |= self.is_live and self._node.is_rebirth(event.payload)
        elif event.topic == self._node.topic("NBIRTH") and event.payload not in self._births:
            raise self._twin(f"another edge node goes by {self._node}")

    def _gone(self, event: Gone) -> None:
        if event.code == mqtt.TAKEN_OVER:
            raise self._twin(f"another client took over the session of edge node {self._node}")
        if not self.is_admitted:
            words = mqtt.no_answer(self._endpoint, "hangs up before it answers", event.said)
            raise OverError(words, unheard="hung up")
        raise OverError(mqtt.lost(self._endpoint, event.code, event.name), lost=True)

    def _twin(self, words: str) -> OverError:
        rest = self._manners.stand_down_seconds * random.uniform(0.75, 1.25)
        return OverError(
            f"{words} at {self._endpoint}: stop one of the two, or give it another node_id; this "
            f"one stands down for {rest:.0f} s",
            rest=rest,
        )
