"""The lines that the README gives to analysts, run as they stand on codes that readers spoil."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest
from brokers import make_row

from flows.outputs import markwatch_files
from flows.sinks.csvfile import CsvOptions, CsvSink
from flows.sinks.parquet import ParquetOptions, ParquetSink
from stages.ports import Batch, Site

CSV_LINES = {
    "duckdb": (
        "duckdb.sql(\"SELECT * FROM read_csv('data/out/csv/*.csv',"
        ' all_varchar = true, allow_quoted_nulls = false)")'
    ),
    "polars": 'pl.read_csv("data/out/csv/*.csv", infer_schema=False)',
    "pandas": (
        'pd.concat(pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])'
        ' for file in glob("data/out/csv/*.csv"))'
    ),
}
PARQUET_LINES = {
    "duckdb": (
        'duckdb.execute(Path("data/out/parquet/markwatch.sql").read_text())\n'
        'duckdb.sql("FROM markwatch")'
    ),
    "polars": 'pl.read_parquet(markwatch_files("data/out/parquet"), glob=False)',
    "pandas": 'pd.read_parquet(markwatch_files("data/out/parquet"))',
}
CODES = ["00123", "NA", "1E5", "=1+1", "-7", "null", "true", "0x1F", "2026-01-02", None]
ENGINES = {
    "duckdb": duckdb,
    "pl": pl,
    "pd": pd,
    "glob": glob,
    "Path": Path,
    "markwatch_files": markwatch_files,
}


def read(line: str) -> dict[int, Any]:
    """Run lines of the README; the codes by seq, a missing one as None."""
    *before, last = ast.parse(line).body
    names = dict(ENGINES)
    exec(compile(ast.Module(before, []), "README", "exec"), names)
    found = eval(ast.unparse(last), names)
    if isinstance(found, duckdb.DuckDBPyRelation):
        pairs = found.project("seq, code").fetchall()
    else:
        pairs = zip(list(found["seq"]), list(found["code"]), strict=True)
    return {int(seq): None if pd.isna(code) else code for seq, code in pairs}


@pytest.fixture
def codes(tmp_path, monkeypatch) -> Callable[[list[str | None]], None]:
    """`codes([...])` delivers rows with these codes, a batch each, to both kinds of file."""
    monkeypatch.chdir(tmp_path)
    site = Site("plant-1", str(tmp_path))

    def deliver(values: list[str | None]) -> None:
        cursor = None
        with (
            CsvSink(CsvOptions(), site, "csv") as csv,
            ParquetSink(ParquetOptions(), site, "p") as pq,
        ):
            for seq, code in enumerate(values, 1):
                row = make_row(seq, code=code, camera="007")
                cursor = csv.deliver(Batch([row], seq - 1, seq, cursor=cursor)).cursor
                pq.deliver(Batch([row], seq - 1, seq))

    return deliver


@pytest.mark.parametrize("values", [CODES, ["00123", "00124"], ["1", "2"], [None]])
@pytest.mark.parametrize("engine", CSV_LINES)
def test_csv_when_read_as_documented_then_codes_are_what_they_were(codes, engine, values):
    codes(values)
    found = read(CSV_LINES[engine])
    # One apostrophe in front is documented: it keeps a spreadsheet from running the text.
    original = {seq: code and code.removeprefix("'") for seq, code in found.items()}
    assert original == dict(enumerate(values, 1))
    assert found.get(4) in (None, "'=1+1")


@pytest.mark.parametrize("values", [[*CODES, ""], ["00123", "00124"], ["1", "2"], [None]])
@pytest.mark.parametrize("engine", PARQUET_LINES)
def test_parquet_when_read_as_documented_then_codes_are_what_they_were(codes, engine, values):
    codes(values)
    assert read(PARQUET_LINES[engine]) == dict(enumerate(values, 1))


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_csv_when_a_text_is_empty_then_duckdb_and_polars_tell_it_from_null(codes, engine):
    codes(["", None])
    assert read(CSV_LINES[engine]) == {1: "", 2: None}


@pytest.mark.parametrize("engine", PARQUET_LINES)
def test_parquet_when_read_while_parts_are_written_then_no_read_fails_and_none_goes_back(
    tmp_path, monkeypatch, engine
):
    monkeypatch.chdir(tmp_path)
    parts = 30

    def write() -> None:
        with ParquetSink(ParquetOptions(), Site("plant-1", str(tmp_path)), "p") as sink:
            for seq in range(2, parts + 1):
                sink.deliver(Batch([make_row(seq)], seq - 1, seq))

    with ParquetSink(ParquetOptions(), Site("plant-1", str(tmp_path)), "p") as sink:
        sink.deliver(Batch([make_row(1)], 0, 1))
    writer = threading.Thread(target=write)
    writer.start()
    counts = [len(read(PARQUET_LINES[engine]))]
    while writer.is_alive():
        counts.append(len(read(PARQUET_LINES[engine])))
    writer.join()
    counts.append(len(read(PARQUET_LINES[engine])))
    assert counts == sorted(counts) and counts[-1] == parts
