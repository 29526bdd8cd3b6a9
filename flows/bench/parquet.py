"""Questions to a year of Parquet as the sink leaves it, beside the same rows in a single file.

The year is files of closed days that name their parts, and the parts of the last days that
`recent/` still has: a part a minute, as a slow line makes them. DuckDB asks by `markwatch.sql`,
which chooses the files anew each time; the peer is what DuckDB needs for one file of all rows.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as hour
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import vocabulary
from flows.bench.figure import Figure, Say, interleaved
from flows.bench.filling import CAMERAS, STATION, report
from flows.outputs import PARTS
from flows.sinks import parquet_view
from flows.sinks.parquet_days import GROUP_ROWS
from flows.sinks.parquet_parts import arrow_table
from stages.errors import ConfigError

if TYPE_CHECKING:
    import duckdb
    import pyarrow

PART = "parquet"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many days, rows a day, parts a day; how many days have their parts in `recent/`."""

    days: int = 365
    rows_a_day: int = 2_000
    parts_a_day: int = 1_440
    recent_days: int = 7
    rounds: int = 5


FULL = Sizes(rows_a_day=10_000)
QUICK = Sizes(days=4, rows_a_day=60, parts_a_day=6, recent_days=2, rounds=2)


def measure(sizes: Sizes, say: Say, folder: Path) -> Iterator[Figure]:
    """Make the year, then ask each question of both, in turns.

    Raises:
        ConfigError: DuckDB is not installed, or an answer differs between the two.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError("the questions are asked by DuckDB: `pip install duckdb`") from error
    end = datetime.combine(datetime.now(UTC).date(), hour(0), UTC)
    tree, single = folder / "parquet", folder / "single.parquet"
    say(
        f"making {sizes.days} days of {sizes.rows_a_day:,} rows, the last {sizes.recent_days} also"
        f" in {sizes.parts_a_day:,} parts each"
    )
    make_year(tree, single, sizes, end, say)
    with duckdb.connect() as views, duckdb.connect() as plain:
        plain.execute("SET TimeZone = 'UTC'")
        views.execute("SET TimeZone = 'UTC'")
        plain.execute(f"CREATE VIEW markwatch AS SELECT * FROM read_parquet('{single}')")
        sql = (tree / "markwatch.sql").read_text(encoding="utf-8")
        say("asking")
        choosing = interleaved(sizes.rounds, {"view": lambda: _milliseconds(views.execute, sql)})
        yield Figure(PART, "choosing the files (markwatch.sql)", "ms", choosing["view"])
        for name, question in _questions(sizes, end).items():
            yield from _asked(name, question, views, plain, sizes.rounds)


def _questions(sizes: Sizes, end: datetime) -> dict[str, str]:
    day = (end - timedelta(days=max(1, sizes.days // 2))).date()
    code = f"KX{sizes.rows_a_day // 2:06d}"
    return {
        "readings by day and camera": (
            "SELECT date_trunc('day', read_at) AS day, camera, count(*) FROM markwatch"
            " GROUP BY ALL ORDER BY ALL"
        ),
        "the readings of one day": (
            "SELECT id, camera, code, status, confidence FROM markwatch"
            f" WHERE read_at >= '{day}' AND read_at < '{day + timedelta(days=1)}' ORDER BY id"
        ),
        "the same, by the folders' date": (
            "SELECT id, camera, code, status, confidence FROM markwatch"
            f" WHERE date = '{day}' ORDER BY id"
        ),
        "where a code was read": (
            f"SELECT id, camera, read_at FROM markwatch WHERE code = '{code}' ORDER BY id"
        ),
    }


def _asked(
    name: str,
    question: str,
    views: duckdb.DuckDBPyConnection,
    plain: duckdb.DuckDBPyConnection,
    rounds: int,
) -> Iterator[Figure]:
    # One file has no folders.
    single = question.replace("WHERE date =", "WHERE read_at::DATE =")
    if views.execute(question).fetchall() != plain.execute(single).fetchall():
        raise ConfigError(f"{name}: the tree and the single file answer differently")
    taken = interleaved(
        rounds,
        {
            "year": lambda: _milliseconds(_fetched, views, question),
            "single": lambda: _milliseconds(_fetched, plain, single),
        },
    )
    yield Figure(PART, f"{name}, one file", "ms", taken["single"])
    yield Figure(PART, name, "ms", taken["year"], peer=f"{name}, one file", paired=True)


def make_year(tree: Path, single: Path, sizes: Sizes, end: datetime, say: Say) -> None:
    """Write the tree that the sink would have left at `end`, and one file of the same rows."""
    import pyarrow.parquet as pq

    sample = [
        row
        for number in range(sizes.rows_a_day)
        for row in vocabulary.rows(
            report(number, f"{number:032x}", "", end), station=STATION, first_seq=1, read_at=end
        )
    ]
    table = arrow_table(sample, "-")
    with pq.ParquetWriter(single, table.schema, compression="zstd") as whole:
        for day in range(sizes.days):
            began = end - timedelta(days=sizes.days - day)
            moved = _moved(table, day * sizes.rows_a_day, began)
            whole.write_table(moved, row_group_size=GROUP_ROWS)
            _write_day(tree, moved, day, began, sizes)
            if (day + 1) % 50 == 0:
                say(f"{day + 1} days")
    staging = tree / "staging"
    staging.mkdir(exist_ok=True)
    (tree / "recent").mkdir(exist_ok=True)
    parquet_view.write(tree, staging)


def _write_day(tree: Path, table: pyarrow.Table, day: int, began: datetime, sizes: Sizes) -> None:
    import pyarrow.parquet as pq

    first, rows = day * sizes.rows_a_day, sizes.rows_a_day
    date = f"date={began.date().isoformat()}"
    cuts = [rows * part // sizes.parts_a_day for part in range(sizes.parts_a_day + 1)]
    parts = [(after, to) for after, to in itertools.pairwise(cuts) if to > after]
    names = [_name("part", first + after, first + to) for after, to in parts]
    told = "\n".join(
        f"{name} {'0' * 32} {to - after}" for name, (after, to) in zip(names, parts, strict=True)
    )
    folder = tree / "daily" / date
    folder.mkdir(parents=True)
    pq.write_table(
        table.replace_schema_metadata({**table.schema.metadata, PARTS: told.encode()}),
        folder / _name("day", first, first + rows, "-00000000"),
        row_group_size=GROUP_ROWS,
        compression="zstd",
        compression_level=3,
        write_page_index=True,
    )
    if day >= sizes.days - sizes.recent_days:
        folder = tree / "recent" / date
        folder.mkdir(parents=True)
        for name, (after, to) in zip(names, parts, strict=True):
            part = table.slice(after, to - after)
            pq.write_table(part, folder / name, compression="zstd", compression_level=3)


def _name(kind: str, after: int, to: int, digest: str = "") -> str:
    return f"{kind}-{STATION}-{after:010d}-{to:010d}{digest}.parquet"


def _moved(table: pyarrow.Table, first: int, began: datetime) -> pyarrow.Table:
    """The rows of another day: other numbers, ids and times; codes that go on counting."""
    import pyarrow as pa

    rows = table.num_rows
    numbers = range(first, first + rows)
    step = timedelta(days=1) / rows
    times = pa.array([began + step * at for at in range(rows)], pa.timestamp("us", tz="UTC"))
    columns: dict[str, Any] = {
        "id": pa.array([f"{number:032x}-1-1" for number in numbers]),
        "seq": pa.array([number + 1 for number in numbers], pa.int64()),
        "camera": pa.array([f"cam-{number % CAMERAS:03d}" for number in numbers]),
        "code": pa.array([f"KX{number % 1_000_000:06d}" for number in numbers]),
        **dict.fromkeys(vocabulary.TIMES, times),
    }
    for name, column in columns.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), column)
    return table


def _fetched(connection: duckdb.DuckDBPyConnection, question: str) -> None:
    connection.execute(question).fetchall()


def _milliseconds(do: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    do(*arguments)
    return (time.perf_counter() - begin) * 1000
