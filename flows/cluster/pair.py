"""Two supervised workers: one reads the line, and one stands by with its models loaded.

When the line's worker dies, the standby has the line until that one is there again; so it does when
a picture holds up the others for much longer than the slow ones of late, or for `patience_seconds`,
while the deadline runs for what hangs.
Pictures under suspicion are read by the standby, alone and at a lower priority, so that a death or
a hang there costs the line nothing. Without a standby (switched off, short of memory, or not
started yet) the line's worker does everything, and is waited for.
"""

from __future__ import annotations

import itertools
import queue
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import structlog

from flows.cluster.place import PLAIN, WorkerLostError
from flows.cluster.post import Post
from flows.cluster.worker import available_mb
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, LogOptions
from stages.errors import MarkwatchError

if TYPE_CHECKING:
    from dask.delayed import Delayed

TRY_AGAIN_SECONDS = 60.0
LEAST_PATIENCE_SECONDS = 0.1
TIMES_THE_SLOWEST = 3
"""How much longer than 19 of 20 of late a picture may take before the others wait no more."""

FREE_SHARE = 2
"""So many times what the line's worker takes must be free for a second one to be started."""


class WorkerPair:
    """The line's worker and its standby. Used by the flow's own thread."""

    isolated = True
    terms = PLAIN
    trouble = None

    def __init__(
        self, options: ClusterOptions, log: LogOptions, tick: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._log_options = log
        self._tick = tick
        self._lives = itertools.count(1)
        self._line = Post(options, log, next(self._lives))
        self._standby: Post | None = None
        self._wanted_at = self._not_before = 0.0
        self._reads = self._line
        self._engines: tuple[Engine, ...] = ()
        self._lost: queue.SimpleQueue[tuple[Post, int]] = queue.SimpleQueue()
        self._log = structlog.get_logger("markwatch.cluster")

    def __enter__(self) -> Self:
        self._line.enter()
        self._line.ready = True
        self.slots = self._line.worker.slots
        self._behind = ThreadPoolExecutor(2, thread_name_prefix="worker-start")
        self._wanted_at = self._tick() + self._options.standby_after_seconds
        return self

    def __exit__(self, *_: object) -> None:
        # What loads its models behind our back is ended by this too.
        for post in self._posts():
            post.close()
        self._behind.shutdown(cancel_futures=True)

    @property
    def apart(self) -> bool:
        return self._standby is not None

    @property
    def life(self) -> int:
        return self._reads.life

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        return self._line.load(engines)

    def tend(self, engines: tuple[Engine, ...]) -> None:
        self._engines = engines
        for post in self._posts():
            self._see_whether_it_came(post)
        self._see_who_died()
        if self._standby is None:
            self._want_standby()
        elif self._standby.free and not self._standby.has(engines):
            self._bring(self._standby)
        self._choose_who_reads()

    def ready(
        self, engines: tuple[Engine, ...], *, alone: bool = False, anew: bool = False
    ) -> bool:
        if not alone:
            return self._reads.ready
        self._wanted_at = min(self._wanted_at, self._tick())
        post = self._standby or self._line
        if not post.free or post is self._standby is self._reads:
            return False
        if anew and post.has_read:
            self._bring(post, anew=True)
        return post.ready

    def submit(self, graph: Delayed, *, pictures: int = 1, alone: bool = False) -> Future[Any]:
        post = self._standby if alone and self._standby is not None else self._reads
        future = post.submit(graph, pictures, self._tick())
        future.add_done_callback(partial(self._landed, post, post.life))
        return future

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        for post in self._posts():
            if not post.open.keys().isdisjoint(overdue):
                post.worker.restart(())

    def _posts(self) -> list[Post]:
        return [post for post in (self._line, self._standby) if post is not None]

    def _landed(self, post: Post, life: int, future: Future[Any]) -> None:
        # Called by the thread of the worker's connection.
        post.landed(future, self._tick())
        if isinstance(future.exception(), WorkerLostError):
            self._lost.put((post, life))

    def _choose_who_reads(self) -> None:
        line, standby = self._line, self._standby
        if self._reads is not line:
            if line.free or standby is None:
                self._reads = line
                self._log.info("the worker has the line again")
            return
        if standby is None or not standby.free:
            return
        stalls = line.waits(self._tick()) > self._patience()
        if stalls or not line.ready:
            why = "nothing came back from the worker" if line.ready else "the worker died"
            tell = self._log.info if line.ready else self._log.warning
            tell("the standby has the line", why=why)
            line.worker.take_back(begun=self.slots)
            self._reads = standby

    def _patience(self) -> float:
        """How long a picture may hold up the others: some times what the slowest of late took.

        The option is the most, and holds until that is known.
        """
        most, slowest = self._options.patience_seconds, self._line.slowest
        if slowest is None:
            return most
        return min(most, max(LEAST_PATIENCE_SECONDS, TIMES_THE_SLOWEST * slowest))

    def _see_who_died(self) -> None:
        while not self._lost.empty():
            post, life = self._lost.get()
            # Each chunk that it cost tells of the same death.
            if post.life == life and post in self._posts():
                post.life = next(self._lives)
                post.has_read = False
                self._bring(post)
                self._wanted_at = min(self._wanted_at, self._tick())

    def _see_whether_it_came(self, post: Post) -> None:
        """Whether what was started is ready now.

        Raises:
            PluginError: the line's worker cannot load its models any more.
        """
        if post.coming is None or not post.coming.done():
            return
        error = post.coming.exception()
        post.coming = None
        if error is None:
            post.ready = True
            if post is self._standby:
                self._log.info("standby ready", memory_mb=post.worker.memory_mb)
            return
        if self._standby is None or not isinstance(error, MarkwatchError | OSError):
            raise error
        self._log.warning("no standby for now", error=str(error))
        # If it is the line's worker that does not come, the other's memory may be what it lacks.
        self._behind.submit(self._standby.close)
        self._standby = None
        self._not_before = self._tick() + TRY_AGAIN_SECONDS
        if post is self._line:
            self._bring(post)

    def _want_standby(self) -> None:
        if not self._options.standby or self._tick() < max(self._wanted_at, self._not_before):
            return
        takes, free = self._line.worker.memory_mb, available_mb()
        if takes and free >= FREE_SHARE * takes:
            # The dashboard's port is the other worker's.
            options = self._options.model_copy(update={"dashboard_port": None})
            self._standby = Post(options, self._log_options, next(self._lives), background=True)
            self._bring(self._standby)
            return
        self._not_before = self._tick() + TRY_AGAIN_SECONDS
        if takes:
            self._log.warning("no standby: memory is short", free_mb=free, worker_mb=takes)

    def _bring(self, post: Post, *, anew: bool = False) -> None:
        """Get a worker ready behind the flow's back: started, or started again, and loaded."""
        post.ready = False
        if post.coming is None:
            post.coming = self._behind.submit(post.come, self._engines, anew=anew)
