"""A Dask cluster that somebody else runs: reached, lost, and found again."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from flows.cluster.census import Census, Roll
from flows.cluster.dask_place import DaskPlace, quiet
from flows.cluster.loading import load_here
from flows.cluster.place import ClusterAwayError, Terms, WorkerLostError
from flows.configuration.recipes import Engine
from flows.configuration.settings import ClusterOptions, Layout, LogOptions
from flows.configuration.tls import dask_security, unanswered
from flows.engines import unload
from stages.errors import ConfigError, PluginError, first_line

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client

REACH_SECONDS = 5.0
CENSUS_SECONDS = 5.0
RESTART_SECONDS = 10.0
DONE_SECONDS = 1.0
"""To fetch what a task gave that has ended."""

CARRIED = "256 MiB"
"""A graph that carries pictures is larger than what Dask warns of."""


class DaskCluster(DaskPlace):
    """A Dask cluster that somebody else runs; its workers have markwatch installed.

    Others may use it too: workers that do not suit are left alone, and only those that hang are
    restarted.
    """

    def __init__(self, options: ClusterOptions, log: LogOptions, root: Path = Path()) -> None:
        super().__init__(options, log)
        self._root = root
        self.terms = Terms(carried=options.pictures == "bytes", resources=options.resources)
        layout = Layout(root)
        self._census = Census(None if self.terms.carried else layout.work)
        # The same in each run, so that one that crashed leaves none behind.
        self._plugin = f"markwatch-engines-{socket.gethostname()}-{layout.root}"
        self._engines: dict[tuple[str, str, str], Engine] = {}
        self._taken = self._roll = Roll()
        self._broken: dict[str, str] = {}
        self._forgotten = False
        self._asking: Future[Roll] | None = None
        self._asked_at = 0.0
        self._doubted = self._answers_doubt = False

    def __enter__(self) -> Self:
        quiet()
        import dask

        dask.config.set({"distributed.admin.large-graph-warning-threshold": CARRIED})
        seconds, address = self._options.start_seconds, str(self._options.address)
        try:
            self._client = self._connect(seconds)
        except OSError as error:
            raise ConfigError(unanswered(address, error)) from error
        self._behind = ThreadPoolExecutor(2, thread_name_prefix="census")
        try:
            self._client.wait_for_workers(1, timeout=seconds)
            self._prepare()
            words = self._idle()
        except TimeoutError:
            words = self._idle()
        if words:
            self.__exit__()
            raise ConfigError(words)
        return self

    def __exit__(self, *error: object) -> None:
        if self._engines and self._client.status == "running":
            leave = self._behind.submit(self._client.unregister_worker_plugin, self._plugin)
            # A scheduler that is away, or was, has no plug-in to forget.
            wait([leave], timeout=REACH_SECONDS)
        super().__exit__(*error)
        self._behind.shutdown(cancel_futures=True)

    def _connect(self, seconds: float) -> Client:
        from distributed import Client

        options = self._options
        security = dask_security(options.tls, self._root) if options.tls else None
        return Client(options.address, timeout=seconds, security=security)

    def _reach(self) -> Client:
        """The client; a new one where the scheduler was lost, which gives up or knows no plug-in.

        Raises:
            ClusterAwayError: the scheduler does not answer, or has no workers for this station.
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
        except OSError as error:
            raise ClusterAwayError(unanswered(address, error)) from error
        if words := self._idle():
            raise ClusterAwayError(words)
        self._forgotten = False
        self._log.info("the Dask cluster is there again", slots=self.slots)
        return self._client

    def _prepare(self) -> None:
        super()._prepare()
        self._take(self._census.take(self._client))
        self._preload()

    def _register(self, plugin: Any) -> None:
        try:
            super()._register(plugin)
        except OSError:
            raise
        except Exception as error:
            # It is with the scheduler, and with all workers but one that has not what it is made
            # of: the census, or loading the engines there, says the same in better words.
            self._log.debug("a Dask worker did not take a plug-in", error=first_line(error))

    def _preload(self) -> None:
        """Have workers that join later load the engines too."""
        from flows.cluster.preload import Preload

        if self._engines:
            engines = tuple(self._engines.values())
            self._register(Preload(self._plugin, engines, self.terms))

    def _take(self, roll: Roll) -> None:
        self._taken = roll
        self._roll = roll.without(self._broken)
        self.slots = max(1, self._roll.slots)
        before, self.trouble = self.trouble, self._roll.words() or self._idle()
        if self.trouble and self.trouble != before:
            self._log.warning("the Dask cluster wants attention", trouble=self.trouble)

    def _idle(self) -> str | None:
        """Why nothing can be read there now; None when it can."""
        if self._roll.used:
            return self._roll.lacks(self.terms.resources)
        nobody = f"the Dask scheduler at {self._options.address} has no workers: start one"
        return self._roll.words() or nobody

    def tend(self, engines: tuple[Engine, ...]) -> None:
        if self._asking is None:
            if self._doubted or time.monotonic() - self._asked_at >= CENSUS_SECONDS:
                self._answers_doubt = self._doubted
                self._asked_at = time.monotonic()
                self._asking = self._behind.submit(self._census.take, self._client)
        elif self._asking.done():
            asking, self._asking = self._asking, None
            self._doubted = self._doubted and not self._answers_doubt
            # A scheduler that cannot be asked is found to be away when it gets the next graph.
            if asking.exception() is None:
                self._take(asking.result())

    def ready(
        self, engines: tuple[Engine, ...], *, alone: bool = False, anew: bool = False
    ) -> bool:
        if self._doubted:
            return False
        self._reach()
        if words := self._idle():
            raise ClusterAwayError(words)
        if anew:
            self.renew()
        return True

    def _everywhere(self, seconds: float, function: Any, *arguments: Any) -> dict[str, Any]:
        """Run this once on each worker that is used; the tasks by address, done or out of time."""
        import distributed

        client = self._reach()
        tasks = {
            address: client.submit(
                function, *arguments, workers=[address], allow_other_workers=False, pure=False
            )
            for address in self._roll.used
        }
        with suppress(TimeoutError):
            distributed.wait(list(tasks.values()), timeout=seconds)
        return tasks

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        """Load engines on all workers; one on which they do not load is not used any more."""
        self._engines.update((engine.key, engine) for engine in engines)
        # Packed, because a worker that has not what they are made of would die of reading them.
        packed = pickle.dumps((engines, self.terms))
        self._show_scheduler(packed)
        self._broken = {}
        self._take(self._taken)
        lines: dict[str, None] = {}
        failed: Exception | None = None
        loading = self._everywhere(self._options.start_seconds, load_here, packed)
        for address, task in loading.items():
            try:
                lines |= dict.fromkeys(self._result(task, DONE_SECONDS))
            except Exception as error:
                # Whatever a plug-in, or a worker that is not as this one, raises there.
                if self._forgotten:
                    raise
                failed = error
                self._broken[address] = first_line(error)
        self._take(self._taken)
        if failed is not None and self._idle():
            raise PluginError(first_line(failed)) from failed
        self._preload()
        return list(lines)

    def _show_scheduler(self, packed: bytes) -> None:
        """Have the scheduler read what graphs are made of, as it does with each graph.

        Raises:
            ClusterAwayError: it does not answer.
            PluginError: it cannot.
        """
        client = self._reach()
        try:
            client.run_on_scheduler(pickle.loads, packed)
        except OSError as error:
            raise self._lost() from error
        except Exception as error:
            raise PluginError(
                f"the Dask scheduler at {self._options.address} cannot read the graphs "
                f"({first_line(error)}): install there what its workers have, markwatch and the "
                "plug-ins of the recipes"
            ) from error

    def renew(self) -> None:
        self._everywhere(RESTART_SECONDS, unload)

    def _compute(self, graph: Delayed) -> Any:
        # Naming them costs the scheduler work for each task.
        only = list(self._roll.used) if self._roll.refused else None
        return self._reach().compute(graph, workers=only, allow_other_workers=False)

    def _explained(self, error: Exception) -> Exception:
        # As a worker does that is no markwatch, or another one: before the next attempt, ask.
        self._doubted = True
        return error

    def _lost(self) -> Exception:
        """What it means when nobody here cancelled a task: its scheduler died or was restarted."""
        self._forgotten = True
        address = self._options.address
        return ClusterAwayError(f"the connection to the Dask scheduler at {address} was lost")

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        """Restart the workers that these hang on; what others wait for there is run elsewhere."""
        late = {task: result for task, result in self._open.items() if result in overdue}
        for task in late:
            self._open.pop(task, None)
        why: Exception = WorkerLostError("restarted after a deadline")
        try:
            client = self._reach()
            hung = _working_on(client, [task.key for task in late])
            if not hung:
                # Nobody worked on them.
                why = self._lost()
            # Before their workers end, or the scheduler has others hang on them.
            for task in late:
                task.cancel()
            self._restart(client, hung)
        except (ClusterAwayError, OSError) as error:
            self._log.warning("cannot restart the workers", error=str(error))
            why = self._lost()
        for result in late.values():
            result.set_exception(why)

    def _restart(self, client: Client, hung: Collection[str]) -> None:
        try:
            client.restart_workers(hung, timeout=RESTART_SECONDS, raise_for_error=False)
        except ValueError:
            self._log.error(
                "a Dask worker hangs that nobody can restart: start it without --no-nanny",
                workers=sorted(hung),
            )


def _working_on(client: Client, keys: Collection[str]) -> list[str]:
    """The workers that a task of these chunks is on; a key is `stage-chunk-attempt`."""
    chunks = {key.partition("-")[2] for key in keys}
    return [
        address
        for address, busy in client.processing().items()
        if any(str(key).partition("-")[2] in chunks for key in busy)
    ]
