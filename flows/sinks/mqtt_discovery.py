"""Keeps Home Assistant told of the station's devices: on its own connection, by its own thread.

So what it may not publish, or a Home Assistant that is slow, holds up no row. What was published is
noted in a file before, or nobody could take it away again: a device goes when its camera has sent
nothing for `forget_days`, when the option is switched off, and when names or prefix change.
Everything is published again on each new connection, for a broker may have forgotten it, and when
Home Assistant says that it starts.
"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self

import structlog

from flows.files import durable
from flows.sinks import mqtt_client
from flows.sinks.mqtt_client import Endpoint, Message
from flows.sinks.mqtt_entities import Devices, removal
from flows.sinks.mqtt_link import Link
from flows.sinks.mqtt_options import HomeAssistantOptions
from stages.errors import DeliveryError

LOOK_SECONDS = 3600.0
AGAIN_SECONDS = 30.0
BIRTH_JITTER_SECONDS = 2.0
"""Not all stations at once, as Home Assistant asks of those who answer its birth."""


@dataclass(slots=True)
class Memory:
    """What outlives the process: each camera's last day (UTC), and the topics that may be held."""

    path: Path
    cameras: dict[str, date] = field(default_factory=dict)
    topics: set[str] = field(default_factory=set)

    @classmethod
    def at(cls, path: Path) -> Self:
        """Read the file; one that is not there or damaged is an empty one.

        Raises:
            OSError: it cannot be read.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            cameras = {name: date.fromisoformat(day) for name, day in found["cameras"].items()}
            return cls(path, cameras, set(found["topics"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return cls(path)

    def keep(self) -> None:
        """Write the file.

        Raises:
            OSError: the disk is full or refuses.
        """
        days = {name: day.isoformat() for name, day in sorted(self.cameras.items())}
        text = json.dumps({"cameras": days, "topics": sorted(self.topics)}, indent=1)
        durable.write_over(self.path, f"{text}\n".encode())


class Discovery:
    """Publishes the devices while its block lasts; without `options` it only takes them away."""

    def __init__(
        self,
        endpoint: Endpoint,
        client_id: str,
        options: HomeAssistantOptions | None,
        devices: Devices,
        path: Path,
    ) -> None:
        self._options = options
        self._devices = devices
        self._path = path
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._born = self._is_open = False
        self._known: set[str] = set()
        self._seen: dict[str, date] = {}
        self._given: dict[str, bytes] = {}
        self._told: str | None = None
        self._log = structlog.get_logger("markwatch.sinks.mqtt").bind(far_side="home assistant")
        birth = {} if options is None else {options.birth_topic: self._hear}
        self._link = Link(endpoint, client_id, greeting=self._connected, hears=birth)
        self._thread = threading.Thread(target=self._run, name="home-assistant", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stop.set()
        self._wake.set()
        self._link.close()
        self._thread.join()

    def knew(self, cameras: Iterable[str]) -> None:
        """These cameras sent pictures in earlier lives; those that were forgotten stay so."""
        with self._lock:
            self._known.update(cameras)
        self._wake.set()

    def saw(self, cameras: Iterable[tuple[str, date]]) -> None:
        """These cameras sent a picture on this day."""
        with self._lock:
            news = {name: day for name, day in cameras if day > self._seen.get(name, date.min)}
            self._seen.update(news)
        if news:
            self._wake.set()

    def _hear(self, payload: bytes) -> None:
        if self._options is not None and payload.decode("utf-8", "replace") == "online":
            self._born = True
            self._wake.set()

    def _connected(self) -> tuple[Message, ...]:
        # All of it again, by the thread: a greeting is no longer than the broker's window.
        self._given = {}
        self._wake.set()
        return ()

    def _run(self) -> None:
        wait = 0.0
        while not self._stop.is_set():
            self._wake.wait(wait)
            self._wake.clear()
            if self._born and not self._stop.wait(random.uniform(0, BIRTH_JITTER_SECONDS)):
                self._born, self._given = False, {}
            try:
                if self._settle() and self._options is None:
                    self._link.close()
                    return
                wait = LOOK_SECONDS
            except DeliveryError:
                # The link says why, and wakes this thread when it is up.
                wait = AGAIN_SECONDS
            except OSError as error:
                self._complain(durable.remedy(error, self._path))
                wait = AGAIN_SECONDS

    def _settle(self) -> bool:
        """Make the broker hold what it should, and nothing of ours beside it; False if it may not.

        Raises:
            DeliveryError: there is no connection.
            OSError: the memory cannot be read or written.
        """
        memory = Memory.at(self._path)
        wanted = self._wanted(memory)
        due = [each for each in wanted.values() if self._given.get(each.topic) != each.payload]
        due += [removal(topic) for topic in sorted(memory.topics - wanted.keys())]
        if not due:
            return True
        with self._lock:
            if self._stop.is_set():
                return False
            if not self._is_open:
                self._link.open()
                self._is_open = True
        self._link.wait()
        given, refusal = self._given, None
        for message, code in zip(due, self._link.send(due), strict=True):
            if code is None:
                raise DeliveryError(self._link.why)
            if code >= mqtt_client.SUCCESS_BELOW:
                refusal = refusal or mqtt_client.refused_publish(message.topic, code)
            elif message.payload:
                given[message.topic] = message.payload
            else:
                memory.topics.discard(message.topic)
        memory.keep()
        self._complain(refusal)
        return refusal is None

    def _wanted(self, memory: Memory) -> dict[str, Message]:
        """The messages by topic that should be held; they are noted before they are sent."""
        if self._options is None:
            return {}
        before = dict(memory.cameras), set(memory.topics)
        today = datetime.now(UTC).date()
        with self._lock:
            for name in self._known:
                memory.cameras.setdefault(name, today)
            for name, day in self._seen.items():
                memory.cameras[name] = max(day, memory.cameras.get(name, date.min))
        oldest = today - timedelta(days=self._options.forget_days)
        messages = [self._devices.station_device()]
        messages += [
            self._devices.camera_device(name)
            for name, day in sorted(memory.cameras.items())
            if day >= oldest
        ]
        memory.topics |= {message.topic for message in messages}
        if before != (memory.cameras, memory.topics):
            memory.keep()
        return {message.topic: message for message in messages}

    def _complain(self, words: str | None) -> None:
        if words is not None and words != self._told:
            self._log.warning("home assistant is not told of all", error=words)
        self._told = words
