"""Where the graph runs: one supervised worker process, Dask's threads here, or a Dask cluster.

All three take a graph and give a `concurrent.futures.Future`. Only a worker process survives
native code: a segfault, a leak over the memory limit or a hang ends one worker, and the pictures
that it held come back as `WorkerLostError`, to be retried alone. Everything listens on loopback,
and only who holds this run's certificate is let in.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self
from urllib.parse import urlsplit

import structlog

from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, LogOptions
from flows.configuration.tls import dask_security, unanswered
from flows.engines import unload, warm
from stages.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client

BYTES_PER_MB = 1 << 20
MEMORY_SHARE = 0.75
NOTICE_SECONDS = 10.0
REACH_SECONDS = 5.0
NOTICE_POLL_SECONDS = 0.02
# A picture's buffers are megabytes: with Dask's own setting (64 KiB) glibc maps and unmaps each of
# them, and the kernel clears every page anew. So it keeps this much at hand instead (mallopt(3)).
MALLOC = {"MALLOC_MMAP_THRESHOLD_": 16 << 20, "MALLOC_TRIM_THRESHOLD_": 64 << 20}


class WorkerLostError(Exception):
    """The worker died or was restarted while it held this chunk."""


class ClusterAwayError(PluginError):
    """The Dask cluster cannot be reached now, or lost this chunk: no picture is to blame."""


class Cluster(Protocol):
    """A place to run graphs."""

    slots: int
    """How many chunks are worked on at the same time."""

    isolated: ClassVar[bool]
    """Whether the graph runs in another process than the flow, which outlives its crashes."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        """Load the engines where the graph will run, so that the first picture does not wait.

        Raises:
            ClusterAwayError: try again later; `renew` too raises it.
            PluginError: an engine cannot be loaded.
        """
        ...

    def submit(self, graph: Delayed) -> Future[Any]:
        """Start a graph; the future fails with `WorkerLostError` if its worker dies.

        It fails with `ClusterAwayError` where the whole cluster is lost.
        """
        ...

    def restart(self) -> None:
        """Kill what is running and start anew; every open future fails with `WorkerLostError`."""
        ...

    def renew(self) -> None:
        """Load the engines anew, with nothing in flight: one may be broken by what it read."""
        ...


def cluster(options: ClusterOptions, log: LogOptions, root: Path = Path()) -> Cluster:
    """The place that the options name; what its workers log is written as `log` says.

    The files of `cluster.tls` are relative to `root`.
    """
    if options.address is not None:
        return DaskCluster(options, log, root)
    if options.scheduler == "threads":
        return DaskThreads(options)
    return SupervisedWorker(options, log)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class DaskThreads:
    """Dask's threaded scheduler in this process: the least overhead, and no protection."""

    isolated = False

    def __init__(self, options: ClusterOptions) -> None:
        self.slots = options.threads or cores()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self.slots, thread_name_prefix="stage")
        self._waiters = ThreadPoolExecutor(self.slots, thread_name_prefix="chunk")
        self._hung = False
        return self

    def __exit__(self, *_: object) -> None:
        self._waiters.shutdown(wait=not self._hung, cancel_futures=True)
        self._pool.shutdown(wait=not self._hung, cancel_futures=True)
        if not self._hung:
            unload()

    def renew(self) -> None:
        unload()

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        return self._pool.submit(warm, engines).result()

    def submit(self, graph: Delayed) -> Future[Any]:
        return self._waiters.submit(graph.compute, scheduler="threads", pool=self._pool)

    def restart(self) -> None:
        # A thread cannot be killed; the deadline of a hung engine is told, not enforced.
        self._hung = True
        structlog.get_logger("markwatch.cluster").error(
            "a picture is over its deadline, and threads cannot be stopped: use scheduler: worker"
        )


class DaskCluster:
    """A Dask cluster that somebody else runs; its workers need this project's two packages."""

    isolated = True

    def __init__(self, options: ClusterOptions, log: LogOptions, root: Path = Path()) -> None:
        self._options = options
        self._root = root
        self._log_options = log
        self._log = structlog.get_logger("markwatch.cluster")
        self.slots = 1
        self._open: dict[Any, Future[Any]] = {}
        self._forgotten = False

    def __enter__(self) -> Self:
        _quiet()
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
        from flows.worker_log import WorkerLog

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

    def submit(self, graph: Delayed) -> Future[Any]:
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
            self._log.warning("worker lost", error=str(error))
            result.set_exception(
                WorkerLostError("it crashed, or went over cluster.memory_limit_mb")
            )
        except Exception as error:
            # What a task raises comes back as its own class: hand it on, whatever it is.
            result.set_exception(error)

    def _lost(self) -> Exception:
        """What it means when nobody here cancelled a task: its scheduler died or was restarted."""
        self._forgotten = True
        address = self._options.address
        return ClusterAwayError(f"the connection to the Dask scheduler at {address} was lost")

    def restart(self) -> None:
        lost, self._open = self._open, {}
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
        try:
            self._reach().run(unload)
        except OSError as error:
            raise self._lost() from error


class SupervisedWorker(DaskCluster):
    """A `LocalCluster` of one process on loopback, watched by Dask's nanny."""

    def __enter__(self) -> Self:
        _quiet()
        import dask
        from distributed import Client, LocalCluster, Security

        options = self._options
        # One death is one lost attempt: the ledger counts them, not the scheduler.
        dask.config.set({"distributed.scheduler.allowed-failures": 0})
        # So long after a death, `LocalCluster` closes the nanny for good if its worker is starting
        # anew just then: a second death 15 s after a first one left no worker for ever.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "365 days"})
        dask.config.set({f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in MALLOC.items()})
        if options.dashboard_port is None:
            # Its other pages show logs and call stacks to every account of this machine.
            for role in ("scheduler", "worker"):
                dask.config.set({f"distributed.{role}.http.routes": ["distributed.http.health"]})
        try:
            with _signals_held():
                self._cluster = LocalCluster(
                    n_workers=1,
                    threads_per_worker=options.threads or cores(),
                    processes=True,
                    host="127.0.0.1",
                    # Loopback keeps out other machines; a certificate that lives in memory keeps
                    # out this machine's other accounts, whose pickles would run as this one.
                    security=Security.temporary(),
                    memory_limit=(options.memory_limit_mb or _memory_mb()) * BYTES_PER_MB,
                    # Without a port of its own, distributed would serve its pages on 8787.
                    dashboard_address=f"127.0.0.1:{options.dashboard_port or 0}",
                    scheduler_kwargs={"dashboard": options.dashboard_port is not None},
                    silence_logs="CRITICAL",
                )
                self._client = Client(self._cluster, timeout=options.start_seconds)
        except RuntimeError as error:
            # So does Dask's nanny call a worker that died before it could say that it is there.
            raise PluginError(
                f"the worker process did not start ({error}); free some memory and start again"
            ) from error
        try:
            self._prepare()
        except OSError as error:
            self.__exit__(None, None, None)
            raise PluginError(f"the worker process did not stay ({error}); start again") from error
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._cluster.close(timeout=10)

    def restart(self) -> None:
        """Kill the worker outright: a hang in native code answers no polite request."""
        import psutil

        lost, self._open = self._open, {}
        dead = set(self._client.nthreads())
        for worker in self._cluster.workers.values():
            pid = worker.pid
            if pid is not None and psutil.pid_exists(pid):
                psutil.Process(pid).kill()
        # Until the scheduler has noticed, it would hand the next chunk to the worker that is gone.
        end = time.monotonic() + NOTICE_SECONDS
        while dead & set(self._client.nthreads()) and time.monotonic() < end:
            time.sleep(NOTICE_POLL_SECONDS)
        for dask_future, result in lost.items():
            dask_future.cancel()
            result.set_exception(WorkerLostError("restarted after a deadline"))

    def renew(self) -> None:
        self.restart()

    def _reach(self) -> Client:
        # Its scheduler lives in this process.
        return self._client

    def _lost(self) -> Exception:
        return WorkerLostError("its task was cancelled")


@contextmanager
def _signals_held() -> Iterator[None]:
    """Start processes that never see Ctrl-C or a service manager's stop; the flow sees them after.

    Both are sent to the whole process group, and it is the flow that says when the worker ends. A
    blocked signal stays blocked in the threads and processes that begin here, those that replace a
    dead worker included.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Its start would unblock them again (`multiprocessing/resource_tracker.py`).
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _quiet() -> None:
    """Keep distributed from setting up loggers of its own, which it does when it is imported.

    What matters to a person (a worker that died, a deadline) is logged here, as one line.
    """
    import dask

    dask.config.set({"logging.distributed": "critical"})


def _memory_mb() -> int:
    import psutil

    return int(psutil.virtual_memory().total * MEMORY_SHARE) // BYTES_PER_MB
