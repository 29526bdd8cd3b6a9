"""CSV: one file a day for analysts, `readings-<station>-YYYY-MM-DD.csv` (UTC day of `read_at`).

RFC 4180, UTF-8, a header, one line per row: text is quoted, null is empty, lists and maps are
JSON, times are RFC 3339. Whole lines are appended in one write and fsynced; the receipt's cursor
is the file and its length, and after a crash the file is cut back to it. Control characters are
written as escapes (`\\n`), so a row is one line. Text that a spreadsheet would run as a formula,
and text that begins with an apostrophe, gets an apostrophe in front: drop one for the original.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import structlog
from pydantic import Field

from flows import vocabulary
from flows.files import durable
from flows.files.filenames import for_file
from flows.sinks.csv_lines import header_line, row_line
from stages.errors import ConfigError, DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Held, Receipt, Site

_BOM = b"\xef\xbb\xbf"
_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


class CsvOptions(Options):
    """Where files go and what they look like."""

    path: str = Field(default="data/out/csv", description="folder, relative to the root")
    bom: bool = Field(
        default=False, description="begin files with a byte order mark, for Excel's double click"
    )
    neutralise_formulas: bool = Field(
        default=True,
        description="put an apostrophe before text that begins with = + - @ or an apostrophe",
    )


@dataclass(frozen=True, slots=True)
class _Length:
    """How long this sink left a file, in bytes."""

    file: str
    offset: int


class CsvSink:
    """Whole lines appended to the day's file."""

    Options: ClassVar[type[Options]] = CsvOptions
    # Planned, because the first batch of a file has no cursor: its copies are known by their ids.
    cut = Cut(max_rows=500, max_seconds=0.0, daily=True, planned=True)
    replays_into_file: ClassVar[bool] = True

    def __init__(self, options: CsvOptions, site: Site, name: str) -> None:
        self._options = options
        self._path = Path(site.root, options.path)
        self._prefix = f"readings-{for_file(site.station)}-"
        self._left: _Length | None = None
        self._log = structlog.get_logger("markwatch.sinks.csv")
        self._header = (_BOM if options.bom else b"") + header_line()

    @staticmethod
    def folders(options: CsvOptions, site: Site) -> tuple[Path, ...]:
        """The folder of the files."""
        return (Path(site.root, options.path),)

    def __enter__(self) -> Self:
        self._prepare()
        self._left = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def deliver(self, batch: Batch) -> Receipt:
        """Append the batch's lines to the file of their day.

        Raises:
            DeliveryError: the disk is full or away, or another program holds the file.
        """
        days: dict[str, list[vocabulary.Row]] = {}
        for row in batch.rows:
            day = row["read_at"].astimezone(UTC).date().isoformat()
            days.setdefault(f"{self._prefix}{day}.csv", []).append(row)
        cursor = _length(batch.cursor)
        last = None
        for file, rows in days.items():
            try:
                last = self._append(file, rows, cursor)
            except OSError as error:
                self._left = None
                raise DeliveryError(durable.remedy(error, self._path / file)) from error
        if last is None:
            return Receipt()
        self._left = last
        return Receipt(cursor={"file": last.file, "offset": last.offset})

    def announce(self, state: Literal["online", "draining", "stopped"]) -> None:
        """Files have no state to tell."""

    def probe(self) -> str:
        """Say where files go, having written one there.

        Raises:
            DeliveryError: the folder cannot be written to.
        """
        self._prepare()
        trial = self._path / f".{self._prefix}probe"
        try:
            durable.write_new(trial, b"")
            trial.unlink()
        except OSError as error:
            raise DeliveryError(durable.remedy(error, self._path)) from error
        return f"csv files {self._path / self._prefix}YYYY-MM-DD.csv"

    def held(self, stations: Collection[str]) -> Iterator[Held]:
        """Every line of every file of these stations; its cells stay as they were written."""
        prefixes = tuple(f"readings-{for_file(station)}-" for station in stations)
        for path in sorted(self._path.glob("readings-*.csv")):
            if path.name[: -len("YYYY-MM-DD.csv")] not in prefixes:
                continue
            try:
                with path.open("rb") as lines:
                    yield from _held(path.name, lines)
            except OSError as error:
                yield Held(path.name, damage=f"cannot be read ({error.strerror})")

    def agrees(self, held: Held, row: Mapping[str, Any]) -> bool:
        """Whether a line is what this row is written as, its formulas neutralised or not."""
        return held.row == row_line(row, True) or held.row == row_line(row, False)

    def replay(self, batches: Iterable[Batch], file: Path | None) -> Iterator[str]:
        """Write rows into a new file of their own; the day's files and the cursor stay as they are.

        Written beside its name and renamed when it is whole: a crash leaves no part of it there.

        Raises:
            ConfigError: there is such a file, or it would lie among the day's files.
            DeliveryError: it cannot be written.
        """
        if file is None:
            raise ConfigError("a CSV is replayed into a file of its own: name it with -o FILE")
        if file.resolve().parent == self._path.resolve():
            raise ConfigError(
                f"{file} lies among the day's files, whose readers would see its rows twice; "
                "name a file elsewhere"
            )
        if os.path.lexists(file):
            raise ConfigError(f"{file} is there already; remove it, or name another file")
        staged = file.with_name(f".{file.name}.part")
        count = 0
        try:
            with staged.open("wb") as output:
                output.write(self._header)
                for batch in batches:
                    output.writelines(
                        row_line(row, self._options.neutralise_formulas) for row in batch.rows
                    )
                    count += len(batch.rows)
                output.flush()
                os.fsync(output.fileno())
            durable.move_new(staged, file)
            durable.fsync_directory(file.parent)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, file)) from error
        yield f"{count} rows in {file}"

    def _prepare(self) -> None:
        try:
            durable.make_folder(self._path)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, error.filename or self._path)) from error

    def _append(self, file: str, rows: Sequence[vocabulary.Row], cursor: _Length | None) -> _Length:
        path = self._path / file
        lines = [row_line(row, self._options.neutralise_formulas) for row in rows]
        durable.make_folder(self._path)
        handle = os.open(path, _FLAGS, 0o644)
        try:
            size = os.fstat(handle).st_size
            start = self._start(handle, file, size, lines, cursor)
            text = b"".join(lines) if start else self._header + b"".join(lines)
            if start < size:
                os.ftruncate(handle, start)
            os.lseek(handle, start, os.SEEK_SET)
            if os.write(handle, text) < len(text):
                os.ftruncate(handle, start)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
        if cursor is None or cursor.file != file:
            durable.fsync_directory(self._path)
        return _Length(file, start + len(text))

    def _start(
        self,
        handle: int,
        file: str,
        size: int,
        lines: Sequence[bytes],
        cursor: _Length | None,
    ) -> int:
        """Where the batch's first line belongs; everything after it is cut off."""
        if cursor is not None and cursor.file == file:
            if size < cursor.offset:
                words = "was shortened" if size else "is gone"
                self._log.warning(f"file {words}; earlier rows are not written again", file=file)
            elif not _ends_line(handle, cursor.offset):
                self._log.warning("file was changed by another program", file=file)
            elif size > cursor.offset and cursor == self._left:
                self._log.warning("file was added to by another program", file=file)
            else:
                return cursor.offset
        # The ledger does not know how long this file is: what stands there stays, but for a torn
        # line and for copies of this very batch, left by a crash before its receipt.
        return _end_of_others(handle, lines)


def _end_of_others(handle: int, lines: Sequence[bytes]) -> int:
    """Where a file's last whole line ends that has none of the ids of `lines`.

    No line of ours holds a zero byte: after a power cut one stands for what was not on disk yet,
    be it in the head of a file whose first lines were being written.
    """
    ids = {line.partition(b",")[0] for line in lines}
    end = position = 0
    os.lseek(handle, 0, os.SEEK_SET)
    with open(handle, "rb", closefd=False) as content:
        for line in content:
            position += len(line)
            whole = line.endswith(b"\n") and b"\0" not in line
            if whole and line.partition(b",")[0] not in ids:
                end = position
    return end


def _ends_line(handle: int, offset: int) -> bool:
    if offset == 0:
        return True
    os.lseek(handle, offset - 1, os.SEEK_SET)
    return os.read(handle, 1) == b"\n"


def _length(cursor: Mapping[str, Any] | None) -> _Length | None:
    return _Length(cursor["file"], cursor["offset"]) if cursor else None


def _held(file: str, lines: Iterable[bytes]) -> Iterator[Held]:
    for number, line in enumerate(lines, 1):
        place = f"{file}:{number}"
        if not line.endswith(b"\n"):
            yield Held(place, damage="the last line is not whole", torn=True)
        elif number > 1 or line.removeprefix(_BOM) != header_line():
            cells = line.split(b",", 2)
            try:
                key, seq = cells[0].decode().strip('"'), int(cells[1])
            except (IndexError, ValueError):
                yield Held(place, damage="is no line of markwatch's")
            else:
                yield Held(place, key, seq, file[-len("YYYY-MM-DD.csv") : -len(".csv")], line)
