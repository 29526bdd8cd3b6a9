"""What the flow asks of the place where the graph runs, and how such a place is lost.

All places take a graph and give a `concurrent.futures.Future`. Only a process of its own survives
native code: a segfault, a leak over the memory limit or a hang ends one worker, and the pictures
that it held come back as `WorkerLostError`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from flows.configuration.recipes import Engine
from stages.errors import PluginError
from stages.records import Stage

if TYPE_CHECKING:
    from dask.delayed import Delayed


class WorkerLostError(Exception):
    """The worker died or was restarted while it held this chunk."""


class NotBegunError(Exception):
    """The chunk was taken back from a worker that had not come to it."""


class ClusterAwayError(PluginError):
    """The Dask cluster cannot be reached now, or lost this chunk: no picture is to blame."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a place wants of a graph.

    `carried`: the bytes of its pictures are in it, for workers that cannot open their files.
    `resources`: what the tasks of a stage ask of a worker.
    """

    carried: bool = False
    resources: Mapping[Stage, Mapping[str, float]] = field(default_factory=dict)


PLAIN = Terms()


class Cluster(Protocol):
    """A place to run graphs. Used by the flow's own thread."""

    terms: Terms

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

    @property
    def apart(self) -> bool:
        """Whether a picture is read alone beside the others, in a process that has only it.

        Where it is not, one that is read alone wants nothing else in flight.
        """
        ...

    @property
    def life(self) -> int | None:
        """The process that chunks go to now: each has its number; None where it is not known."""
        ...

    @property
    def trouble(self) -> str | None:
        """What a person should see to, in a line, for `status`."""
        ...

    def warm(self, engines: tuple[Engine, ...]) -> list[str]:
        """Load the engines where the graph will run, so that the first picture does not wait.

        Raises:
            ClusterAwayError: try again later.
            PluginError: an engine cannot be loaded.
        """
        ...

    def tend(self, engines: tuple[Engine, ...]) -> None:
        """Look after what runs here; called at each turn of the flow, and never waits.

        Raises:
            PluginError: an engine cannot be loaded any more.
        """
        ...

    def ready(
        self, engines: tuple[Engine, ...], *, alone: bool = False, anew: bool = False
    ) -> bool:
        """Whether a graph may be submitted now; if not, it will be at a later turn.

        `alone`: it will be the only one in its process. `anew`: and be read by engines that were
        loaded for it, for one may be broken by what it read.

        Raises:
            ClusterAwayError: try again later.
            PluginError: an engine cannot be loaded any more.
        """
        ...

    def submit(self, graph: Delayed, *, pictures: int = 1, alone: bool = False) -> Future[Any]:
        """Start a graph of so many pictures, when it is `ready`.

        The future fails with `WorkerLostError` if its worker dies, with `ClusterAwayError` where
        the whole cluster is lost, and with `NotBegunError` if it is to be submitted again.
        """
        ...

    def restart(self, overdue: Collection[Future[Any]]) -> None:
        """Kill what these run in; all that is open there fails with `WorkerLostError`."""
        ...


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
