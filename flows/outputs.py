"""Reading the Parquet tree: every row once, also while days are consolidated and old parts go.

`recent/` holds parts as they were delivered, `daily/` the files that closed days became. Each file
of `daily/` names the parts that it holds, so a part is left out exactly when one of them names it.
`recent/` is listed first: what leaves it meanwhile is named in `daily/` since long. `markwatch.sql`
in the tree does the same in DuckDB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

PARTS = b"markwatch.parts"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Named:
    """A part as a daily file names it: its file name, the fingerprint of its ids, its rows."""

    name: str
    content: str
    rows: int


def markwatch_files(tree: str | os.PathLike[str]) -> list[str]:
    """The Parquet files under `data/out/parquet` that together hold every row once, oldest first.

    For any engine: `pd.read_parquet(markwatch_files(tree))`, `pl.read_parquet(..., glob=False)`.
    Read them within the hour: a part leaves `recent/` no sooner than that after its daily file
    came.

    Raises:
        FileNotFoundError: there is no such tree.
    """
    top = Path(tree)
    if not top.is_dir():
        raise FileNotFoundError(f"{top} is no folder: give the sink's path, data/out/parquet")
    recent = list(below(top / "recent"))
    daily = list(below(top / "daily"))
    dates = {path.parent.name for path in recent}
    covered = {
        (path.parent.name, part.name)
        for path in daily
        if path.parent.name in dates
        for part in named_by(path)
    }
    chosen = daily + [path for path in recent if (path.parent.name, path.name) not in covered]
    return [str(path) for path in sorted(chosen, key=lambda path: (path.parent.name, path.name))]


def markwatch_rows(
    tree: str | os.PathLike[str], columns: Sequence[str] | None = None, filter: Any = None
) -> pyarrow.Table:
    """Every row of the tree once, as an Arrow table (`.to_pandas()`, `pl.from_arrow`).

    `columns` and `filter` are those of `pyarrow.dataset.Dataset.to_table`. A file that leaves
    between the choice and its reading is chosen anew, so this never fails for being slow.

    Raises:
        FileNotFoundError: there is no such tree.
        OSError: a file cannot be read.
    """
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    names = None if columns is None else list(columns)
    for chance in range(_TRIES):
        files = markwatch_files(tree)
        try:
            if not files:
                return _no_rows(names)
            found = ds.dataset(files, schema=pq.read_schema(files[-1]), format="parquet")
            return found.to_table(columns=names, filter=filter)
        except FileNotFoundError:
            if chance == _TRIES - 1:
                raise
    raise AssertionError("unreachable")


def below(top: Path) -> Iterator[Path]:
    """The files `*.parquet` in the `date=` folders of one tree, in order; none if it is not there.

    A folder that goes meanwhile is passed over.
    """
    for folder in _entries(top):
        if folder.name.startswith("date="):
            yield from (path for path in _entries(folder) if path.suffix == ".parquet")


def named_by(day: Path) -> list[Named]:
    """The parts that a daily file holds, in its order; none if it is damaged or no daily file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(day).metadata or {}
    except (OSError, pa.ArrowException):
        # Reading it will say what is wrong; until then its parts count as they lie.
        return []
    return parse_named(metadata.get(PARTS, b""))


def parse_named(content: bytes) -> list[Named]:
    """What stands in a daily file's metadata under `markwatch.parts`: a part a line."""
    lines = (line.split() for line in content.decode().splitlines())
    return [Named(name, content, int(rows)) for name, content, rows in lines]


def _entries(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _no_rows(names: list[str] | None) -> pyarrow.Table:
    from flows import vocabulary

    table = vocabulary.arrow_schema().empty_table()
    return table if names is None else table.select(names)
