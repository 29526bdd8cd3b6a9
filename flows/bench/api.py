"""The HTTP API beside a bare FastAPI route, in one run: requests a second, and how long they take.

    python -m flows.bench.api

`markwatch watch` and a bare application are processes of their own, both with uvicorn and its h11.
The client takes turns between them, on connections that stay open. What the API adds to the bare
route is its guard (host, origin, rate, size), and what the route does: the sums of the ledger, a
page of readings, or a picture that is on the inbox's disk before it is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from flows.commands import site
from flows.configuration.settings import Layout

ROUNDS = 9
REQUESTS = 200
CONNECTIONS = 8
SEEDED = 200
WAIT_SECONDS = 120.0
BARE = "bare GET"
BARE_POST = "bare POST"

_SITE = """
station: bench
recogniser: {use: trocr, opinion: null}
sinks: {mqtt: null, parquet: null}
silence: {learned: false}
serve: {enabled: true, port: 0, requests_per_second: 1000000, max_connections_per_address: 100}
"""
# A blank picture: what is measured is taking it in, not reading it.
_RECIPE = "fields: [{detect: {use: contours}}]\n"
_BARE = """
import uvicorn
from fastapi import FastAPI, Request, Response
app = FastAPI(openapi_url=None)
@app.get("/")
async def bare() -> Response:
    return Response("ok\\n", media_type="text/plain")
@app.post("/")
async def take(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)
class Told(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)
Told(uvicorn.Config(app, http="h11", port=0, log_level="error", access_log=False)).run()
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked, of which port, and what it is held against."""

    name: str
    port: int
    request: bytes
    status: int
    peer: str


@dataclass(slots=True)
class Measured:
    """Milliseconds of every request of a target, and the seconds that each of its turns took."""

    milliseconds: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests a second in the median turn: a burst of other work counts little."""
        return len(self.milliseconds) / len(self.turns) / statistics.median(self.turns)

    def percentile(self, share: float) -> float:
        """The time that so large a share of the requests does not exceed."""
        return sorted(self.milliseconds)[round(share * (len(self.milliseconds) - 1))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="The HTTP API beside a bare FastAPI route.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns that each route has")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="requests in a turn")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help="kept open at a time")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, _bare() as bare, _station(folder) as station:
        found = measure(targets(bare, station), given.rounds, given.requests, given.connections)
    Console().print(table(found, targets(bare, station), given.connections))
    return 0


def targets(bare: int, station: int) -> list[Target]:
    """The routes, by the ports of the bare application and the station."""
    picture = _picture()
    form = b"--b\r\nContent-Disposition: form-data; name=camera\r\n\r\nbench\r\n--b\r\n"
    form += b"Content-Disposition: form-data; name=image; filename=part.png\r\n\r\n"
    form += picture + b"\r\n--b--\r\n"
    kind = "multipart/form-data; boundary=b"
    return [
        Target(BARE, bare, request("GET", "/"), 200, BARE),
        Target("GET /healthz", station, request("GET", "/healthz"), 200, BARE),
        Target("GET /v1/status", station, request("GET", "/v1/status"), 200, BARE),
        Target("GET /v1/readings", station, request("GET", "/v1/readings"), 200, BARE),
        Target("GET /metrics", station, request("GET", "/metrics"), 200, BARE),
        Target(BARE_POST, bare, request("POST", "/", form, kind), 202, BARE_POST),
        Target(
            "POST /v1/images", station, request("POST", "/v1/images", form, kind), 202, BARE_POST
        ),
    ]


def request(method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def measure(
    asked: Sequence[Target], rounds: int, requests: int, connections: int
) -> dict[str, Measured]:
    """Ask each target in turn; a first round, which finds cold caches, is not counted.

    Raises:
        RuntimeError: an answer has another status than it should.
    """
    found = {target.name: Measured() for target in asked}
    for number in range(rounds + 1):
        for target in asked:
            begun = time.perf_counter()
            delays = asyncio.run(_turn(target, max(1, requests // connections), connections))
            if number:
                found[target.name].turns.append(time.perf_counter() - begun)
                found[target.name].milliseconds += delays
            if target.request.startswith(b"POST /v1"):
                # What was taken in is read before the next has its turn.
                _until_read(target.port)
    return found


async def _turn(target: Target, requests: int, connections: int) -> list[float]:
    each = [_ask(target, requests) for _ in range(connections)]
    return [delay for delays in await asyncio.gather(*each) for delay in delays]


async def _ask(target: Target, requests: int) -> list[float]:
    """Milliseconds of so many requests, one after the other on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    delays = []
    try:
        for _ in range(requests):
            begun = time.perf_counter()
            writer.write(target.request)
            status, _ = await _answer(reader)
            delays.append((time.perf_counter() - begun) * 1000)
            if status != target.status:
                raise RuntimeError(f"{target.name} answered {status}, not {target.status}")
    finally:
        writer.close()
    return delays


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = dict(line.partition(": ")[::2] for line in head.splitlines()[1:] if line)
    return int(head.split()[1]), await reader.readexactly(int(lines.get("content-length", 0)))


def table(found: dict[str, Measured], asked: Sequence[Target], connections: int) -> Table:
    """The figures, a line for each target."""
    made = Table(title=f"{connections} connections, {os.cpu_count()} cores shared with the client")
    for name in ("route", "requests/s", "of bare", "p50 ms", "p99 ms", "requests"):
        made.add_column(name, justify="left" if name == "route" else "right")
    for target in asked:
        one, peer = found[target.name], found[target.peer]
        made.add_row(
            target.name,
            f"{one.per_second:.0f}",
            f"{one.per_second / peer.per_second:.2f}",
            f"{statistics.median(one.milliseconds):.2f}",
            f"{one.percentile(0.99):.2f}",
            str(len(one.milliseconds)),
        )
    return made


@contextlib.contextmanager
def _bare() -> Iterator[int]:
    """A bare application on a port of its own."""
    process = subprocess.Popen([sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(WAIT_SECONDS)
        process.stdout.close()


@contextlib.contextmanager
def _station(folder: str) -> Iterator[int]:
    """A station that serves and has read a few pages of pictures; its port."""
    root = Path(folder, "root")
    site.init(root)
    layout = Layout(root)
    (layout.conf / "markwatch.yaml").write_text(_SITE)
    (layout.recipes / "default.yaml").write_text(_RECIPE)
    inbox = root / "data" / "inbox" / "bench"
    inbox.mkdir(parents=True)
    for number in range(SEEDED):
        (inbox / f"{number:04d}.png").write_bytes(_picture())
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKWATCH")}
    command = [sys.executable, "-c", "from flows.cli import main; main()", "watch", "--root"]
    with (root / "watch.log").open("w+") as log:
        process = subprocess.Popen([*command, str(root)], env=clean, stdout=log, stderr=log)
        try:
            port = _port(process, root / "watch.log")
            _until_read(port, SEEDED)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(WAIT_SECONDS)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            if '"event": "serving"' in line:
                return int(json.loads(line)["url"].rstrip("/").rpartition(":")[2])
        time.sleep(0.1)
    raise RuntimeError(f"the station does not serve:\n{log.read_text()[-2000:]}")


def _until_read(port: int, least: int = 0) -> None:
    """Wait until nothing is in work or on its way in."""

    async def figures() -> dict[str, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request("GET", "/v1/status"))
        _, body = await _answer(reader)
        writer.close()
        images: dict[str, int] = json.loads(body).get("images", {})
        return images

    end, before = time.monotonic() + WAIT_SECONDS, -1
    while time.monotonic() < end:
        found = asyncio.run(figures())
        if found["seen"] == before == found["reported"] >= least:
            return
        before = found["seen"]
        # Longer than a picture takes from the inbox's disk to its claim, and than figures are kept.
        time.sleep(1.5)
    raise RuntimeError(f"the station does not read what it took in: {found}")


def _picture() -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.full((240, 320), 128, np.uint8)).save(written, "PNG")
    return written.getvalue()


if __name__ == "__main__":
    sys.exit(main())
