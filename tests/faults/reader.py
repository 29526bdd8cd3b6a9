"""`python -m faults.reader ENGINE ROOT READS`: an analyst who reads an output again and again.

The engines read as the README says. Waits for the first file, then prints one JSON line: how many
reads, what went wrong in them, how often fewer rows were there than before, or one row twice.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from glob import glob
from pathlib import Path
from typing import Any

from flows.outputs import markwatch_files, markwatch_rows

WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.05
TREE = "data/out/parquet"


def _duckdb() -> Callable[[], Sequence[int]]:
    import duckdb

    def read() -> Sequence[int]:
        duckdb.execute(Path(TREE, "markwatch.sql").read_text())
        return [seq for (seq,) in duckdb.sql("SELECT seq FROM markwatch").fetchall()]

    return read


def _polars() -> Callable[[], Sequence[int]]:
    import polars

    return lambda: polars.read_parquet(markwatch_files(TREE), glob=False)["seq"].to_list()


def _pandas() -> Callable[[], Sequence[int]]:
    import pandas

    return lambda: pandas.read_parquet(markwatch_files(TREE))["seq"].tolist()


def _pyarrow() -> Callable[[], Sequence[int]]:
    return lambda: markwatch_rows(TREE, columns=["seq"])["seq"].to_pylist()


ENGINES = {"duckdb": _duckdb, "polars": _polars, "pandas": _pandas, "pyarrow": _pyarrow}


def main(engine: str, root: str, reads: str) -> None:
    """Read so many times and print what came of it."""
    os.chdir(root)
    read = ENGINES[engine]()
    end = time.monotonic() + WAIT_SECONDS
    while not glob(f"{TREE}/recent/**/*.parquet", recursive=True) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    print(json.dumps(_loop(read, int(reads))))  # noqa: T201


def _loop(read: Callable[[], Sequence[int]], reads: int) -> dict[str, Any]:
    before, back, twice, errors = 0, 0, 0, []
    for _ in range(reads):
        try:
            seqs = read()
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}"[:300])
            continue
        back += len(seqs) < before
        twice += len(set(seqs)) < len(seqs)
        before = len(seqs)
    return {"reads": reads, "errors": errors, "back": back, "twice": twice, "rows": before}


if __name__ == "__main__":
    main(*sys.argv[1:])
