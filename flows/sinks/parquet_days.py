"""Closed days: their parts become one file under `daily/`, and leave `recent/` when they are old.

A daily file is written aside, read back against its parts row by row, fsynced and renamed to a new
name, then never changed. Its metadata names the parts that it holds, and readers leave out exactly
those (`flows/outputs.py`), so both trees may hold a row and no reader sees it twice. A row that
comes to a day later (a clock that was set back, a replay) is in a part that no daily file names: it
becomes a further file of that day. A kill at any point leaves a file aside that the next pass
removes, or a removal that it finishes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from flows.files import durable
from flows.outputs import PARTS, Named, below, named_by, parse_named
from flows.sinks.parquet_parts import (
    CONTENT,
    VERSION,
    content_of,
    day_of,
    disjoint,
    parsed,
    read_table,
)
from stages.ports import Tidied

if TYPE_CHECKING:
    import pyarrow

GROUP_ROWS = 20_000
GRACE = timedelta(hours=1)


class Days:
    """The days of one station in one tree."""

    def __init__(self, path: Path, station: str, staging: Path, level: int) -> None:
        self._recent = path / "recent"
        self._daily = path / "daily"
        self._station = station
        self._staging = staging
        self._level = level

    def prune(self, now: datetime, keep: timedelta, stop: threading.Event) -> Iterator[Tidied]:
        """Remove parts from `recent/` that are proved to lie in `daily/`, `keep` after their day.

        Raises:
            OSError: a part cannot be removed.
        """
        for day in self._ours(self._daily, "day"):
            folder = self._recent / day.parent.name
            over = day_of(day.parent.name) + timedelta(days=1)
            if stop.is_set() or now - keep < datetime.combine(over, time(), UTC):
                return
            there = [part for part in named_by(day) if (folder / part.name).exists()]
            # A reader that chose a part before its daily file was there is still to read it.
            if not there or now.timestamp() - day.stat().st_mtime < GRACE.total_seconds():
                continue
            try:
                words = difference(day, folder, stop)
            except StoppedError:
                return
            if words is not None:
                yield _trouble(day, f"{words}; its parts stay in recent/")
                continue
            for part in there:
                (folder / part.name).unlink(missing_ok=True)
            durable.fsync_directory(folder)
            with suppress(OSError):
                folder.rmdir()
            yield Tidied(f"{len(there)} parts of {day.parent.name} left recent/")

    def consolidate(self, closed: date, stop: threading.Event) -> Iterator[Tidied]:
        """Make the daily files of all days before `closed` that have parts which none holds.

        Raises:
            OSError: a file cannot be written.
        """
        durable.make_folder(self._staging)
        for leftover in self._staging.iterdir():
            leftover.unlink()
        waiting: dict[str, list[Path]] = {}
        for path in self._ours(self._recent, "part"):
            if day_of(path.parent.name) < closed:
                waiting.setdefault(path.parent.name, []).append(path)
        held = {
            (day.parent.name, part.name)
            for day in self._ours(self._daily, "day")
            if day.parent.name in waiting
            for part in named_by(day)
        }
        for name, paths in waiting.items():
            parts = [path for path in paths if (name, path.name) not in held]
            for together in disjoint(parts):
                try:
                    yield self._write(name, together, stop)
                except StoppedError:
                    return

    def _ours(self, top: Path, kind: str) -> list[Path]:
        return [
            path
            for path in below(top)
            if (found := parsed(path.name)) is not None and found[:2] == (kind, self._station)
        ]

    def _write(self, name: str, parts: Sequence[Path], stop: threading.Event) -> Tidied:
        spans = [found[2:] for path in parts if (found := parsed(path.name))]
        after, to = min(span[0] for span in spans), max(span[1] for span in spans)
        stem = f"day-{self._station}-{after:010d}-{to:010d}"
        staged = self._staging / f"{name}.{stem}.parquet"
        folder = self._daily / name
        try:
            told = _stage(staged, parts, self._level, stop)
        except OSError as error:
            if error.errno is not None:
                raise
            # Damage, not a disk: `audit` names the part and its remedy.
            return _trouble(folder / f"{stem}.parquet", f"{error}: run `markwatch audit`")
        words = difference(staged, self._recent / name, stop, complete=True)
        if words is not None:
            staged.unlink()
            return _trouble(folder / f"{stem}.parquet", f"{words}; it is made again")
        final = folder / f"{stem}.parquet"
        if final.exists():
            # Another ledger's day of this name, or one whose parts somebody put back under others.
            final = folder / f"{stem}-{_digest(told)[:8]}.parquet"
        durable.make_folder(folder)
        durable.move_new(staged, final)
        durable.fsync_directory(folder)
        rows = sum(part.rows for part in told)
        return Tidied(f"{rows} rows of {len(told)} parts are now {name}/{final.name}")


class StoppedError(Exception):
    """The flow ends; the next pass begins this anew."""


def difference(
    day: Path, folder: Path, stop: threading.Event, *, complete: bool = False
) -> str | None:
    """Why a daily file does not hold what its parts in `folder` hold; None when it does.

    Parts that are not there any more are passed over, unless it must be `complete`. Compares every
    value of every row, a row group at a time.

    Raises:
        OSError: a disk is away.
        StoppedError: `stop` is set.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(day) as opened:
            told = parse_named((opened.metadata.metadata or {}).get(PARTS, b""))
            groups = iter(range(opened.num_row_groups))
            table, at = opened.schema_arrow.empty_table(), 0
            for part in told:
                if stop.is_set():
                    raise StoppedError
                if at == table.num_rows:
                    table, at = opened.read_row_group(next(groups)), 0
                piece, at = table.slice(at, part.rows), at + part.rows
                try:
                    own = _fitted(read_table(folder / part.name), table.schema)
                except FileNotFoundError:
                    if complete:
                        return f"{part.name} has gone"
                    own = piece
                if piece.num_rows != part.rows or not own.equals(piece):
                    return f"it does not hold the rows of {part.name}"
            if at != table.num_rows or next(groups, None) is not None:
                return "it holds rows of no part"
    except (pa.ArrowException, StopIteration, ValueError) as error:
        return f"it is damaged ({' '.join(str(error).split())[:200]})"
    except OSError as error:
        if error.errno is not None:
            raise
        return f"it is damaged ({error})"
    return None


def _stage(staged: Path, parts: Sequence[Path], level: int, stop: threading.Event) -> list[Named]:
    """Write the rows of these parts to one file, a row group at a time; returns what it names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    told: list[Named] = []
    schema = _schema(parts)
    with staged.open("wb") as file:
        with pq.ParquetWriter(
            file, schema, compression="zstd", compression_level=level, write_page_index=True
        ) as writer:
            group: list[pyarrow.Table] = []

            def flush() -> None:
                if group:
                    table = pa.concat_tables(group)
                    writer.write_table(table, row_group_size=table.num_rows)
                    group.clear()

            for path in parts:
                if stop.is_set():
                    raise StoppedError
                try:
                    table = _fitted(read_table(path), schema)
                except pa.ArrowException as error:
                    raise OSError(f"{path.name} does not fit the others ({error})") from error
                except OSError as error:
                    raise OSError(f"{path.name} cannot be read ({error})") from error
                told.append(Named(path.name, content_of(path) or "-", table.num_rows))
                # A part lies in one row group, so that it can be compared by itself.
                group.append(table)
                if sum(each.num_rows for each in group) >= GROUP_ROWS:
                    flush()
            flush()
            writer.add_key_value_metadata(
                {
                    PARTS: _lines(told).encode(),
                    CONTENT: _digest(told).encode(),
                    VERSION: version("markwatch").encode(),
                }
            )
        file.flush()
        os.fsync(file.fileno())
    return told


def _schema(parts: Sequence[Path]) -> pyarrow.Schema:
    """The columns of all these parts: those of the newest version, and what only others have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = []
    for path in parts:
        try:
            schema = pq.read_schema(path).remove_metadata()
        except (pa.ArrowException, OSError) as error:
            raise OSError(f"{path.name} cannot be read ({error})") from error
        if not schemas or not schema.equals(schemas[-1]):
            schemas.append(schema)
    try:
        whole = pa.unify_schemas(schemas)
    except pa.ArrowException as error:
        raise OSError(f"parts of {parts[0].parent.name} do not fit ({error})") from error
    return pa.schema(
        field.with_nullable(True) if any(field.name not in one.names for one in schemas) else field
        for field in whole
    )


def _fitted(table: pyarrow.Table, schema: pyarrow.Schema) -> pyarrow.Table:
    """The same rows in these columns; what an older version did not write is null."""
    import pyarrow as pa

    return pa.table(
        [
            table[field.name].cast(field.type)
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ],
        schema=schema,
    )


def _lines(told: Iterable[Named]) -> str:
    return "\n".join(f"{part.name} {part.content} {part.rows}" for part in told)


def _digest(told: Iterable[Named]) -> str:
    return hashlib.sha256(_lines(told).encode()).hexdigest()[:32]


def _trouble(day: Path, words: str) -> Tidied:
    return Tidied(f"daily file {day.parent.name}/{day.name}: {words}", trouble=True)
