"""The made year: the same answers as one file, parts left out that a day names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.bench.parquet import QUICK, make_year, measure
from flows.outputs import markwatch_files, markwatch_rows
from stages.errors import ConfigError


def test_make_year_when_read_then_every_row_is_there_once(tmp_path):
    end = datetime(2026, 11, 21, tzinfo=UTC)
    make_year(tmp_path / "tree", tmp_path / "single.parquet", QUICK, end, lambda _: None)

    rows = markwatch_rows(tmp_path / "tree", columns=["id", "seq", "read_at"]).to_pylist()
    count = QUICK.days * QUICK.rows_a_day
    assert sorted(row["seq"] for row in rows) == list(range(1, count + 1))
    assert len({row["id"] for row in rows}) == count
    assert max(row["read_at"] for row in rows) < end
    assert len(list((tmp_path / "tree" / "recent").rglob("*.parquet"))) == 12
    assert all("daily" in path for path in markwatch_files(tmp_path / "tree"))


def test_measure_when_quick_then_each_question_stands_beside_the_single_file(tmp_path):
    figures = list(measure(QUICK, lambda _: None, tmp_path))
    peers = [each for each in figures if each.peer]
    assert len(peers) == 4
    assert {each.peer for each in peers} <= {each.series for each in figures}


def test_measure_when_an_answer_differs_then_says_so(tmp_path, monkeypatch):
    from flows.bench import parquet

    make = parquet.make_year

    def lossy(tree, *rest):
        make(tree, *rest)
        next((tree / "daily").rglob("*.parquet")).unlink()

    monkeypatch.setattr(parquet, "make_year", lossy)
    with pytest.raises(ConfigError, match="the tree and the single file answer differently"):
        list(measure(replace(QUICK, recent_days=0), lambda _: None, tmp_path))
