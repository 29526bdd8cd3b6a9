"""What a plug-in must offer: four Protocols, found by entry points, held to `tests/contracts`.

A plug-in is a class with nested `Options` (a frozen `stages.options.Options` model), built from
them, used as a context manager, with one verb. `__init__` must be cheap and touch nothing;
`__enter__` loads and connects, so importing a plug-in's module must not import its heavy library.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

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
    """Finds lines of text. An engine: one session, never used by two threads at once.

    Its options may offer `check_size((width, height))`, either None while unknown, which raises
    `ImageError` if no such picture can be searched: then `check` tells it with file and line.
    """

    per_thread: ClassVar[bool]
    """Whether each thread gets an engine of its own; if not, threads take turns with one."""

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Return one list per frame, in reading order; empty where there is no text.

        Outlines are in the frame's own pixels.

        Raises:
            RecogniserError: the engine failed.
            ImageError: the options do not fit this frame; the text says the remedy.
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
    """What a source or sink is told of the installation: the station's name, the root folder.

    For sources that decide themselves when a file is whole also how long it must be quiet, before
    its end is looked at and where that says nothing; None for the defaults.
    """

    station: str
    root: str
    quiet_seconds: float | None = None
    settle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ScanEnd:
    """A source has yielded every file that it could see: `files` of them.

    `events` says that until the next scan it is told of new files, and does not only look.
    """

    files: int
    events: bool = False


@dataclass(frozen=True, slots=True)
class Perch:
    """Where a source lets a canary be written as a camera would: its folder, and a name's ending.

    `scan_seconds` is the pause between full scans where it is told of new files, `poll_seconds`
    that between looks for new files where it is not.
    """

    folder: Path
    suffix: str
    scan_seconds: float
    poll_seconds: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a source from seeing, in words for a person; None when that is over."""

    words: str | None


class Source(Plugin, Protocol):
    """Sees new pictures.

    It may offer a static `perch(options, site, stem)` that gives a `Perch`, None where nothing may
    be written: then `flows/care/canary.py` proves now and then that what comes there is seen. It
    raises `ConfigError` if it would pass over names that begin with `stem`.
    """

    def __init__(self, options: Any, site: Site) -> None: ...

    @staticmethod
    def folders(options: Any, site: Site) -> tuple[Path, ...]:
        """The local folders that it takes pictures from."""
        ...

    def arrivals(self, stop: threading.Event) -> Iterator[Arrival | ScanEnd | Trouble]:
        """Yield what is seen until `stop` is set; the same file may be yielded many times.

        Every file that stays is yielded again and again (a rescan), so nothing that a consumer
        or an event queue drops is lost; a `ScanEnd` follows the last file of each scan. A root
        that goes away is waited for, never fatal, and told of as a `Trouble`.
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
    out before the backlog; without it, rows come strictly in `seq` order. `units`: each batch
    becomes a thing of its own (a file named by its range), whose range the ledger keeps.
    `figures_seconds`: how often the sink's `tell` is given the station's figures; 0 for never.
    """

    max_rows: int = 500
    max_seconds: float = 0.0
    daily: bool = False
    planned: bool = False
    lanes: bool = False
    units: bool = False
    figures_seconds: float = 0.0


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


class Tells(Protocol):
    """A sink whose `cut.figures_seconds` is not 0: the far side can be told how the station is."""

    def tell(self, figures: Mapping[str, Any]) -> None:
        """Tell the far side the station's figures (`flows/audit/figures.py`); never raises."""
        ...


@runtime_checkable
class Linked(Protocol):
    """A sink that keeps a connection, which is there or not whether rows come or not."""

    @property
    def trouble(self) -> str | None:
        """Why there is no connection, with the remedy; None when there is, or none was tried."""
        ...


@runtime_checkable
class Remembers(Protocol):
    """A sink that tells the far side what it knows before the first row of this life comes."""

    def remember(self, cursor: Mapping[str, Any] | None) -> None:
        """Take in the last receipt's cursor; called once, before anything else."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What a reader finds at a sink's far side: one row at a `place`, or what is wrong there.

    `row` is in the sink's own form; it means something only to the `agrees` of the same sink.
    `day` is the UTC day that the place is for, YYYY-MM-DD. `torn` damage is the end of a delivery
    that a crash cut short, which the next one takes away.
    """

    place: str
    id: str = ""
    seq: int = 0
    day: str = ""
    row: Any = None
    damage: str | None = None
    torn: bool = False


@runtime_checkable
class Readable(Protocol):
    """A sink whose far side `audit` can read back."""

    def held(self, stations: Collection[str]) -> Iterator[Held]:
        """Yield every row that was delivered under one of these stations' names."""
        ...

    def agrees(self, held: Held, row: Mapping[str, Any]) -> bool:
        """Whether what was found is what this row of the ledger looks like there."""
        ...


@dataclass(frozen=True, slots=True)
class Tidied:
    """One thing that a sink put in order, in words for a person, or what keeps it from that."""

    words: str
    trouble: bool = False


@runtime_checkable
class Tidies(Protocol):
    """A sink that puts what it delivered in order from time to time, beside its deliveries."""

    def tidy(self, closed: date, now: datetime, stop: threading.Event) -> Iterator[Tidied]:
        """Do so until done or `stop` is set; days (UTC) before `closed` are over and delivered.

        Called outside the sink's `with`, on another thread than its deliveries. A kill at any
        point is made whole by calling it again.

        Raises:
            DeliveryError: the far side is away or full.
        """
        ...


@runtime_checkable
class Replays(Protocol):
    """A sink that can deliver again beside a running flow; it leaves cursor and state alone."""

    replays_into_file: ClassVar[bool]
    """Whether it writes a file of its own, which somebody must name."""

    def replay(self, batches: Iterable[Batch], file: Path | None) -> Iterator[str]:
        """Make these batches durable again; yields a line for each thing that was done.

        Every batch is a unit of the sink's own where it has such (`Cut.units`). Called outside the
        sink's `with`. What a crash cuts short is made whole by calling it again.

        Raises:
            ConfigError: the file is in the way, or there is nothing to replay to.
            DeliveryError: the far side is away or full.
        """
        ...
