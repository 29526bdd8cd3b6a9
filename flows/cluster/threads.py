"""Dask's threads in this process: for `read`, for tests, and for the smallest machines."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import structlog

from flows.cluster.place import PLAIN, cores
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions
from flows.engines import unload, warm

if TYPE_CHECKING:
    from dask.delayed import Delayed


class DaskThreads:
    """Dask's threaded scheduler in this process: the least overhead, and no protection."""

    isolated = False
    apart = False
    terms = PLAIN
    life = None
    trouble = None

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

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        return self._pool.submit(warm, engines).result()

    def tend(self, engines: tuple[Engine, ...]) -> None:
        pass

    def ready(
        self, engines: tuple[Engine, ...], *, alone: bool = False, anew: bool = False
    ) -> bool:
        if anew:
            unload()
            self.warm(engines)
        return True

    def submit(self, graph: Delayed, *, pictures: int = 1, alone: bool = False) -> Future[Any]:
        return self._waiters.submit(graph.compute, scheduler="threads", pool=self._pool)

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        # A thread cannot be killed; the deadline of a hung engine is told, not enforced.
        self._hung = True
        structlog.get_logger("markwatch.cluster").error(
            "a picture is over its deadline, and threads cannot be stopped: use scheduler: worker"
        )
