"""Parquet: rows in, immutable files out, under `<path>/recent/date=YYYY-MM-DD/`.

A part `part-<station>-<a>-<b>.parquet` holds the rows of the ledger's range (a, b]. It is written
in `<path>/staging/`, fsynced and renamed to a new name, then never changed: a file that is partial
or replaced breaks those who read it. Offered again, a range whose part is there is done. Closed
days become files under `<path>/daily/` (`parquet_days.py`); `flows/outputs.py` and `markwatch.sql`
give one view of both trees.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import structlog
from pydantic import Field

from flows import vocabulary
from flows.files import durable
from flows.files.filenames import for_file
from flows.outputs import below, markwatch_files, named_by
from flows.sinks import parquet_view
from flows.sinks.parquet_days import Days
from flows.sinks.parquet_parts import (
    arrow_table,
    content_of,
    fingerprint,
    parsed,
    read_rows,
    read_table,
)
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Held, Receipt, Site, Tidied


class ParquetOptions(Options):
    """Where parts go and how large they grow."""

    path: str = Field(
        default="data/out/parquet", description="folder of the tree, relative to the root"
    )
    max_rows: int = Field(default=5000, ge=1, description="rows after which a part is closed")
    max_seconds: float = Field(default=60.0, ge=0, description="age at which a part is closed")
    compression_level: int = Field(default=3, ge=1, le=22, description="zstd level")
    daily: bool = Field(
        default=True,
        description="whether the parts of a closed day become one file under daily/",
    )
    recent_days: float | None = Field(
        default=7.0,
        ge=0,
        description="age at which parts leave recent/ once daily/ is proved to hold them, at least "
        "an hour after it does; null keeps them for ever",
    )


class ParquetSink:
    """One immutable part per batch."""

    Options: ClassVar[type[Options]] = ParquetOptions
    replays_into_file: ClassVar[bool] = False

    def __init__(self, options: ParquetOptions, site: Site, name: str) -> None:
        self.cut = Cut(
            max_rows=options.max_rows,
            max_seconds=options.max_seconds,
            daily=True,
            planned=True,
            units=True,
        )
        self._options = options
        self._station = for_file(site.station)
        self._path = Path(site.root, options.path)
        self._tree = self._path / "recent"
        # Other stations may write into the same tree: each sink clears away only its own leftovers.
        self._staging = self._path / "staging" / f"{self._station}.{for_file(name)}"
        self._log = structlog.get_logger("markwatch.sinks.parquet")

    @staticmethod
    def folders(options: ParquetOptions, site: Site) -> tuple[Path, ...]:
        """The folder of the files."""
        return (Path(site.root, options.path),)

    def __enter__(self) -> Self:
        self._prepare()
        try:
            for leftover in self._staging.iterdir():
                leftover.unlink()
            parquet_view.write(self._path, self._staging)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, self._staging)) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def deliver(self, batch: Batch) -> Receipt:
        """Write the batch as one part; a batch without rows needs none.

        Raises:
            DeliveryError: the disk is full, away or closed to this user.
        """
        days: dict[date, list[vocabulary.Row]] = {}
        for row in batch.rows:
            days.setdefault(row["read_at"].astimezone(UTC).date(), []).append(row)
        for day, rows in days.items():
            self._write(batch, day, rows)
        return Receipt()

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Files have no state to tell."""

    def probe(self) -> str:
        """Say where parts go, having written a file there.

        Raises:
            DeliveryError: the folder cannot be written to.
        """
        self._prepare()
        trial = self._staging / "probe"
        try:
            durable.write_new(trial, b"")
            trial.unlink()
        except OSError as error:
            raise DeliveryError(durable.remedy(error, self._staging)) from error
        return f"parquet parts under {self._tree}"

    def held(self, stations: Collection[str]) -> Iterator[Held]:
        """Every row of these stations once, of whichever tree, and what else lies in the trees."""
        ours = {for_file(station) for station in stations}
        kinds = {self._tree: "part", self._path / "daily": "day"}
        for top, kind in kinds.items():
            for path in sorted(path for path in top.rglob("*") if path.is_file()):
                named = parsed(path.name)
                if named is None or named[0] != kind:
                    words = f"is no {kind}, and readers of the tree stumble over it"
                    yield Held(str(path.relative_to(self._path)), damage=words)
        for path in map(Path, markwatch_files(self._path) if self._path.is_dir() else ()):
            named = parsed(path.name)
            if named is None or named[1] not in ours:
                continue
            place = str(path.relative_to(self._path))
            try:
                rows = self._rows(path)
            except OSError as error:
                yield Held(place, damage=f"cannot be read ({error})")
                continue
            for row in rows:
                day = row["read_at"].astimezone(UTC).date().isoformat()
                yield Held(place, row["id"], row["seq"], day, row)

    def agrees(self, held: Held, row: Mapping[str, Any]) -> bool:
        """Whether a row of a part is this one, value by value."""
        return held.row == row

    def replay(self, batches: Iterable[Batch], file: Path | None) -> Iterator[str]:
        """Write the parts that are missing, under the very names that they had.

        A part that is there is not touched; rows that lie in another part of this station (one
        whose range the ledger did not keep) are not written a second time. It stages in a folder
        of its own, so it works beside a running watch; a crash leaves at most a file there, which
        the next call writes anew.

        Raises:
            DeliveryError: a part cannot be written, or one in its range cannot be read.
        """
        self._staging = self._staging.with_name(f"{self._staging.name}.replay")
        self._prepare()
        ours = [
            (named[2], named[3], path)
            for path in map(Path, markwatch_files(self._path))
            if (named := parsed(path.name)) is not None and named[1] == self._station
        ]
        # A day's file is asked for each of its parts in turn.
        ids = functools.lru_cache(maxsize=2)(self._ids)
        for batch in batches:
            there: set[str] = set()
            for after, to, path in ours:
                if after < batch.to and to > batch.after:
                    try:
                        there.update(ids(path))
                    except OSError as error:
                        raise DeliveryError(
                            f"{path} cannot be read ({error}); remove it, then replay again"
                        ) from error
            for missing in _runs(batch, there):
                self.deliver(missing)
                yield f"{len(missing.rows)} rows, {self._name(missing)}.parquet"

    def tidy(self, closed: date, now: datetime, stop: threading.Event) -> Iterator[Tidied]:
        """Take proved parts out of `recent/`, then make closed days one file each.

        In this order a part leaves no sooner than a pass after its daily file came.

        Raises:
            DeliveryError: the folder is full, away or closed to this user.
        """
        if not self._options.daily or not self._tree.is_dir():
            return
        staging = self._staging.with_name(f"{self._staging.name}.daily")
        days = Days(self._path, self._station, staging, self._options.compression_level)
        try:
            if self._options.recent_days is not None:
                yield from days.prune(now, timedelta(days=self._options.recent_days), stop)
            yield from days.consolidate(closed, stop)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, error.filename or self._path)) from error

    def _rows(self, path: Path) -> list[dict[str, Any]]:
        """The rows of a file; of a part that has left `recent/` meanwhile, from its daily file."""
        try:
            return read_rows(path)
        except FileNotFoundError:
            for day in below(self._path / "daily"):
                at = 0
                for part in named_by(day) if day.parent.name == path.parent.name else ():
                    if part.name == path.name:
                        piece = read_table(day).slice(at, part.rows)
                        return piece.to_pylist(maps_as_pydicts="strict")
                    at += part.rows
            raise

    def _ids(self, path: Path) -> frozenset[str]:
        try:
            return frozenset(read_table(path, ["id"])["id"].to_pylist())
        except FileNotFoundError:
            return frozenset(row["id"] for row in self._rows(path))

    def _name(self, batch: Batch) -> str:
        return f"part-{self._station}-{batch.after:010d}-{batch.to:010d}"

    def _prepare(self) -> None:
        try:
            durable.make_folder(self._tree)
            durable.make_folder(self._staging)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, error.filename or self._path)) from error

    def _write(self, batch: Batch, day: date, rows: Sequence[vocabulary.Row]) -> None:
        name = self._name(batch)
        content = fingerprint(rows)
        folder = self._tree / f"date={day.isoformat()}"
        final = folder / f"{name}.parquet"
        known = self._known(final)
        if known is not None and known != content:
            # A part of this range from an earlier ledger (its seq began again): keep both.
            self._log.warning("another ledger's part has this name", path=str(final))
            final = folder / f"{name}-{content[:8]}.parquet"
            known = self._known(final)
        staged = self._staging / final.name
        try:
            if known is None and not final.exists():
                durable.make_folder(folder)
                self._stage(staged, rows, content)
                durable.move_new(staged, final)
            if folder.is_dir():
                durable.fsync_directory(folder)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, folder)) from error

    def _known(self, part: Path) -> str | None:
        """The fingerprint of a part, there or gone into its day's file; None for a new name."""
        if part.exists():
            return content_of(part) or ""
        for day in below(self._path / "daily") if self._is_daily(part) else ():
            for named in named_by(day) if day.parent.name == part.parent.name else ():
                if named.name == part.name:
                    return named.content
        return None

    def _is_daily(self, part: Path) -> bool:
        return (self._path / "daily" / part.parent.name).is_dir()

    def _stage(self, staged: Path, rows: Sequence[vocabulary.Row], content: str) -> None:
        import pyarrow.parquet as pq

        with staged.open("wb") as file:
            pq.write_table(
                arrow_table(rows, content),
                file,
                compression="zstd",
                compression_level=self._options.compression_level,
            )
            file.flush()
            os.fsync(file.fileno())


def _runs(batch: Batch, there: Collection[str]) -> Iterator[Batch]:
    """The batch itself when none of its rows is there yet, else what is missing between them."""
    if not any(row["id"] in there for row in batch.rows):
        yield batch
        return
    for known, run in itertools.groupby(batch.rows, lambda row: row["id"] in there):
        rows = list(run)
        if not known:
            yield Batch(rows, rows[0]["seq"] - 1, rows[-1]["seq"])
