"""One worker process of two: what it has loaded, what it is doing, whether it takes more."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from flows.cluster.worker import SupervisedWorker
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, LogOptions

if TYPE_CHECKING:
    from dask.delayed import Delayed


LANDED = 100
"""So many chunks tell how long pictures take here; with fewer than a fifth of them nobody knows."""


class Post:
    """A worker and its state; `come` runs on a thread of its own, the rest on the flow's."""

    def __init__(
        self, options: ClusterOptions, log: LogOptions, life: int, *, background: bool = False
    ) -> None:
        self.worker = SupervisedWorker(options, log, background=background)
        self.life = life
        self.ready = False
        self.has_read = False
        self.open: dict[Future[Any], int] = {}
        self.coming: Future[None] | None = None
        self._loaded: set[tuple[str, str, str]] = set()
        self._moved_at = 0.0
        self._taken: deque[float] = deque(maxlen=LANDED)
        self._entered = self._closing = False

    @property
    def free(self) -> bool:
        """Whether it is ready and has nothing to do."""
        return self.ready and not self.open

    def has(self, engines: tuple[Engine, ...]) -> bool:
        """Whether it loaded all of these."""
        return self._loaded.issuperset(engine.key for engine in engines)

    def waits(self, now: float) -> float:
        """Seconds since it last gave anything back, for each picture of what it was given first.

        0 when nothing is asked of it.
        """
        first = next(iter(list(self.open.values())), None)
        return (now - self._moved_at) / first if first else 0.0

    @property
    def slowest(self) -> float | None:
        """Seconds that 19 of 20 pictures of late did not take; None where that is not known yet."""
        taken = sorted(self._taken)
        return taken[19 * len(taken) // 20] if len(taken) >= LANDED // 5 else None

    def submit(self, graph: Delayed, pictures: int, now: float) -> Future[Any]:
        """Start a graph of so many pictures there."""
        future = self.worker.submit(graph)
        if not self.open:
            self._moved_at = now
        self.open[future] = pictures
        self.has_read = True
        return future

    def landed(self, future: Future[Any], now: float) -> None:
        """A graph came back, or was lost; called by any thread."""
        pictures = self.open.pop(future, None)
        if pictures and future.exception() is None:
            self._taken.append((now - self._moved_at) / pictures)
        self._moved_at = now

    def enter(self) -> None:
        """Start the process.

        Raises:
            PluginError: it does not start.
        """
        self.worker.__enter__()
        self._entered = True
        if self._closing:
            self.close()

    def load(self, engines: tuple[Engine, ...]) -> list[str]:
        """Load engines; returns a line for each.

        Raises:
            PluginError: one cannot be loaded.
        """
        lines = self.worker.warm(engines)
        self._loaded.update(engine.key for engine in engines)
        return lines

    def come(self, engines: tuple[Engine, ...], *, anew: bool) -> None:
        """Wait until the process is there, with these engines; with `anew` it is another one.

        Raises:
            PluginError: it does not start, or one cannot be loaded.
        """
        if not self._entered:
            self.enter()
        if anew:
            self.has_read = False
            self.worker.restart(())
        if not self._closing:
            self.load(engines)

    def close(self) -> None:
        """End the process; one that is being started ends when it is there."""
        self._closing = True
        if self._entered:
            self._entered = False
            self.worker.__exit__(None, None, None)
