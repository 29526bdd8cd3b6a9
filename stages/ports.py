"""What a plug-in must offer: four Protocols, found by entry points, held to `tests/contracts`.

A plug-in is a class with nested `Options` (a frozen `stages.options.Options` model), built from
them, used as a context manager, with one verb. `__init__` must be cheap and touch nothing;
`__enter__` loads and connects, so importing a plug-in's module must not import its heavy library.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np

from stages.formats import Constraint
from stages.options import Options
from stages.records import Arrival, Detection, Frame, Transcript


class Plugin(Protocol):
    """The part that every plug-in shares."""

    Options: ClassVar[type[Options]]

    def __init__(self, options: Any) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Detector(Plugin, Protocol):
    """Finds lines of text. An engine: one session, never used by two threads at once."""

    per_thread: ClassVar[bool]
    """Whether each thread gets an engine of its own; if not, threads take turns with one."""

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return one list per frame, in reading order; empty where there is no text.

        Outlines are in the frame's own pixels.

        Raises:
            RecogniserError: the engine failed.
        """
        ...


class Recogniser(Plugin, Protocol):
    """Reads upright crops of one line. An engine: one session, one thread at a time."""

    per_thread: ClassVar[bool]
    """Whether each thread gets an engine of its own; if not, threads take turns with one."""

    model: str
    """`name@hash` of the weights, known after `__enter__`."""

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        """Return one transcript per crop ((H, W) or (H, W, 3) RGB uint8), in order.

        A crop without text gives an empty transcript. What a crop reads as never depends on its
        neighbours in the batch.

        Raises:
            RecogniserError: the engine failed.
        """
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What a source or sink is told of the installation: the station's name, the root folder."""

    station: str
    root: str


@dataclass(frozen=True, slots=True)
class ScanEnd:
    """A source has yielded every file that it could see: `files` of them."""

    files: int


class Source(Plugin, Protocol):
    """Sees new pictures."""

    def __init__(self, options: Any, site: Site) -> None: ...

    @staticmethod
    def folders(options: Any, site: Site) -> tuple[Path, ...]:
        """The local folders that it takes pictures from."""
        ...

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | ScanEnd]:
        """Yield what is seen until `stop` is set; the same file may be yielded many times.

        Every file that stays is yielded again and again (a rescan), so nothing that a consumer
        or an event queue drops is lost; a `ScanEnd` follows the last file of each scan. A root
        that goes away is waited for, never fatal.
        """
        ...

    def probe(self) -> str:
        """Return one line that says where pictures come from, and how they are seen.

        Raises:
            ConfigError: the place is not there or cannot be read; the text says the remedy.
        """
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """When the delivery loop hands a sink its next batch, and what it promises about it.

    `max_rows` and `max_seconds` close a batch; `daily` also closes it at UTC midnight of
    `read_at`. `planned` batches are written to the ledger before they are tried, and after a
    crash the very same range is offered first. `lanes` lets rows committed after an outage go
    out before the backlog; without it, rows come strictly in `seq` order.
    """

    max_rows: int = 500
    max_seconds: float = 0.0
    daily: bool = False
    planned: bool = False
    lanes: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows for a sink: those of the ledger's range (`after`, `to`] that the sink subscribes to.

    Each row is a mapping with every field of `flows/vocabulary.py`, datetimes as aware
    `datetime`. `late` marks backlog. `cursor` is what this sink returned in its last receipt.
    """

    rows: Sequence[Mapping[str, Any]]
    after: int
    to: int
    late: bool = False
    cursor: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is now durable on the far side.

    `delivered` holds the `seq`s that need not be offered again; None means the whole batch.
    `dead` maps a `seq` that the far side refused for good to the reason; `refused` one that it
    refused for now although it is there (a topic that is not allowed yet): those are offered again
    after a pause, and the others go on. `replies` maps a `seq` to what the far side answered.
    `cursor` is kept in the ledger in the same transaction.
    """

    delivered: frozenset[int] | None = None
    dead: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    replies: Mapping[int, str] = field(default_factory=dict)
    cursor: Mapping[str, Any] | None = None


class Sink(Plugin, Protocol):
    """Makes rows durable somewhere else. Used by one thread."""

    cut: Cut

    def __init__(self, options: Any, site: Site, name: str) -> None: ...

    @staticmethod
    def folders(options: Any, site: Site) -> tuple[Path, ...]:
        """The local folders that it writes into; none for a sink that speaks to a server."""
        ...

    def deliver(self, batch: Batch) -> Receipt:
        """Make the batch durable; returning means it is.

        Offering the same batch twice must not make a second copy, unless the far side can only be
        told at least once (MQTT), where `id` and `seq` let the receiver drop the repeat.

        Raises:
            DeliveryError: not now; the batch is offered again.
        """
        ...

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Tell the far side how the station is, where there is a way; elsewhere do nothing.

        Never raises: an announcement that fails is made again on the next connection.
        """
        ...

    def probe(self) -> str:
        """Return one line that says where rows will go, having tried the way there.

        Raises:
            DeliveryError: the far side cannot be reached or written to; the text says the remedy.
        """
        ...
