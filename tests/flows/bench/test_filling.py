"""A made ledger is a true one: an audit finds nothing, and it goes on like any other."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from flows import vocabulary
from flows.audit.proof import differences
from flows.bench.figure import verdict
from flows.bench.filling import STATION, fill, report
from flows.bench.ledger import QUICK, made_root, measure
from flows.configuration import settings
from flows.ledger.file import snapshot

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path):
    return made_root(tmp_path / "root", 40, NOW)


def test_fill_when_audited_then_there_is_no_difference_until_a_row_goes(layout):
    site = settings.load(layout.root)
    assert differences(layout, site) == []
    with closing(sqlite3.connect(layout.ledger)) as db, db:
        db.execute("DELETE FROM rows WHERE seq = 7")
    assert differences(layout, site)


def test_fill_when_a_record_is_read_then_is_what_the_vocabulary_writes(layout):
    with snapshot(layout) as db:
        (text,) = db.execute("SELECT record FROM rows WHERE seq = 7").fetchone()
    row = vocabulary.from_json(text)
    (made,) = vocabulary.rows(
        report(7, f"{7:032x}", "", row["read_at"]),
        station=STATION,
        first_seq=7,
        read_at=row["read_at"],
    )
    assert row == made


def test_fill_when_there_is_a_ledger_already_then_it_stays(layout):
    with pytest.raises(sqlite3.IntegrityError):
        fill(layout, 1, NOW)


def test_measure_when_quick_then_every_length_has_each_figure(tmp_path):
    figures = list(measure(QUICK, lambda _: None, tmp_path))

    for rows in QUICK.rows:
        here = {each.series for each in figures if each.at == rows}
        assert {"audit", "open", "status, a process", "commit a picture, 8 at once"} <= here
    assert {verdict(each, figures) for each in figures} >= {None}
