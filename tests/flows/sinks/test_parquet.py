"""The Parquet sink: whole immutable parts under new names, whatever is interrupted."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from brokers import make_row
from structlog.testing import capture_logs

from flows import vocabulary
from flows.sinks.parquet import ParquetOptions, ParquetSink
from flows.sinks.parquet_view import EMPTY
from stages.errors import DeliveryError
from stages.ports import Batch, Site

PART = "out/recent/date=2026-11-20/part-plant-1-0000000000-0000000002.parquet"


def make_sink(folder: Path, station: str = "plant-1", name: str = "parquet") -> ParquetSink:
    return ParquetSink(ParquetOptions(path="out"), Site(station, str(folder)), name)


def batch(*rows, after=None, to=None) -> Batch:
    return Batch(rows, rows[0]["seq"] - 1 if after is None else after, to or rows[-1]["seq"])


def files(folder: Path) -> set[str]:
    """All files but those that the view of the tree is made of."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {"out/markwatch.sql", f"out/{EMPTY}"}


def test_deliver_when_a_batch_is_written_then_the_part_holds_exactly_its_rows(tmp_path):
    rows = [make_row(1, image="Öse 1.png", code="00123"), make_row(2, status="failed")]
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(*rows))
    assert files(tmp_path) == {PART}
    table = pq.read_table(tmp_path / PART, partitioning=None)
    assert table.schema.equals(vocabulary.arrow_schema(), check_metadata=False)
    found = table.to_pylist(maps_as_pydicts="strict")
    assert found == rows
    column = pq.ParquetFile(tmp_path / PART).metadata.row_group(0).column(0)
    assert column.compression == "ZSTD"


def test_deliver_when_every_optional_field_is_null_then_the_columns_keep_their_types(tmp_path):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1, status="failed"), to=2))
    schema = pq.read_schema(tmp_path / PART)
    assert schema.field("code").type == pa.string()
    assert schema.field("cord").type == pa.list_(pa.float64())


def test_deliver_when_offered_twice_then_the_part_is_not_touched_again(tmp_path):
    rows = [make_row(1), make_row(2)]
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(*rows))
        before = os.stat(tmp_path / PART)
        sink.deliver(batch(*rows))
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(*rows))
    after = os.stat(tmp_path / PART)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert files(tmp_path) == {PART}


def test_deliver_when_rows_of_the_range_are_filtered_then_the_name_is_that_of_the_range(tmp_path):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(4), make_row(9), after=0, to=12))
    (part,) = files(tmp_path)
    assert part.endswith("part-plant-1-0000000000-0000000012.parquet")
    with make_sink(tmp_path) as sink:
        sink.deliver(Batch((), 12, 20))
    assert files(tmp_path) == {part}


def test_deliver_when_the_clock_crosses_midnight_in_a_batch_then_each_day_has_its_part(tmp_path):
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    moments = [midnight - timedelta(microseconds=1), midnight, midnight - timedelta(hours=1)]
    rows = [make_row(seq, read_at=moment) for seq, moment in enumerate(moments, 1)]
    for _ in range(2):
        with make_sink(tmp_path) as sink:
            sink.deliver(batch(*rows))
    found = {
        part: pq.read_table(tmp_path / part, partitioning=None)["seq"].to_pylist()
        for part in files(tmp_path)
    }
    name = "part-plant-1-0000000000-0000000003.parquet"
    assert found == {
        f"out/recent/date=2026-11-20/{name}": [1, 3],
        f"out/recent/date=2026-11-21/{name}": [2],
    }


def test_deliver_when_an_earlier_ledger_used_the_name_then_both_parts_stay(tmp_path):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1), make_row(2)))
    fresh = [make_row(1, id="other-1-1"), make_row(2, id="other-1-2")]
    with capture_logs() as logs:
        for _ in range(2):
            with make_sink(tmp_path) as sink:
                sink.deliver(batch(*fresh))
    assert {entry["log_level"] for entry in logs} == {"warning"}
    parts = sorted((tmp_path / PART).parent.iterdir())
    ids = {
        row for part in parts for row in pq.read_table(part, partitioning=None)["id"].to_pylist()
    }
    assert len(parts) == 2
    assert ids == {make_row(1)["id"], make_row(2)["id"], "other-1-1", "other-1-2"}


def test_enter_when_a_crash_left_staged_files_then_only_this_sinks_are_removed(tmp_path):
    own, other = make_sink(tmp_path), make_sink(tmp_path, station="plant-2")
    with own, other:
        pass
    for station in ("plant-1", "plant-2"):
        (tmp_path / f"out/staging/{station}.parquet/half.parquet").write_bytes(b"PAR1 torn")
    own.probe()
    assert len(files(tmp_path)) == 2
    with own:
        assert files(tmp_path) == {"out/staging/plant-2.parquet/half.parquet"}


@pytest.mark.parametrize("station", ["a/../b", "..", "Halle 7 / Süd", "CON:*?"])
def test_deliver_when_the_station_has_an_unsafe_name_then_the_part_stays_in_the_tree(
    tmp_path, station
):
    with make_sink(tmp_path, station=station) as sink:
        sink.deliver(batch(make_row(1)))
    (part,) = files(tmp_path)
    assert part.startswith("out/recent/date=2026-11-20/part-")
    assert not set(Path(part).name) & set('/\\:*?"<>| ')


def test_deliver_when_the_disk_is_full_then_no_reader_sees_anything_and_the_next_try_succeeds(
    tmp_path,
):
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    rows = [make_row(1), make_row(2)]
    with make_sink(tmp_path) as sink:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(DeliveryError, match=r"no space left for .*recent.*: free some"):
                sink.deliver(batch(*rows))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, old)
        assert list((tmp_path / "out/recent").rglob("*.*")) == []
        sink.deliver(batch(*rows))
    assert pq.read_table(tmp_path / PART, partitioning=None).num_rows == 2


def test_probe_when_the_folder_cannot_be_made_then_the_error_names_it(tmp_path):
    (tmp_path / "out").write_text("a file is in the way")
    with pytest.raises(DeliveryError, match=str(tmp_path / "out")):
        make_sink(tmp_path).probe()


def test_probe_when_the_folder_is_there_then_it_leaves_no_file(tmp_path):
    assert make_sink(tmp_path).probe() == f"parquet parts under {tmp_path}/out/recent"
    assert files(tmp_path) == set()
