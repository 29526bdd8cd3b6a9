"""Parquet: rows in, immutable files out, under `<path>/recent/date=YYYY-MM-DD/`.

A part `part-<station>-<a>-<b>.parquet` holds the rows of the ledger's range (a, b]. It is written
in `<path>/staging/`, fsynced and renamed to a new name, then never changed: readers glob
`recent/`, and a file that is partial or replaced while they read breaks them. Offered again, a
range whose part is there is done.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, date
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import structlog
from pydantic import Field

from flows import durable, vocabulary
from flows.filenames import for_file
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site

if TYPE_CHECKING:
    import pyarrow

_CONTENT = b"markwatch.content"


class ParquetOptions(Options):
    """Where parts go and how large they grow."""

    path: str = Field(
        default="data/out/parquet", description="folder of the tree, relative to the root"
    )
    max_rows: int = Field(default=5000, ge=1, description="rows after which a part is closed")
    max_seconds: float = Field(default=60.0, ge=0, description="age at which a part is closed")
    compression_level: int = Field(default=3, ge=1, le=22, description="zstd level")


class ParquetSink:
    """One immutable part per batch."""

    Options: ClassVar[type[Options]] = ParquetOptions

    def __init__(self, options: ParquetOptions, site: Site, name: str) -> None:
        self.cut = Cut(
            max_rows=options.max_rows, max_seconds=options.max_seconds, daily=True, planned=True
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

    def _prepare(self) -> None:
        try:
            durable.make_folder(self._tree)
            durable.make_folder(self._staging)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, error.filename or self._path)) from error

    def _write(self, batch: Batch, day: date, rows: Sequence[vocabulary.Row]) -> None:
        name = f"part-{self._station}-{batch.after:010d}-{batch.to:010d}"
        content = _fingerprint(rows)
        folder = self._tree / f"date={day.isoformat()}"
        final = folder / f"{name}.parquet"
        if final.exists() and not _holds(final, content):
            # A part of this range from an earlier ledger (its seq began again): keep both.
            self._log.warning("another ledger's part has this name", path=str(final))
            final = folder / f"{name}-{content[:8]}.parquet"
        staged = self._staging / final.name
        try:
            if not final.exists():
                durable.make_folder(folder)
                self._stage(staged, rows, content)
                durable.move_new(staged, final)
            durable.fsync_directory(folder)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, folder)) from error

    def _stage(self, staged: Path, rows: Sequence[vocabulary.Row], content: str) -> None:
        import pyarrow.parquet as pq

        with staged.open("wb") as file:
            pq.write_table(
                _table(rows, content),
                file,
                compression="zstd",
                compression_level=self._options.compression_level,
            )
            file.flush()
            os.fsync(file.fileno())


def _table(rows: Sequence[vocabulary.Row], content: str) -> pyarrow.Table:
    import pyarrow as pa

    schema = vocabulary.arrow_schema().with_metadata(
        {b"markwatch.version": version("markwatch").encode(), _CONTENT: content.encode()}
    )
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def _fingerprint(rows: Sequence[vocabulary.Row]) -> str:
    return hashlib.sha256("\n".join(row["id"] for row in rows).encode()).hexdigest()[:32]


def _holds(part: Path, content: str) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_schema(part).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return False
    return found.get(_CONTENT) == content.encode()
