"""Closed days: every row once for every reader, whatever is under way or was cut short."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
from brokers import make_row

from flows import outputs
from flows.files import durable
from flows.outputs import markwatch_files, markwatch_rows
from flows.sinks import parquet_days
from flows.sinks.parquet import ParquetOptions, ParquetSink
from stages.errors import DeliveryError
from stages.ports import Batch, Site

DAY = datetime(2026, 11, 20, 8, tzinfo=UTC)
NEXT = date(2026, 11, 21)
LATER = DAY + timedelta(days=9)
FOLDER = f"date={DAY.date()}"


class Tree:
    """A Parquet sink's tree below a folder, and what its readers see of it."""

    def __init__(self, folder: Path, **options) -> None:
        self.folder = folder
        self.path = folder / "out"
        options = {"path": "out", **options}
        self.sink = ParquetSink(ParquetOptions(**options), Site("plant-1", str(folder)), "p")

    def part(self, *seqs: int, at: datetime = DAY, after: int | None = None, **values) -> None:
        rows = [make_row(seq, read_at=at, **values) for seq in seqs]
        self.sink.deliver(Batch(rows, seqs[0] - 1 if after is None else after, seqs[-1]))

    def tidy(self, closed: date = NEXT, now: datetime = DAY) -> list[str]:
        return [
            ("TROUBLE " if each.trouble else "") + each.words
            for each in self.sink.tidy(closed, now, threading.Event())
        ]

    def age(self) -> None:
        """Make the daily files older than the grace that readers have."""
        for path in (self.path / "daily").rglob("*.parquet"):
            os.utime(path, (0, 0))

    def files(self, top: str) -> list[str]:
        return sorted(path.name for path in (self.path / top).rglob("*.parquet"))

    def seen(self) -> list[int]:
        return sorted(markwatch_rows(self.path)["seq"].to_pylist())

    def held(self) -> list[int]:
        found = list(self.sink.held({"plant-1"}))
        assert [each for each in found if each.damage] == []
        return sorted(each.seq for each in found)


@pytest.fixture
def tree(tmp_path) -> Tree:
    made = Tree(tmp_path)
    with made.sink:
        made.part(1, 2)
        made.part(3)
        made.part(4, 5, 6)
        made.part(7, at=DAY + timedelta(days=1))
    return made


def by_duckdb(tree: Tree) -> list[int]:
    with duckdb.connect() as db:
        db.execute((tree.path / "markwatch.sql").read_text())
        return [seq for (seq,) in db.execute("SELECT seq FROM markwatch").fetchall()]


def by_polars(tree: Tree) -> list[int]:
    found = pl.read_parquet(markwatch_files(tree.path), columns=["seq"], glob=False)
    return found["seq"].to_list()


def by_pandas(tree: Tree) -> list[int]:
    return list(pd.read_parquet(markwatch_files(tree.path), columns=["seq"])["seq"])


def by_pyarrow(tree: Tree) -> list[int]:
    return markwatch_rows(tree.path, columns=["seq"])["seq"].to_pylist()


READERS = [by_duckdb, by_polars, by_pandas, by_pyarrow]


def test_tidy_when_a_day_is_closed_then_one_file_has_its_rows_as_they_were(tree):
    before = {row["id"]: row for row in markwatch_rows(tree.path).to_pylist()}
    assert tree.tidy() == [
        f"6 rows of 3 parts are now {FOLDER}/day-plant-1-0000000000-0000000006.parquet"
    ]
    assert tree.files("daily") == ["day-plant-1-0000000000-0000000006.parquet"]
    assert len(tree.files("recent")) == 4
    day = tree.path / "daily" / FOLDER / tree.files("daily")[0]
    rows = pq.ParquetFile(day).read().to_pylist()
    assert [row["seq"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {row["id"]: row for row in rows}.items() <= before.items()
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]
    assert not list((tree.path / "staging").rglob("*.parquet"))


def test_tidy_when_nothing_is_new_then_nothing_is_done(tree):
    tree.tidy()
    (day,) = (tree.path / "daily").rglob("*.parquet")
    before = day.stat()
    assert tree.tidy() == []
    assert (day.stat().st_ino, day.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize(("now", "aged"), [(DAY + timedelta(days=7), True), (LATER, False)])
def test_tidy_when_parts_are_young_or_their_file_is_then_they_stay(tree, now, aged):
    tree.tidy()
    if aged:
        tree.age()
        now = min(now, DAY + timedelta(days=7))
    else:
        now = datetime.now(UTC) + timedelta(minutes=59)
        tree = Tree(tree.folder, recent_days=0)
    tree.tidy(now=now)
    assert len(tree.files("recent")) == 4


def test_tidy_when_parts_are_old_and_proved_then_they_go_and_every_row_stays(tree):
    tree.tidy()
    tree.age()
    assert tree.tidy(now=LATER) == [f"3 parts of {FOLDER} left recent/"]
    assert tree.files("recent") == ["part-plant-1-0000000006-0000000007.parquet"]
    assert not (tree.path / "recent" / FOLDER).exists()
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("off", [{"daily": False}, {"recent_days": None}])
def test_tidy_when_switched_off_then_recent_keeps_all(tree, off):
    tree = Tree(tree.folder, **off)
    tree.tidy()
    tree.age()
    tree.tidy(now=LATER)
    assert len(tree.files("recent")) == 4
    assert len(tree.files("daily")) == (0 if "daily" in off else 1)


@pytest.mark.parametrize("damage", ["other", "fewer", "torn", "swapped"])
def test_tidy_when_the_daily_file_does_not_hold_the_rows_then_the_parts_stay(tree, damage):
    tree.tidy()
    (day,) = (tree.path / "daily").rglob("*.parquet")
    table = pq.ParquetFile(day).read()
    if damage == "other":
        codes = ["XX999999", *table["code"].to_pylist()[1:]]
        column = table.schema.get_field_index("code")
        table = table.set_column(column, table.schema.field("code"), [codes])
    elif damage == "fewer":
        table = table.slice(0, 5)
    elif damage == "swapped":
        table = table.take([1, 0, 2, 3, 4, 5])
    if damage == "torn":
        os.truncate(day, day.stat().st_size // 2)
    else:
        metadata = pq.read_metadata(day).metadata
        pq.write_table(table.replace_schema_metadata(metadata), day)
    tree.age()
    found = tree.tidy(now=LATER)
    assert len(tree.files("recent")) == 4
    if damage == "torn":
        # It names nothing any more: the day is made again beside it, and `audit` tells of it.
        assert [each for each in tree.sink.held({"plant-1"}) if each.damage]
        assert len(tree.files("daily")) == 2
    else:
        assert found[0].startswith("TROUBLE daily file") and "stay in recent/" in found[0]


def test_tidy_when_a_row_comes_late_then_a_further_file_of_that_day_has_it(tree):
    tree.tidy()
    with tree.sink:
        tree.part(8, 9, after=7)
    assert tree.seen() == tree.held() == list(range(1, 10))
    tree.tidy()
    assert tree.files("daily") == [
        "day-plant-1-0000000000-0000000006.parquet",
        "day-plant-1-0000000007-0000000009.parquet",
    ]
    tree.age()
    tree.tidy(now=LATER)
    assert tree.files("recent") == ["part-plant-1-0000000006-0000000007.parquet"]
    assert tree.seen() == tree.held() == list(range(1, 10))


@pytest.mark.parametrize("pruned", [False, True])
def test_deliver_when_a_consolidated_range_comes_again_then_no_row_is_there_twice(tree, pruned):
    tree.tidy()
    if pruned:
        tree.age()
        tree.tidy(now=LATER)
    before = tree.files("recent")
    with tree.sink:
        tree.part(4, 5, 6)
    assert tree.files("recent") == before
    assert tree.seen() == [1, 2, 3, 4, 5, 6, 7]


def test_deliver_when_another_ledger_uses_a_consolidated_name_then_both_have_their_rows(tree):
    tree.tidy()
    tree.age()
    tree.tidy(now=LATER)
    with tree.sink:
        tree.part(1, 2, id="anew-1")
        # A range within the consolidated one, under a name that was never used.
        tree.part(2, id="anew-2")
    assert tree.seen() == [1, 1, 2, 2, 2, 3, 4, 5, 6, 7]
    tree.tidy()
    # Ranges that overlap do not go into one file.
    assert len(tree.files("daily")) == 3
    assert tree.seen() == [1, 1, 2, 2, 2, 3, 4, 5, 6, 7]


def test_tidy_when_another_station_shares_the_tree_then_its_parts_are_left_alone(tree, tmp_path):
    other = ParquetSink(ParquetOptions(path="out"), Site("plant-2", str(tmp_path)), "p")
    with other:
        other.deliver(Batch([make_row(1, read_at=DAY, station="plant-2", id="o-1-1")], 0, 1))
    tree.tidy()
    tree.age()
    tree.tidy(now=LATER)
    assert tree.files("recent") == [
        "part-plant-1-0000000006-0000000007.parquet",
        "part-plant-2-0000000000-0000000001.parquet",
    ]
    assert tree.seen() == [1, 1, 2, 3, 4, 5, 6, 7]


def test_tidy_when_a_part_is_damaged_then_the_day_waits_and_says_so(tree):
    victim = tree.path / "recent" / FOLDER / "part-plant-1-0000000002-0000000003.parquet"
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    (told,) = tree.tidy()
    assert told.startswith("TROUBLE") and victim.name in told and "`markwatch audit`" in told
    assert tree.files("daily") == []
    victim.write_bytes(whole)
    tree.tidy()
    assert tree.seen() == [1, 2, 3, 4, 5, 6, 7]


def test_tidy_when_an_older_version_had_fewer_columns_then_its_rows_have_nulls_there(tree):
    old = tree.path / "recent" / FOLDER / "part-plant-1-0000000002-0000000003.parquet"
    table = pq.ParquetFile(old).read()
    old.unlink()
    pq.write_table(table.drop_columns(["supersedes", "revision"]), old)
    tree.tidy()
    rows = {row["seq"]: row for row in markwatch_rows(tree.path).to_pylist()}
    assert rows[3]["revision"] is None and rows[4]["revision"] == 1
    tree.age()
    assert tree.tidy(now=LATER) == [f"3 parts of {FOLDER} left recent/"]
    assert all(sorted(read(tree)) == [1, 2, 3, 4, 5, 6, 7] for read in READERS)


def test_tidy_when_the_disk_is_full_then_nothing_is_lost_and_it_says_so(tree, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28), str(tree.path / "daily"))

    monkeypatch.setattr(durable, "move_new", full)
    with pytest.raises(DeliveryError, match="no space left"):
        tree.tidy()
    assert tree.seen() == [1, 2, 3, 4, 5, 6, 7]


class Killed(BaseException):
    """The process ends here."""


STEPS = ["make_folder", "move_new", "fsync_directory"]


def cut(monkeypatch, step: str, after: bool, call: int) -> None:
    """Let the process end before or after the `call`-th time that a step of `durable` is made."""
    real, count = getattr(durable, step), iter(range(99))

    def killing(*values):
        ours = next(count) == call
        if ours and not after:
            raise Killed
        real(*values)
        if ours:
            raise Killed

    monkeypatch.setattr(parquet_days.durable, step, killing)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_tidy_when_killed_at_a_step_then_readers_see_every_row_and_a_rerun_finishes(
    tree, monkeypatch, step, after, call
):
    with monkeypatch.context() as patch:
        cut(patch, step, after, call)
        try:
            tree.tidy()
            tree.age()
            tree.tidy(now=LATER)
        except Killed:
            pass
        assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]
    tree.tidy()
    tree.age()
    tree.tidy(now=LATER)
    assert tree.files("daily") == ["day-plant-1-0000000000-0000000006.parquet"]
    assert tree.files("recent") == ["part-plant-1-0000000006-0000000007.parquet"]
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("times", range(9))
def test_tidy_when_told_to_stop_at_any_part_then_it_ends_and_the_next_pass_finishes(tree, times):
    class Ending(threading.Event):
        left = times

        def is_set(self) -> bool:
            self.left -= 1
            return self.left < 0

    list(tree.sink.tidy(NEXT, DAY, Ending()))
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]
    tree.tidy()
    tree.age()
    list(tree.sink.tidy(NEXT, LATER, Ending()))
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]
    tree.tidy(now=LATER)
    assert len(tree.files("daily")) == len(tree.files("recent")) == 1


def test_tidy_when_killed_between_two_removals_then_a_rerun_removes_the_rest(tree, monkeypatch):
    tree.tidy()
    tree.age()
    real, count = Path.unlink, iter(range(99))

    def killing(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith("part-") and next(count) == 1:
            raise Killed
        real(path, missing_ok)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, "unlink", killing)
        tree.tidy(now=LATER)
    assert len(tree.files("recent")) == 3
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]
    tree.tidy(now=LATER)
    assert len(tree.files("recent")) == 1


@pytest.mark.parametrize("name", ["it's a tree", "[1] * tree", "Größe"])
def test_view_when_the_path_has_signs_of_sql_or_patterns_then_every_row_is_there(tmp_path, name):
    tree = Tree(tmp_path / name)
    with tree.sink:
        tree.part(1)
        tree.part(2)
    tree.tidy()
    with tree.sink:
        tree.part(3)
    assert [sorted(read(tree)) for read in READERS] == [[1, 2, 3]] * len(READERS)


@pytest.mark.parametrize("reader", READERS)
def test_view_when_read_by_an_engine_then_every_row_is_there_once_at_each_stage(tmp_path, reader):
    tree = Tree(tmp_path)
    with tree.sink:
        if reader is by_duckdb:
            assert by_duckdb(tree) == []
        tree.part(1, 2)
        tree.part(3)
        assert sorted(reader(tree)) == [1, 2, 3]
        tree.tidy()
        assert sorted(reader(tree)) == [1, 2, 3]
        tree.part(4, at=DAY + timedelta(days=1))
        assert sorted(reader(tree)) == [1, 2, 3, 4]
        tree.age()
        tree.tidy(now=LATER)
        assert sorted(reader(tree)) == [1, 2, 3, 4]


def test_view_when_read_in_a_loop_then_no_read_fails_and_counts_never_go_back(
    tmp_path, monkeypatch
):
    # What was chosen before a daily file came may go a moment after it: the grace, shortened.
    monkeypatch.setattr(parquet_days, "GRACE", timedelta(seconds=3))
    tree = Tree(tmp_path, recent_days=0)
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    failures: list[BaseException] = []
    rest = threading.Event()

    def write() -> None:
        try:
            with tree.sink:
                for seq in range(2, 41):
                    at = begin + timedelta(days=(seq - 1) // 10)
                    tree.part(seq, at=at)
                    tree.tidy(closed=at.date(), now=datetime.now(UTC))
            while tree.files("recent"):
                tree.tidy(closed=date(2026, 4, 1), now=datetime.now(UTC))
                rest.wait(0.05)
        except BaseException as error:
            failures.append(error)

    with tree.sink:
        tree.part(1, at=begin)
    writer = threading.Thread(target=write)
    writer.start()
    counts = {reader: [1] for reader in READERS}
    while writer.is_alive():
        for reader, seen in counts.items():
            seqs = reader(tree)
            assert len(set(seqs)) == len(seqs)
            seen.append(len(seqs))
    writer.join()
    assert failures == []
    assert tree.files("recent") == [] and len(tree.files("daily")) == 4
    for reader, seen in counts.items():
        assert seen == sorted(seen) and len(seen) > 3
        assert sorted(reader(tree)) == list(range(1, 41))


def _gone_between(tree: Tree, monkeypatch, act: Callable[[], object]) -> object:
    """Do something whose first choice of files is followed by a consolidation and a prune."""
    real, chosen = outputs.markwatch_files, []

    def choose(path):
        files = real(path)
        if not chosen:
            chosen.append(files)
            tree.tidy()
            tree.age()
            tree.tidy(now=LATER)
        return files

    monkeypatch.setattr(outputs, "markwatch_files", choose)
    monkeypatch.setattr("flows.sinks.parquet.markwatch_files", choose)
    return act()


def test_rows_when_parts_leave_between_choice_and_reading_then_they_are_chosen_anew(
    tree, monkeypatch
):
    assert _gone_between(tree, monkeypatch, tree.seen) == [1, 2, 3, 4, 5, 6, 7]


def test_held_when_parts_leave_while_they_are_read_then_each_row_is_told_once(tree, monkeypatch):
    assert _gone_between(tree, monkeypatch, tree.held) == [1, 2, 3, 4, 5, 6, 7]


def test_replay_when_days_are_consolidated_then_only_what_is_in_no_tree_is_written(tree):
    rows = [make_row(seq, read_at=DAY) for seq in (1, 2, 3, 4, 5, 6)]
    batches = [Batch(rows[:2], 0, 2), Batch(rows[2:3], 2, 3), Batch(rows[3:], 3, 6)]
    tree.tidy()
    tree.age()
    tree.tidy(now=LATER)
    assert list(Tree(tree.folder).sink.replay(batches, None)) == []
    shutil.rmtree(tree.path / "daily")
    assert len(list(Tree(tree.folder).sink.replay(batches, None))) == 3
    assert tree.seen() == tree.held() == [1, 2, 3, 4, 5, 6, 7]


def test_held_when_a_stranger_lies_in_a_tree_then_it_is_told(tree):
    tree.tidy()
    for name in ("daily", "recent"):
        (tree.path / name / FOLDER / "copy.parquet").write_bytes(b"")
    places = [each.place for each in tree.sink.held({"plant-1"}) if each.damage]
    assert places == [f"recent/{FOLDER}/copy.parquet", f"daily/{FOLDER}/copy.parquet"]


def test_files_when_there_is_no_tree_then_it_says_what_to_give(tmp_path):
    with pytest.raises(FileNotFoundError, match="give the sink's path"):
        markwatch_files(tmp_path / "nowhere")
