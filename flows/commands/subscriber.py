"""A SCADA client in small: subscribes to every reading of a broker, for the demo and the benchmark.

It does what the README asks of a subscriber: drop repeats by `id`.
"""

from __future__ import annotations

import threading
from typing import Any

from flows import vocabulary

READINGS = ("reading", "late", "failed")


class Subscriber:
    """Subscribes to `markwatch/#` on loopback for as long as its block lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._guard = threading.Lock()
        self._rows: dict[str, vocabulary.Row] = {}
        self.online = threading.Event()

    def __enter__(self) -> Subscriber:
        import paho.mqtt.client as mqtt

        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="demo-scada")
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("markwatch/#", qos=1)
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        topic, payload = message.topic, message.payload.decode()
        if topic.endswith("/status") and '"online"' in payload:
            self.online.set()
        elif topic.rsplit("/", 1)[1] in READINGS:
            row = vocabulary.from_json(payload)
            with self._guard:
                self._rows.setdefault(row["id"], row)

    def rows(self) -> dict[str, vocabulary.Row]:
        """The readings heard so far, by `id`."""
        with self._guard:
            return dict(self._rows)
