"""CSV: one file a day for analysts, `readings-<station>-YYYY-MM-DD.csv` (UTC day of `read_at`).

RFC 4180, UTF-8, a header, one line per row: text is quoted, null is empty, lists and maps are
JSON, times are RFC 3339. Whole lines are appended in one write and fsynced; the receipt's cursor
is the file and its length, and after a crash the file is cut back to it. Control characters are
written as escapes (`\\n`), so a row is one line. Text that a spreadsheet would run as a formula,
and text that begins with an apostrophe, gets an apostrophe in front: drop one for the original.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import structlog
from pydantic import Field

from flows import durable, vocabulary
from flows.filenames import for_file
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Receipt, Site

_BOM = b"\xef\xbb\xbf"
_END = "\r\n"
# What would end a line for some reader: C0, DEL, C1 and the Unicode separators.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# OWASP, "CSV Injection", with the full-width forms that spreadsheets fold to ASCII.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20'")
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

    def __init__(self, options: CsvOptions, site: Site, name: str) -> None:
        self._options = options
        self._path = Path(site.root, options.path)
        self._prefix = f"readings-{for_file(site.station)}-"
        self._left: _Length | None = None
        self._log = structlog.get_logger("markwatch.sinks.csv")
        header = _line(_quoted(name) for name in vocabulary.NAMES)
        self._header = (_BOM if options.bom else b"") + header

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

    def _prepare(self) -> None:
        try:
            durable.make_folder(self._path)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, error.filename or self._path)) from error

    def _append(self, file: str, rows: Sequence[vocabulary.Row], cursor: _Length | None) -> _Length:
        path = self._path / file
        lines = [_row(row, self._options.neutralise_formulas) for row in rows]
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
    """Where a file's last whole line ends that has none of the ids of `lines`."""
    ids = {line.partition(b",")[0] for line in lines}
    end = position = 0
    os.lseek(handle, 0, os.SEEK_SET)
    with open(handle, "rb", closefd=False) as content:
        for line in content:
            position += len(line)
            if line.endswith(b"\n") and line.partition(b",")[0] not in ids:
                end = position
    return end


def _ends_line(handle: int, offset: int) -> bool:
    if offset == 0:
        return True
    os.lseek(handle, offset - 1, os.SEEK_SET)
    return os.read(handle, 1) == b"\n"


def _length(cursor: Mapping[str, Any] | None) -> _Length | None:
    return _Length(cursor["file"], cursor["offset"]) if cursor else None


def _row(row: vocabulary.Row, neutralise: bool) -> bytes:
    return _line(
        _CELLS[field.kind](row[field.name], neutralise) if row[field.name] is not None else ""
        for field in vocabulary.FIELDS
    )


def _line(cells: Iterable[str]) -> bytes:
    return (",".join(cells) + _END).encode()


def _text(value: str, neutralise: bool) -> str:
    if neutralise and value.lstrip().startswith(_FORMULA):
        value = "'" + value
    return _quoted(_CONTROL.sub(_escape, value))


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _json(value: Any, neutralise: bool) -> str:
    return _text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), neutralise=False)


_CELLS: dict[str, Callable[[Any, bool], str]] = {
    "text": _text,
    "status": _text,
    "integer": lambda value, _: str(value),
    "number": lambda value, _: repr(float(value)),
    "boolean": lambda value, _: "true" if value else "false",
    "time": lambda value, _: vocabulary.instant(value),
    "box": _json,
    "outline": _json,
    "characters": _json,
    "timings": _json,
}
