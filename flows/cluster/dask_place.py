"""What every place that is reached by a Dask client has in common."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import structlog

from flows.cluster.place import PLAIN, ClusterAwayError, WorkerLostError
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, LogOptions
from flows.engines import warm
from stages.errors import PluginError

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client


class DaskPlace:
    """Graphs go to a Dask client, and what becomes of them comes back in plain futures."""

    isolated = True
    apart = False
    terms = PLAIN
    life: int | None = None
    trouble: str | None = None

    def __init__(self, options: ClusterOptions, log: LogOptions) -> None:
        self._options = options
        self._log_options = log
        self._log = structlog.get_logger("markwatch.cluster")
        self.slots = 1
        self._client: Client
        self._open: dict[Any, Future[Any]] = {}
        self._cold = False

    def __exit__(self, *_: object) -> None:
        self._client.close(timeout=5)

    def _reach(self) -> Client:
        """The client of a scheduler that answers.

        Raises:
            ClusterAwayError: it does not, or has no workers.
        """
        return self._client

    def _lost(self) -> Exception:
        """What it means when nobody here cancelled a task."""
        raise NotImplementedError

    def _prepare(self) -> None:
        from flows.cluster.worker_log import WorkerLog

        self._register(WorkerLog(self._log_options))
        self.slots = max(1, sum(self._client.nthreads().values()))

    def _register(self, plugin: Any) -> None:
        self._client.register_plugin(plugin)

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        task = self._reach().submit(warm, engines, pure=False)
        return self._result(task, self._options.start_seconds)

    def _result(self, task: Any, seconds: float) -> Any:
        """What a task gives that loads models, waited for so long.

        Raises:
            ClusterAwayError: try again later.
            PluginError: its worker died of it, or takes too long.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            return task.result(timeout=seconds)
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

    def renew(self) -> None:
        """Unload the engines, with nothing in flight.

        Raises:
            ClusterAwayError: try again later.
        """
        raise NotImplementedError

    def submit(self, graph: Delayed, *, pictures: int = 1, alone: bool = False) -> Future[Any]:
        result: Future[Any] = Future()
        try:
            dask_future = self._compute(graph)
        except ClusterAwayError as error:
            result.set_exception(error)
            return result
        self._open[dask_future] = result
        dask_future.add_done_callback(self._finish)
        return result

    def _compute(self, graph: Delayed) -> Any:
        return self._reach().compute(graph)

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
            result.set_exception(self._explained(error))

    def _explained(self, error: Exception) -> Exception:
        """What it means that a whole chunk raised this, for a picture's failure is a value."""
        return error


def quiet() -> None:
    """Keep distributed from setting up loggers of its own, which it does when it is imported.

    What matters to a person (a worker that died, a deadline) is logged here, as one line.
    """
    import dask

    dask.config.set({"logging.distributed": "critical"})
