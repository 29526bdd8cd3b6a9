"""The demo's end: what MQTT, CSV, Parquet and the ledger hold, against what was dropped."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console

from flows import vocabulary
from flows.configuration.settings import Layout


def conclude(
    console: Console,
    layout: Layout,
    expected: Mapping[tuple[str, str], str | None],
    heard: Mapping[str, vocabulary.Row],
    *,
    stopped: bool,
    more: bool,
) -> int:
    """Tell what was found where; 0, or 1 when the four counts or any id differ.

    `expected` is the code of each camera's picture, None for the damaged one; `more` says that
    others may have come too, and `stopped` that the watch ended well.
    """
    ids = {
        "MQTT": list(heard),
        "CSV": list(_csv_ids(layout)),
        "Parquet": list(_parquet_ids(layout)),
        "ledger": list(_ledger_ids(layout)),
    }
    codes = [
        (row["code"], expected[row["camera"], row["image"]])
        for row in heard.values()
        if row["code"] is not None and (row["camera"], row["image"]) in expected
    ]
    right = sum(code == wanted for code, wanted in codes)
    wrong = len(codes) - right
    out = layout.root / "data"
    torn = next(name for (_, name), code in expected.items() if code is None)
    damaged = next((out / "failed").rglob(torn), None)
    console.print()
    console.print(
        f"expected   {len(expected)} readings, one of them of a damaged picture", highlight=False
    )
    for name, found in ids.items():
        console.print(f"{name:<10} {len(found)} readings", highlight=False)
    console.print(
        f"codes      {right} of {len(expected) - 1} right, {wrong} wrong, the others not given out",
        highlight=False,
    )
    console.print(
        f"damaged    {damaged or 'NOT FOUND'} (with .reason.json)", highlight=False, soft_wrap=True
    )
    console.print(
        f"files      {out}/out, pictures in {out}/archive", highlight=False, soft_wrap=True
    )
    console.print("open them with", highlight=False)
    for line in opening_lines(out / "out"):
        console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    known = len(ids["ledger"])
    same = all(len(found) == known and set(found) == set(ids["ledger"]) for found in ids.values())
    same &= known == len(expected) or (more and known > len(expected))
    if not (same and stopped and damaged):
        console.print("the counts or ids differ, or the watch did not end well", style="red")
        return 1
    return 0


def opening_lines(out: Path) -> tuple[str, str, str]:
    """How to open the results: DuckDB, pandas, a spreadsheet."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    parts = f"{out}/parquet/recent"
    names = ["seq", "camera", "image", "code", "status"]
    query = f"SELECT {', '.join(names)} FROM '{parts}/**/*.parquet' ORDER BY seq"
    return (
        f'{python} -c "import duckdb; duckdb.sql(\\"{query}\\").show(max_rows=999)"',
        f"{python} -c \"import pandas; print(pandas.read_parquet('{parts}')[{names}])\"",
        # Comma, quote, UTF-8, from line 1, quoted cells stay text: leading zeros survive.
        f'libreoffice --calc --infilter="CSV:44,34,76,1,,0,true" {out}/csv/*.csv',
    )


def _csv_ids(layout: Layout) -> Iterator[str]:
    for path in sorted((layout.root / "data" / "out" / "csv").glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            yield from (row["id"] for row in csv.DictReader(file))


def _parquet_ids(layout: Layout) -> Iterator[str]:
    import pyarrow.parquet as pq

    for path in sorted((layout.root / "data" / "out" / "parquet" / "recent").rglob("*.parquet")):
        yield from pq.read_table(path, columns=["id"], partitioning=None)["id"].to_pylist()


def _ledger_ids(layout: Layout) -> Iterator[str]:
    db = sqlite3.connect(f"{layout.ledger.as_uri()}?mode=ro", uri=True)
    try:
        yield from (key for (key,) in db.execute("SELECT id FROM rows ORDER BY seq"))
    finally:
        db.close()
