"""A Dask cluster that somebody else runs: reached, lost, and found again."""

from __future__ import annotations

import socket
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import structlog

from flows.cluster.place import ClusterAwayError, WorkerLostError
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, LogOptions
from flows.configuration.tls import dask_security, unanswered
from flows.engines import unload, warm
from stages.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client

REACH_SECONDS = 5.0


class DaskCluster:
    """A Dask cluster that somebody else runs; its workers need this project's two packages."""

    isolated = True
    apart = False
    life: int | None = None

    def __init__(self, options: ClusterOptions, log: LogOptions, root: Path = Path()) -> None:
        self._options = options
        self._root = root
        self._log_options = log
        self._log = structlog.get_logger("markwatch.cluster")
        self.slots = 1
        self._open: dict[Any, Future[Any]] = {}
        self._forgotten = False
        self._cold = False

    def __enter__(self) -> Self:
        quiet()
        try:
            self._client = self._connect(self._options.start_seconds)
        except OSError as error:
            raise ConfigError(unanswered(str(self._options.address), error)) from error
        self._prepare()
        return self

    def _connect(self, seconds: float) -> Client:
        from distributed import Client

        options = self._options
        security = dask_security(options.tls, self._root) if options.tls else None
        return Client(options.address, timeout=seconds, security=security)

    def _reach(self) -> Client:
        """The client; a new one where the scheduler was lost, which gives up or knows no plug-in.

        Raises:
            ClusterAwayError: the scheduler does not answer, or has no workers.
        """
        if self._client.status == "running" and not self._forgotten:
            return self._client
        self._forgotten = True
        address = str(self._options.address)
        place = urlsplit(address)
        try:
            # A Dask client that finds nobody leaves a thread and open files behind.
            socket.create_connection((place.hostname, place.port), REACH_SECONDS).close()
            self._client.close(timeout=REACH_SECONDS)
            self._client = self._connect(REACH_SECONDS)
            self._prepare()
            has_workers = bool(self._client.nthreads())
        except OSError as error:
            raise ClusterAwayError(unanswered(address, error)) from error
        if not has_workers:
            raise ClusterAwayError(f"the Dask scheduler at {address} has no workers: start one")
        self._forgotten = False
        self._log.info("the Dask cluster is there again", slots=self.slots)
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=5)

    def _prepare(self) -> None:
        from flows.cluster.worker_log import WorkerLog

        self._client.register_plugin(WorkerLog(self._log_options))
        self.slots = max(1, sum(self._client.nthreads().values()))

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        return self._call(warm, engines)

    def _call(self, function: Any, *arguments: Any) -> Any:
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        future = self._reach().submit(function, *arguments, pure=False)
        try:
            return future.result(timeout=self._options.start_seconds)
        except FutureCancelledError as error:
            raise self._lost() from error
        except KilledWorker as error:
            raise PluginError(
                "the worker died while it loaded its models: too little memory, or a broken "
                "engine; see the log, and cluster.memory_limit_mb"
            ) from error
        except TimeoutError as error:
            raise (PluginError if self._options.address is None else ClusterAwayError)(
                f"the worker was not ready within {self._options.start_seconds:g} s; "
                "raise cluster.start_seconds"
            ) from error

    def tend(self, engines: tuple[Engine, ...]) -> None:
        pass

    def ready(
        self, engines: tuple[Engine, ...], *, alone: bool = False, anew: bool = False
    ) -> bool:
        if anew:
            self.renew()
        if anew or self._cold:
            self.warm(engines)
            self._cold = False
        return True

    def submit(self, graph: Delayed, *, pictures: int = 1, alone: bool = False) -> Future[Any]:
        result: Future[Any] = Future()
        try:
            dask_future = self._reach().compute(graph)
        except ClusterAwayError as error:
            result.set_exception(error)
            return result
        self._open[dask_future] = result
        dask_future.add_done_callback(self._finish)
        return result

    def _finish(self, dask_future: Any) -> None:
        result = self._open.pop(dask_future, None)
        if result is None:
            return
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            result.set_result(dask_future.result())
        except FutureCancelledError:
            result.set_exception(self._lost())
        except KilledWorker as error:
            self._cold = True
            self._log.warning("worker lost", error=str(error))
            result.set_exception(
                WorkerLostError("it crashed, or went over cluster.memory_limit_mb")
            )
        except Exception as error:
            # What a task raises comes back as its own class: hand it on, whatever it is.
            result.set_exception(error)

    def _lost(self) -> Exception:
        """What it means when nobody here cancelled a task: its scheduler died or was restarted."""
        self._forgotten = self._cold = True
        address = self._options.address
        return ClusterAwayError(f"the connection to the Dask scheduler at {address} was lost")

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        lost, self._open = self._open, {}
        self._cold = True
        why: Exception = WorkerLostError("restarted after a deadline")
        try:
            client = self._reach()
            if not client.nthreads():
                # Nobody worked on them.
                why = self._lost()
            client.restart(timeout=self._options.start_seconds, wait_for_workers=False)
        except (ClusterAwayError, OSError) as error:
            self._log.warning("cannot restart the workers", error=str(error))
            why = self._lost()
        for result in lost.values():
            result.set_exception(why)

    def renew(self) -> None:
        """Unload the engines, with nothing in flight.

        Raises:
            ClusterAwayError: try again later.
        """
        try:
            self._reach().run(unload)
        except OSError as error:
            raise self._lost() from error


def quiet() -> None:
    """Keep distributed from setting up loggers of its own, which it does when it is imported.

    What matters to a person (a worker that died, a deadline) is logged here, as one line.
    """
    import dask

    dask.config.set({"logging.distributed": "critical"})
