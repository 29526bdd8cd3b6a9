"""Machines and servers of a plant for tests: a laser marker on TCP, a REST server on HTTP.

Both are real listeners on loopback whose manners a test chooses.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 20.0
FAR_SIDE = "far side"
"""Name of the threads that serve one client each."""


class Marker:
    """A device that is told lines; `answer(line)` gives the pieces to send back, in order.

    None hangs up. It serves one connection at a time, as such devices do, and counts them.
    """

    def __init__(self, answer: Callable[[str], list[bytes] | None] = lambda line: [b"OK\r\n"]):
        self.answer = answer
        self.told: list[str] = []
        self.connections = 0
        self._heard = threading.Condition()
        self._hang_up = threading.Event()
        self._hung_up = threading.Semaphore(0)
        self._stop = threading.Event()

    def __enter__(self) -> Marker:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def hang_up(self) -> None:
        """Close the connection that is open, as devices do after a while."""
        self._hang_up.set()
        assert self._hung_up.acquire(timeout=PATIENCE)

    def wait_for(self, lines: int) -> None:
        """Wait until so many lines were told."""
        with self._heard:
            assert self._heard.wait_for(lambda: len(self.told) >= lines, PATIENCE)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        # A thread that waits in accept or recv is woken by this alone.
        with socket.socket() as last:
            last.connect(("127.0.0.1", self.port))
        self._thread.join(PATIENCE)
        self._listener.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            connection, _ = self._listener.accept()
            with connection:
                if self._stop.is_set():
                    return
                self.connections += 1
                self._listen(connection)
            if self._hang_up.is_set():
                self._hang_up.clear()
                self._hung_up.release()

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(0.05)
        heard = b""
        while not self._stop.is_set():
            try:
                more = connection.recv(4096)
            except TimeoutError:
                if self._hang_up.is_set():
                    return
                continue
            except OSError:
                return
            if not more:
                return
            heard += more
            while b"\n" in heard:
                line, _, heard = heard.partition(b"\n")
                with self._heard:
                    self.told.append(line.decode("latin-1").rstrip("\r"))
                    self._heard.notify_all()
                pieces = self.answer(self.told[-1])
                if pieces is None:
                    return
                for piece in pieces:
                    connection.sendall(piece)


@dataclass(frozen=True)
class Asked:
    """A request that the server got."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """What the server says to a request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class RestServer:
    """A server that keeps what it was asked; `answer(asked)` says what it gets."""

    def __init__(
        self,
        answer: Callable[[Asked], Answer] = lambda asked: Answer(),
        context: ssl.SSLContext | None = None,
    ):
        self.answer = answer
        self.asked: list[Asked] = []
        self._context = context

    def __enter__(self) -> RestServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(self.command, self.path, self.headers, body)
                outer.asked.append(asked)
                answer = outer.answer(asked)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_PUT = do_OPTIONS = _any  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def process_request(self, request: Any, address: Any) -> None:
                work = threading.Thread(
                    target=self.process_request_thread,
                    args=(request, address),
                    name=FAR_SIDE,
                    daemon=True,
                )
                work.start()

            def handle_error(self, *_: object) -> None:
                # A client that refuses this server's certificate is what some tests are about.
                pass

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        if self._context is not None:
            self._server.socket = self._context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if self._context else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/readings"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()
