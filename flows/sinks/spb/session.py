"""An edge node's sessions with a broker, one after the other, kept up by one thread.

It alone speaks and reconnects. Each CONNECT has the next `bdSeq` in its last will. What is asked of
the session (rows to send, a state to tell) waits in the same queue as what the broker says, so
nothing is ever sent between two births. Pauses have full jitter and double while connections fail.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from flows.sinks import mqtt_client as mqtt
from flows.sinks.mqtt_client import Endpoint
from flows.sinks.spb.bdseq import BdSeq
from flows.sinks.spb.connection import Connection
from flows.sinks.spb.host import PrimaryHost
from flows.sinks.spb.life import Asked, Life, Manners, OverError
from flows.sinks.spb.node import EdgeNode
from stages.errors import DeliveryError

_STEADY_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 1.0
_TICK_SECONDS = 0.2
_RECENT_BIRTHS = 16


@dataclass(frozen=True, slots=True)
class _Told:
    state: str


class _Stop:
    pass


class Session:
    """Keeps an edge node in touch with its broker; `send` and `tell` are for other threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        node: EdgeNode,
        bd_seq: BdSeq,
        host: PrimaryHost | None,
        manners: Manners,
    ) -> None:
        self._endpoint = endpoint
        self._client_id = client_id
        self._node = node
        self._bd_seq = bd_seq
        self._host = host
        self._manners = manners
        self._inbox: queue.SimpleQueue[tuple[Connection | None, Any]] = queue.SimpleQueue()
        self._asked: deque[Asked] = deque()
        self._births: deque[bytes] = deque(maxlen=_RECENT_BIRTHS)
        self._protocol = mqtt.MQTT_5
        # Whether a broker has accepted this protocol; until then the other one may be tried.
        self._settled = False
        self._hang_ups = 0
        self._stopping = False
        self._why = mqtt.silent(endpoint)
        self._pause = min(_FIRST_PAUSE_SECONDS, endpoint.reconnect_max_seconds)
        self._log = structlog.get_logger("markwatch.sinks.sparkplug").bind(
            broker=str(endpoint), node=str(node)
        )
        self._thread = threading.Thread(target=self._run, name="sparkplug", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Say farewell where there is a session, and end the thread, in seconds."""
        self._inbox.put((None, _Stop()))
        self._thread.join()

    def tell(self, state: str) -> None:
        """Tell the host the station's state, now or with the next births."""
        self._inbox.put((None, _Told(state)))

    def send(self, rows: Sequence[Mapping[str, Any]], is_late: Sequence[bool]) -> Asked:
        """Send rows and wait until the broker has them; `taken` says how many of them it has.

        Raises:
            DeliveryError: it has none.
            RuntimeError: the session's thread has died; a new session is needed.
        """
        deadline = time.monotonic() + self._endpoint.connect_timeout_seconds
        asked = Asked(rows, is_late, deadline)
        self._inbox.put((None, asked))
        while not asked.done.wait(_TICK_SECONDS):
            if not self._thread.is_alive():
                raise RuntimeError(self._why)
        if asked.why is not None and not asked.taken:
            raise DeliveryError(asked.why)
        return asked

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._rest(self._connect())
        finally:
            self._why = f"edge node {self._node} has stopped"
            self._refuse_all(self._why)

    def _connect(self) -> float:
        """Make one connection and serve it to its end; how long to rest then."""
        began = time.monotonic()
        try:
            number = self._bd_seq.next()
            connection = Connection(
                self._endpoint,
                self._client_id,
                self._protocol,
                self._inbox,
                self._node.death(number, self._manners.now()),
                before_connect=lambda: self._bd_seq.sent(number),
            )
            connection.open()
        except DeliveryError as error:
            self._failed(str(error))
            return self._next_pause(began)
        except OSError as error:
            self._failed(mqtt.unreachable(self._endpoint, error))
            return self._next_pause(began)
        if self._host is not None:
            self._host.forget()
        life = Life(
            connection, self._endpoint, self._node, number, self._host, self._manners, self._births
        )
        farewell = False
        try:
            self._serve(life, connection)
        except OverError as over:
            farewell = over.farewell and life.is_live
            self._settled |= life.is_admitted
            if over.unheard and self._is_other_protocol_next(over.unheard):
                return 0.0
            if not self._stopping:
                self._failed(f"{over}{self._hint(began)}" if over.lost else str(over))
            return self._next_pause(began) if over.rest is None else over.rest
        finally:
            if farewell:
                life.die()
            connection.close(with_will=farewell)
            self._node.end()

    def _serve(self, life: Life, connection: Connection) -> None:
        was_live = False
        while True:
            life.work()
            self._feed(life)
            if life.is_live and not was_live:
                self._log.info("connected", protocol=mqtt.PROTOCOLS[self._protocol])
                was_live = True
            try:
                source, event = self._inbox.get(timeout=_TICK_SECONDS)
            except queue.Empty:
                continue
            if source is connection:
                life.hear(event)
            elif source is None:
                self._take(event, life)

    def _feed(self, life: Life) -> None:
        """Finish what the broker has, and send what is next."""
        while self._asked and self._asked[0].taken == len(self._asked[0].rows):
            self._finish(self._asked.popleft(), None)
        if self._asked and life.takes_rows():
            life.send(self._asked[0])
        elif self._asked and not life.is_live and time.monotonic() > self._asked[0].deadline:
            self._failed(life.waits_for or self._why)

    def _take(self, request: Asked | _Told | _Stop, life: Life | None) -> None:
        match request:
            case Asked():
                self._asked.append(request)
            case _Told(state) if life is not None:
                life.tell(state)
            case _Told(state):
                self._node.tell(state, self._manners.now())
            case _Stop():
                self._stopping = True
                raise OverError("stopped", farewell=True)

    def _finish(self, asked: Asked, why: str | None) -> None:
        asked.why, asked.cursor = why, self._node.cursor()
        asked.done.set()

    def _refuse_all(self, why: str) -> None:
        while self._asked:
            asked = self._asked.popleft()
            for row, is_late in zip(asked.rows, asked.is_late, strict=True):
                # It comes again as history, but it is what the camera saw last.
                if not is_late:
                    self._node.note(row)
            self._finish(asked, why)

    def _failed(self, why: str) -> None:
        if why != self._why:
            self._log.warning("not connected", error=why)
        self._why = why
        self._refuse_all(why)

    def _rest(self, seconds: float) -> None:
        """Wait; who asks for something that cannot wait as long hears why it cannot be."""
        end = time.monotonic() + seconds
        while not self._stopping and (left := end - time.monotonic()) > 0:
            try:
                source, request = self._inbox.get(timeout=left)
                if source is None:
                    self._take(request, None)
            except (queue.Empty, OverError):
                return
            if self._asked and self._asked[0].deadline < end:
                self._refuse_all(self._why)

    def _next_pause(self, began: float) -> float:
        longest = self._endpoint.reconnect_max_seconds
        if time.monotonic() - began >= _STEADY_SECONDS:
            self._pause = min(_FIRST_PAUSE_SECONDS, longest)
        # Full jitter: stations that lost one broker must not come back in step.
        pause = random.uniform(0, self._pause)
        self._pause = min(2 * self._pause, longest)
        return pause

    def _hint(self, began: float) -> str:
        if time.monotonic() - began >= _STEADY_SECONDS:
            return ""
        return f"; if this repeats, look for another client called {self._client_id}"

    def _is_other_protocol_next(self, unheard: str) -> bool:
        """Choose the version of MQTT to try next; whether it is another, to be tried at once."""
        if self._settled and unheard != "refused":
            return False
        if unheard == "hung up":
            # Once may be the network; twice is a broker that does not know MQTT 5.
            self._hang_ups += 1
            if self._hang_ups == 1:
                return False
        # Where 3.1.1 is not answered either, nothing is known about MQTT 5.
        was_new = self._protocol == mqtt.MQTT_5
        self._protocol = mqtt.MQTT_311 if was_new else mqtt.MQTT_5
        return was_new
