"""`markwatch.sql` in the Parquet tree: one view of both trees, for DuckDB.

Every run of it chooses the files anew, exactly as `flows/outputs.py` does. A file without rows,
which carries today's columns, lets the view stand while there is no other.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from flows import vocabulary
from flows.files import durable

EMPTY = "empty/date=1970-01-01/empty.parquet"
_SQL = """\
-- markwatch: every row once, from recent/ and daily/, for DuckDB 1.2 or later.
--
--     duckdb -init {shown}
--     SELECT camera, count(*) FROM markwatch GROUP BY camera;
--
-- The view is of the files that there are now: run this again for what has come since, and at least
-- every hour. recent/ is listed first: a part that a file of daily/ names is read from there.
-- Moved elsewhere, change this line.
SET VARIABLE markwatch_tree = {tree};

-- A path as a pattern of itself.
CREATE OR REPLACE TEMP MACRO markwatch_exactly(path) AS
    regexp_replace(path, '([*?[])', '[\\1]', 'g');
SET VARIABLE markwatch_recent = (
    SELECT list(markwatch_exactly(file) ORDER BY file)
    FROM glob(markwatch_exactly(getvariable('markwatch_tree')) || '/recent/date=*/*.parquet'));
SET VARIABLE markwatch_daily = (
    SELECT list(markwatch_exactly(file) ORDER BY file)
    FROM glob(markwatch_exactly(getvariable('markwatch_tree')) || '/daily/date=*/*.parquet'));
SET VARIABLE markwatch_empty = [
    markwatch_exactly(getvariable('markwatch_tree')) || '/{empty}'];

-- The parts that files of daily/ hold, with their date= folder, of the days that recent/ still has.
CREATE OR REPLACE TEMP MACRO markwatch_folder(path) AS
    split_part(replace(path, '\\', '/'), '/', -2);
SET VARIABLE markwatch_both = (
    SELECT list(file) FROM (SELECT unnest(getvariable('markwatch_daily')) AS file)
    WHERE markwatch_folder(file) IN (
        SELECT markwatch_folder(unnest(getvariable('markwatch_recent')))));
SET VARIABLE markwatch_files = (
    SELECT list(file ORDER BY file)
    FROM (SELECT unnest(getvariable('markwatch_recent')) AS file)
    ANTI JOIN (
        SELECT markwatch_folder(file_name) AS folder, split_part(line, ' ', 1) AS part
        FROM (SELECT file_name, unnest(string_split(decode(value), chr(10))) AS line
              FROM parquet_kv_metadata(list_concat(
                  getvariable('markwatch_both'), getvariable('markwatch_empty')))
              WHERE decode(key) = 'markwatch.parts'))
    ON markwatch_folder(file) = folder
        AND split_part(replace(file, '\\', '/'), '/', -1) = part);

CREATE OR REPLACE TEMP VIEW markwatch AS
SELECT * FROM read_parquet(
    list_concat(getvariable('markwatch_empty'), getvariable('markwatch_daily'),
        getvariable('markwatch_files')),
    union_by_name = true, hive_partitioning = true);
"""


def write(tree: Path, staging: Path) -> None:
    """Write `markwatch.sql` and the file without rows, where they are not as they should be.

    Raises:
        OSError: they cannot be written.
    """
    place = tree.resolve().as_posix()
    text = _SQL.format(
        shown=shlex.quote((tree.resolve() / "markwatch.sql").as_posix()),
        tree=_quoted(place),
        empty=EMPTY,
    )
    _replace(tree / "markwatch.sql", text.encode(), staging)
    _replace(tree / EMPTY, _no_rows(), staging)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _no_rows() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(vocabulary.arrow_schema().empty_table(), sink)
    return sink.getvalue().to_pybytes()


def _replace(path: Path, content: bytes, staging: Path) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    durable.make_folder(path.parent)
    staged = staging / path.name
    staged.write_bytes(content)
    durable.fsync_file(staged)
    os.replace(staged, path)
    durable.fsync_directory(path.parent)
