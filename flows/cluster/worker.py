"""One worker process on loopback, watched by Dask's nanny, which starts it again when it dies.

Only who holds this run's certificate is let in.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, Self

from flows.cluster.dask_place import DaskPlace, quiet
from flows.cluster.place import NotBegunError, WorkerLostError, cores
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import PluginError

BYTES_PER_MB = 1 << 20
MEMORY_SHARE = 0.75
NOTICE_SECONDS = 10.0
NOTICE_POLL_SECONDS = 0.02
# A picture's buffers are megabytes: with Dask's own setting (64 KiB) glibc maps and unmaps each of
# them, and the kernel clears every page anew. So it keeps this much at hand instead (mallopt(3)).
MALLOC = {"MALLOC_MMAP_THRESHOLD_": 16 << 20, "MALLOC_TRIM_THRESHOLD_": 64 << 20}


class SupervisedWorker(DaskPlace):
    """A `LocalCluster` of one process on loopback, watched by Dask's nanny.

    One in the `background` leaves the processor to others.
    """

    def __init__(
        self, options: ClusterOptions, log: LogOptions, *, background: bool = False
    ) -> None:
        super().__init__(options, log)
        self._background = background

    def __enter__(self) -> Self:
        quiet()
        import dask
        from distributed import Client, LocalCluster, Security

        options = self._options
        # One death is one lost attempt: the ledger counts them, not the scheduler.
        dask.config.set({"distributed.scheduler.allowed-failures": 0})
        # So long after a death, `LocalCluster` closes the nanny for good if its worker is starting
        # anew just then: a second death 15 s after a first one left no worker for ever.
        dask.config.set({"distributed.deploy.lost-worker-timeout": "365 days"})
        dask.config.set({f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in MALLOC.items()})
        if sys.platform == "linux" and sys.version_info >= (3, 11, 1):
            _keep_a_template()
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

    def _prepare(self) -> None:
        super()._prepare()
        if self._background:
            from flows.cluster.background import Background

            self._client.register_plugin(Background())

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._cluster.close(timeout=10)

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        """Kill the worker outright: a hang in native code answers no polite request."""
        import psutil

        lost, self._open = self._open, {}
        self._cold = True
        dead = set(self._client.nthreads())
        pid = self.pid
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
        self.restart(())

    def take_back(self, begun: int) -> None:
        """Give up all that is open but the oldest `begun`, with `NotBegunError`.

        A worker comes to its chunks in the order in which they were submitted.
        """
        for dask_future in list(self._open)[begun:]:
            result = self._open.pop(dask_future, None)
            if result is not None:
                dask_future.cancel()
                result.set_exception(NotBegunError())

    @property
    def pid(self) -> int | None:
        """The worker's process, if it is there now."""
        return next((nanny.pid for nanny in self._cluster.workers.values()), None)

    @property
    def memory_mb(self) -> int:
        """What the worker takes now; 0 where it is not there."""
        import psutil

        try:
            return psutil.Process(self.pid).memory_info().rss // BYTES_PER_MB if self.pid else 0
        except psutil.Error:
            return 0

    def _lost(self) -> Exception:
        return WorkerLostError("its task was cancelled")


def _keep_a_template() -> None:
    """Start workers as copies of a process that has imported what they all need.

    One that replaces a dead worker is there sooner, and takes less from the line while it starts.
    (CPython 3.11.0 lets other accounts of the machine speak to that process: CVE-2022-42919.)
    """
    import dask
    from distributed.utils import get_mp_context

    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    get_mp_context().set_forkserver_preload(["distributed", "flows.graph"])


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


def available_mb() -> int:
    """The memory of this machine that is free for more processes."""
    import psutil

    return psutil.virtual_memory().available // BYTES_PER_MB


def _memory_mb() -> int:
    import psutil

    return int(psutil.virtual_memory().total * MEMORY_SHARE) // BYTES_PER_MB
