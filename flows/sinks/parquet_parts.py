"""Parquet parts as files: their names, their content, and how one is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import vocabulary

if TYPE_CHECKING:
    import pyarrow

CONTENT = b"markwatch.content"
VERSION = b"markwatch.version"
_FILE = re.compile(
    r"(?P<kind>part|day)-(?P<station>.+)-(?P<a>\d{10,})-(?P<b>\d{10,})(-[0-9a-f]{8})?\.parquet"
)


def parsed(name: str) -> tuple[str, str, int, int] | None:
    """The kind (`part` or `day`), the station and the range (after, to] that a file name tells."""
    found = _FILE.fullmatch(name)
    return found and (found["kind"], found["station"], int(found["a"]), int(found["b"]))


def arrow_table(rows: Sequence[vocabulary.Row], content: str) -> pyarrow.Table:
    """Rows as they are written into a part of this fingerprint."""
    import pyarrow as pa

    schema = vocabulary.arrow_schema().with_metadata(
        {VERSION: version("markwatch").encode(), CONTENT: content.encode()}
    )
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def fingerprint(rows: Sequence[Mapping[str, Any]]) -> str:
    """What two parts of the same rows have in common."""
    return hashlib.sha256("\n".join(row["id"] for row in rows).encode()).hexdigest()[:32]


def content_of(part: Path) -> str | None:
    """The fingerprint that a part was written with; None if it has none or is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = (pq.read_schema(part).metadata or {}).get(CONTENT)
    except (OSError, pa.ArrowInvalid):
        return None
    return None if found is None else found.decode()


def read_table(part: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """The rows of a file of either tree.

    Raises:
        OSError: it cannot be read, or is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(part) as opened:
            return opened.read(columns)
    except pa.ArrowException as error:
        raise OSError(" ".join(str(error).split())[:200]) from error


def read_rows(part: Path) -> list[dict[str, Any]]:
    """The same as mappings.

    Raises:
        OSError: it cannot be read, or is damaged.
    """
    return read_table(part).to_pylist(maps_as_pydicts="strict")


def disjoint(parts: Iterable[Path]) -> Iterator[list[Path]]:
    """Lists of parts whose ranges do not overlap, each in order; nearly always there is one.

    Ranges of one ledger never overlap. A ledger that began anew has its own numbers.
    """
    left = sorted(parts, key=_span)
    while left:
        together, others, reached = [], [], -1
        for path in left:
            after, to = _span(path)
            if after >= reached:
                together.append(path)
                reached = to
            else:
                others.append(path)
        yield together
        left = others


def _span(path: Path) -> tuple[int, int]:
    found = parsed(path.name)
    return (found[2], found[3]) if found else (0, 0)


def day_of(folder: str) -> date:
    """The day of a `date=` folder; one that is none is never over."""
    try:
        return date.fromisoformat(folder.removeprefix("date="))
    except ValueError:
        return date.max - timedelta(days=1)
