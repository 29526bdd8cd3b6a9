"""The broker, or the network before it, goes away and comes back again and again.

Two in three times the connections are cut while the broker lives on; else the broker restarts.
After each the retained status must be right again, there must never be a second connection, and
attempts must stay few. A subscriber with a session of its own must hear every row, some twice.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

from brokers import Mosquitto, Subscriber
from faults.account import account
from faults.dripping import Drip
from faults.gate import Figures, Gate, Trial
from faults.hearing import heard_ids, mosquitto, readings
from faults.pictures import RECIPE, SITE
from faults.progress import pending, wait_on
from plants import Plant

FLAPS = 200
EVERY_SECONDS = 3.0
AWAY_SECONDS = (0.0, 1.0)
RECONNECT_SECONDS = 2.0
"""The longest pause between attempts, as a site with such a network would set it."""

RIGHT_SECONDS = RECONNECT_SECONDS + 3.0
ATTEMPTS_A_FLAP = 3.0
PER_SECOND = 4.0
CAMERAS = 2
CHUNK_BYTES = 1 << 16
STATUS = "markwatch/_station/station-1/status"


def flaps(trial: Trial) -> Figures:
    """Flap, wait until all is right again, and so on; then count."""
    count = trial.of(FLAPS, 3)
    kept = (f"persistence true\npersistence_location {trial.folder}/", "autosave_interval 0")
    with mosquitto(trial.folder, kept) as broker, Relay(broker.start().port) as relay:
        address = f"{{host: 127.0.0.1, port: {relay.port}, reconnect_max_seconds: 2}}"
        site = SITE.replace("mqtt: null", f"mqtt: {address}")
        plant = trial.plant("plant", f"delivery: {{max_backoff_seconds: 1}}\n{site}", RECIPE)
        with Subscriber(broker.port, session_seconds=3600) as subscriber:
            plant.start()
            plant.wait_until(lambda: _state(subscriber) == "online", "the first connection")
            with Drip(plant, PER_SECOND, CAMERAS) as drip:
                slowest = max(_flap(trial, plant, broker, relay, subscriber) for _ in range(count))
            attempts = relay.attempts
            wait_on(plant, lambda: plant.reported() == len(drip.dropped), "the last pictures")
            wait_on(plant, lambda: not pending(plant, "mqtt"), "the last messages")
            ids = set(plant.ledger_ids())
            wait_on(plant, lambda: ids <= heard_ids(subscriber.messages), "hearing every row")
            heard = readings(subscriber.messages)
            trial.expect(plant.stop() == 0, f"it ended badly: {plant.log[-3:]}")
            plant.wait_until(lambda: _state(subscriber) == "stopped", "the farewell")
        account(plant, drip.dropped).done()
        trial.expect(relay.most == 1, f"{relay.most} connections at one time")
        trial.expect(
            attempts <= ATTEMPTS_A_FLAP * count + 1, f"{attempts} attempts in {count} flaps"
        )
    return Figures(
        size=f"{count} flaps, {len(ids)} readings",
        measured={
            "lost": 0,
            "repeats, same id": len(heard) - len(ids),
            "most connections at once": relay.most,
            "attempts a flap": attempts / count,
            "status right again after at most s": slowest,
        },
    )


GATE = Gate(3, "broker flaps", flaps)


def _flap(
    trial: Trial, plant: Plant, broker: Mosquitto, relay: Relay, subscriber: Subscriber
) -> float:
    """One flap; seconds from the network's return to the right status."""
    began = time.monotonic()
    told = len(subscriber.messages)
    away = trial.chance.uniform(*AWAY_SECONDS)
    with relay.cut():
        if trial.chance.random() < 1 / 3:
            broker.stop()
            threading.Event().wait(away)
            broker.start()
        else:
            threading.Event().wait(away)
    back = time.monotonic()
    plant.wait_until(lambda: _state(subscriber, told) == "online", "the status after a flap")
    took = time.monotonic() - back
    trial.expect_in_time(took <= RIGHT_SECONDS, f"{took:.1f} s until the status was right again")
    threading.Event().wait(max(0.0, began + EVERY_SECONDS * bool(trial.scale) - time.monotonic()))
    return took


def _state(subscriber: Subscriber, after: int = 0) -> str | None:
    """What the station's status said last, among the messages from a number on."""
    found = [one for one in subscriber.messages[after:] if one.topic == STATUS]
    return json.loads(found[-1].payload)["state"] if found else None


class Relay:
    """A TCP relay before the broker that counts connections and can be cut; it listens always."""

    def __init__(self, port: int) -> None:
        self._broker = port
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._through = True
        self._living = 0
        self.attempts = self.most = 0

    def __enter__(self) -> Relay:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()
        for thread in self._threads:
            thread.join()

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Break all connections, and each new one as long as the block lasts."""
        self._through = False
        self._hang_up()
        yield
        self._through = True

    def _run(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts += 1
            self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if not self._through:
                return
            with socket.create_connection(("127.0.0.1", self._broker)) as broker:
                with self._guard:
                    self._open |= {client, broker}
                    self._living += 1
                    self.most = max(self.most, self._living)
                try:
                    self._run(_pump, broker, client)
                    _pump(client, broker)
                finally:
                    with self._guard:
                        self._open -= {client, broker}
                        self._living -= 1

    def _hang_up(self) -> None:
        with self._guard:
            for one in self._open:
                _shut(one)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
