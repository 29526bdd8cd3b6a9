"""The serving thread: the HTTP API and the trigger on one event loop, beside the flow.

It starts before the models are loaded, so that `/readyz` can say so, and ends when the flow has
finished, so that who waits gets what was still read. The flow only ever tells it things.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import structlog

from flows.clocks import Clocks
from flows.configuration.credentials import secret_of
from flows.configuration.settings import Layout, Settings
from flows.ledger.log import Ledger
from flows.serve.health import Health
from flows.serve.options import LEAST_TOKEN_CHARACTERS, ServeOptions
from stages.errors import ConfigError

if TYPE_CHECKING:
    import uvicorn

THREADS = 12
STOP_SECONDS = 5
KEEP_ALIVE_SECONDS = 15
BACKLOG = 256


class Serving:
    """A context manager that serves for as long as it is open; does nothing where it is off."""

    def __init__(
        self, layout: Layout, settings: Settings, ledger: Ledger, clocks: Clocks, *, on: bool = True
    ) -> None:
        options = settings.serve
        self._options = options
        self._settings = settings
        self._clocks = clocks
        self._layout = layout
        self._station = settings.station
        self._on = on and (options.enabled or options.trigger.enabled)
        self._health = Health(
            clocks.tick, settings.cluster.start_seconds + settings.cluster.deadline_seconds
        )
        self._log = structlog.get_logger("markwatch.serve")
        self._started = threading.Event()
        self._refusal: ConfigError | None = None
        self.port: int | None = None
        self.trigger_port: int | None = None
        if not self._on:
            return
        from flows.serve.desk import Desk
        from flows.serve.editor.workshop import Workshop
        from flows.serve.machine import Machine
        from flows.serve.meters import Meters
        from flows.serve.shelf import Shelf

        self._desk = Desk(layout, settings)
        self._workshop = Workshop(layout, settings, self._desk, ledger.snapshot)
        self._shelf = Shelf(layout, ledger.snapshot, clocks)
        certificate = options.cert_file and Path(layout.root, options.cert_file)
        machine = Machine(layout, certificate or None)
        self._meters = Meters(settings.station, self._shelf, self._health, machine)

    def __enter__(self) -> Self:
        """Listen, and begin to serve.

        Raises:
            ConfigError: an address is taken, or the token or a certificate cannot be read.
        """
        if not self._on:
            return self
        self._listener = self._listen() if self._options.enabled else None
        self._thread = threading.Thread(target=self._run, name="serve", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._refusal is not None:
            self._thread.join()
            raise self._refusal
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._on:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._end)
            self._thread.join(2 * STOP_SECONDS)

    # what the flow tells

    def turn(self, scanned_at: Mapping[str, float], *, complete: bool, chunks_lost: int) -> None:
        """The flow's loop makes a turn."""
        self._health.turn(scanned_at, complete=complete, chunks_lost=chunks_lost)

    def committed(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """These rows were committed."""
        if self._on:
            self._desk.reports.committed(rows)
            self._meters.committed(rows)

    def drain(self) -> None:
        """The flow takes no more pictures."""
        self._health.drain()
        if self._on:
            self._desk.draining = True

    @property
    def trouble(self) -> str | None:
        """Why nothing is served though it should be; None otherwise."""
        if not self._on or self._thread.is_alive():
            return None
        return "its thread ended: see the log, and restart `markwatch watch`"

    # the thread

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except ConfigError as error:
            self._refusal = error
        finally:
            if self._listener is not None:
                self._listener.close()
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(THREADS, "serve"))
        self._desk.open(self._loop)
        self._ending = asyncio.Event()
        self._server: uvicorn.Server | None = None
        trigger = None
        if self._options.trigger.enabled:
            from flows.serve.trigger import Trigger

            trigger = Trigger(
                self._options.trigger, self._station, self._desk, self._shelf, self._health
            )
            self.trigger_port = await trigger.open()
            host = self._options.trigger.host
            self._log.info("trigger listens", host=host, port=self.trigger_port)
        if self._listener is not None:
            self._server = self._http()
            self.port = self._listener.getsockname()[1]
            kind = "https" if self._options.cert_file else "http"
            self._log.info("serving", url=f"{kind}://{_place(self._options.host, self.port)}/")
            self._started.set()
            await self._server.serve([self._listener])
        else:
            self._started.set()
            await self._ending.wait()
        if trigger is not None:
            await trigger.close()
        await asyncio.to_thread(self._workshop.close)

    def _end(self) -> None:
        self._desk.reports.close()
        # Who waits for a preview is told now, or the server would wait for it.
        self._loop.run_in_executor(None, self._workshop.close)
        self._ending.set()
        if self._server is not None:
            self._server.should_exit = True

    def _http(self) -> uvicorn.Server:
        import uvicorn

        from flows.serve.api import application
        from flows.serve.patience import impatient

        options = self._options
        app = application(
            self._layout,
            self._settings,
            self._clocks,
            _token(self._options, self._layout),
            self._desk,
            self._shelf,
            self._health,
            self._meters,
            self._workshop,
        )
        config = uvicorn.Config(
            app,
            http=impatient(options),
            ws="none",
            lifespan="off",
            log_config=None,
            # Below that it tells of every request that is no HTTP: anybody could fill the log.
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        config.load()
        config.ssl = _certificate(self._options, self._layout)
        return uvicorn.Server(config)

    def _listen(self) -> socket.socket:
        host, port = self._options.host, self._options.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            raise ConfigError(
                f"serve: cannot listen on {_place(host, port)} ({error.strerror or error}): choose "
                "another port or host"
            ) from error


def probe(layout: Layout, settings: Settings) -> str:
    """What would be served, and where; proves the token, the certificate and the inbox.

    Raises:
        ConfigError: one of them cannot be used.
    """
    from flows.serve.desk import Desk

    options = settings.serve
    Desk(layout, settings)
    told = []
    if options.enabled:
        token = _token(options, layout)
        kind = "https" if _certificate(options, layout) else "http"
        word = "with a token" if token else "without a token"
        told.append(f"{kind}://{_place(options.host, options.port)}/ {word}")
    if options.trigger.enabled:
        told.append(f"trigger {_place(options.trigger.host, options.trigger.port)}")
    return ", ".join(told)


def _token(options: ServeOptions, layout: Layout) -> str | None:
    token = secret_of(options.token, options.token_file, layout.root, "serve.token_file")
    if token is not None and len(token) < LEAST_TOKEN_CHARACTERS:
        raise ConfigError(
            f"serve.token is shorter than {LEAST_TOKEN_CHARACTERS} characters: make one with "
            "`python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        )
    return token


def _certificate(options: ServeOptions, layout: Layout) -> ssl.SSLContext | None:
    if options.cert_file is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert = Path(layout.root, options.cert_file)
    key = Path(layout.root, options.key_file or options.cert_file)
    try:
        # A password would be asked for at the terminal; an empty one opens no encrypted key.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"serve.cert_file {cert} and its key cannot be used ({error}): name a certificate "
            "and its own private key in PEM, not encrypted"
        ) from error
    return context


def _place(host: str, port: int | None) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
