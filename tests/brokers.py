"""Brokers and clients for tests, and the fixtures built on them; test folders import from here.

`Mosquitto` is the real broker as a process; `Subscriber` is a client that keeps what it gets;
`Scissors` is a TCP relay that cuts a connection at a chosen byte; `Mute` is a broker that never
acknowledges. Nothing here sleeps: what is waited for is an event, a line of a log, or a message.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from flows import vocabulary
from flows.commands.broker import EmbeddedBroker
from stages.records import Character, Failure, ImageRef, Mark, Reading, Report, Transcript

DEADLINE_SECONDS = 10.0
NOON = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)
_CONNACK_5 = b"\x20\x03\x00\x00\x00"


def make_row(seq: int, **changes: Any) -> dict[str, Any]:
    """A row as the ledger hands it to a sink, made from a report (or, if `failed`, a failure)."""
    read_at = changes.pop("read_at", NOON)
    image = ImageRef(
        id=f"0193-{seq:06d}",
        path="/nowhere/part.png",
        sha256="ab" * 32,
        size=1000,
        camera=changes.pop("camera", "press-3"),
        name=changes.pop("image", f"part {seq}.png"),
        arrived_at=read_at,
        captured_at=None,
    )
    if changes.get("status") == "failed":
        failure = Failure(image, "decode", "not a picture: text named .png", False)
        (row,) = vocabulary.rows(failure, station="plant-1", first_seq=seq, read_at=read_at)
    else:
        outline = ((1.0, 2.0), (9.0, 2.0), (9.0, 5.0), (1.0, 5.0))
        characters = (Character("A", 0.99), Character("1", 0.7, 0.6, "I", 0.2, "B"))
        transcript = Transcript("A1", characters)
        reading = Reading("code", 1, (1.0, 2.0, 9.0, 5.0), outline, transcript, "trocr@1")
        mark = Mark("code", 1, "read", "A1", "A1", 3.25, 0.97, reading=reading)
        report = Report(image, (mark,), "press-3@1f", "trocr@1", {"decode": 1.5, "recognise": 20.0})
        (row,) = vocabulary.rows(report, station="plant-1", first_seq=seq, read_at=read_at)
    return {**row, **changes}


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Mosquitto:
    """A mosquitto process on a free port of loopback; `lines` are added to its configuration."""

    host = "127.0.0.1"

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",)) -> None:
        self.folder = folder
        self.port = free_port()
        self.log: list[str] = []
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._config.write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "log_dest stderr",
                    "log_type all",
                    # Started by root it would become a user that may not read a test's files.
                    f"user {getpass.getuser()}",
                    *lines,
                    "",
                ]
            )
        )
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it and wait until it says that it runs."""
        process = subprocess.Popen(
            [find_mosquitto(), "-c", str(self._config)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stderr is not None
        running = threading.Event()

        def follow(lines: Iterator[str]) -> None:
            for line in lines:
                self.log.append(line)
                if "running" in line:
                    running.set()

        self._process = process
        self._reader = threading.Thread(target=follow, args=(process.stderr,))
        self._reader.start()
        if not running.wait(DEADLINE_SECONDS):
            self.stop()
            pytest.fail("mosquitto does not start:\n" + "".join(self.log))
        return self

    def stop(self, *, kill: bool = False) -> None:
        """End it, politely or by SIGKILL."""
        if self._process is None:
            return
        self._process.kill() if kill else self._process.terminate()
        self._process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._process = None

    def connections(self, client_id: str) -> int:
        """How many connections of this client id the log tells of."""
        return sum(f" as {client_id} (" in line for line in self.log)


def find_mosquitto() -> str:
    """Path of mosquitto; skips the test where it is missing, unless `CI` is true."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    )
    if found is None:
        words = "mosquitto is not installed: apt-get install mosquitto"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


@dataclass
class Subscriber:
    """A client that keeps every message of a topic filter; MQTT 5 unless told otherwise.

    With `session_seconds` the broker keeps for it what comes while it is away.
    """

    port: int
    topics: str = "#"
    protocol: int = 5
    session_seconds: int = 0
    messages: list[paho.MQTTMessage] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._heard = threading.Condition()
        subscribed = threading.Event()
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"subscriber-{id(self)}",
            protocol=paho.MQTTProtocolVersion(self.protocol),
        )
        client.on_connect = lambda client, *_: client.subscribe(self.topics, 1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._keep
        client.reconnect_delay_set(0.1, 0.1)
        client.connect("127.0.0.1", self.port, properties=self._session())
        client.loop_start()
        self._client = client
        assert subscribed.wait(DEADLINE_SECONDS), "the subscriber is not admitted"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _session(self) -> Properties | None:
        if not self.session_seconds:
            return None
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self.session_seconds
        return properties

    def _keep(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        with self._heard:
            self.messages.append(message)
            self._heard.notify_all()

    def wait(self, enough: Callable[[list[paho.MQTTMessage]], bool]) -> list[paho.MQTTMessage]:
        """Wait until what was heard is enough; returns it."""
        with self._heard:
            assert self._heard.wait_for(lambda: enough(self.messages), DEADLINE_SECONDS), [
                (message.topic, message.payload[:80]) for message in self.messages
            ]
            return list(self.messages)

    def wait_for(self, topic: str, count: int = 1) -> list[paho.MQTTMessage]:
        """Wait for so many messages of one topic; returns them."""
        heard = self.wait(lambda all_: sum(message.topic == topic for message in all_) >= count)
        return [message for message in heard if message.topic == topic]


class Server:
    """A TCP server on loopback that treats each connection in a thread of its own."""

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # Linux wakes a thread in accept only when the listening socket is shut down.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            _hang_up(connection)
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            self._run(self._treat, connection)

    def _run(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _treat(self, connection: socket.socket) -> None:
        raise NotImplementedError


class Scissors(Server):
    """Relays to a broker; cuts the connection once it has passed `cut_after` bytes to the client.

    Only the first connection is cut; later ones pass whole.
    """

    def __init__(self, port: int, cut_after: int) -> None:
        self._broker = port
        self._cut_after: int | None = cut_after

    def _treat(self, connection: socket.socket) -> None:
        broker = socket.create_connection(("127.0.0.1", self._broker))
        self._open.append(broker)
        limit, self._cut_after = self._cut_after, None
        self._run(self._pump, connection, broker, None)
        self._pump(broker, connection, limit)

    def _pump(self, source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if limit is not None:
                    data = data[: limit - passed]
                target.sendall(data)
                passed += len(data)
                if limit is not None and passed >= limit:
                    break
        _hang_up(source)
        _hang_up(target)


class Mute(Server):
    """A broker that takes everything and acknowledges nothing; `answer` is its CONNACK."""

    def __init__(self, answer: bytes = _CONNACK_5) -> None:
        self._answer = answer
        self.received = 0
        self._heard = threading.Condition()

    def _treat(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(self._answer)
            while data := connection.recv(65536):
                with self._heard:
                    self.received += data.count(b"/reading")
                    self._heard.notify_all()

    def wait(self, count: int) -> None:
        """Wait until so many readings were published."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.received >= count, DEADLINE_SECONDS)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


Row = Mapping[str, Any]


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """`row(seq, **changes)`: a row as the ledger hands it to a sink."""
    return make_row


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker on a free port."""
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """`mosquitto(*lines)`: a running mosquitto with this configuration."""
    started: list[Mosquitto] = []

    def start(*lines: str) -> Mosquitto:
        find_mosquitto()
        started.append(Mosquitto(tmp_path, lines or ("allow_anonymous true",)))
        return started[-1].start()

    yield start
    for process in started:
        process.stop()
