"""A real `markwatch watch` that serves on free ports of loopback, with the scripted recogniser."""

from __future__ import annotations

import base64
import io
import json
import re
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import urllib3
from PIL import Image
from plants import Plant

DEADLINE = 60.0
SITE = """
station: st
cluster: {scheduler: threads, threads: 2}
recogniser: {use: scripted}
sinks: {mqtt: null, parquet: null}
sources: {folder: {rescan_seconds: 1}}
intake: {settle_seconds: 1}
serve:
  enabled: true
  port: 0
  SERVE
  trigger: {enabled: true, port: 0, wait_seconds: 20, idle_seconds: 4, max_line_bytes: 64, TRIGGER}
"""
RECIPE = "fields: [{detect: {use: everything}}]\n"


def png(level: int, *, size: tuple[int, int] = (64, 32)) -> bytes:
    """A picture that the scripted recogniser reads as `G<level>`."""
    pixels = np.full((size[1], size[0]), 128, np.uint8)
    pixels[0, 0] = level
    pixels[-4:, -4:] = 255
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Station:
    """The running station and how to speak to it."""

    plant: Plant
    token: str | None = None
    pool: urllib3.HTTPConnectionPool = field(init=False)

    def __post_init__(self) -> None:
        url = self.plant.wait_for("serving")["url"]
        self.port = int(re.search(r":(\d+)/", url)[1])
        self.trigger_port = self.plant.wait_for("trigger listens")["port"]
        self.pool = urllib3.HTTPConnectionPool("127.0.0.1", self.port, timeout=DEADLINE, maxsize=8)
        self.plant.wait_until(lambda: self.get("/readyz").status == 200, "ready")

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        answer = self.pool.request(method, path, headers=headers, retries=False, **options)
        return Answer(answer.status, answer.headers, answer.data)

    def get(self, path: str, **options: Any) -> Answer:
        return self.ask("GET", path, **options)

    def post(self, **body: Any) -> Answer:
        query = "?wait=true" if body.pop("wait", False) else ""
        return self.ask("POST", f"/v1/images{query}", json=body)

    def raw(self, address: str = "127.0.0.1") -> socket.socket:
        """A connection from this address of loopback."""
        return self._connect(self.port, address)

    def trigger(self, address: str = "127.0.0.1") -> Line:
        return Line(self._connect(self.trigger_port, address))

    @staticmethod
    def _connect(port: int, address: str) -> socket.socket:
        return socket.create_connection(
            ("127.0.0.1", port), timeout=DEADLINE, source_address=(address, 0)
        )


class Line:
    """One connection to the trigger."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._file = connected.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> str:
        return self._file.readline().decode()

    def say(self, text: str) -> str:
        self.send(text.encode() + b"\r\n")
        return self.hear().rstrip("\r\n")


def launch(folder, serve: str = "", trigger: str = "", **environment: str) -> Plant:
    plant = Plant(folder)
    site = SITE.replace("SERVE", serve).replace(", TRIGGER", f", {trigger}" if trigger else "")
    plant.configure(site, recipe=RECIPE)
    (plant.layout.recipes / "press-3.yaml").write_text(RECIPE)
    plant.start(**environment)
    return plant


def end(plant: Plant) -> None:
    if plant.process is not None:
        plant.kill()


def received(connected: socket.socket, until: bytes | None = None) -> bytes:
    """What comes until the far side closes, or until these bytes were seen."""
    got = b""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            chunk = connected.recv(65536)
        except ConnectionResetError:
            break
        if not chunk:
            break
        got += chunk
        if until is not None and until in got:
            break
    return got
