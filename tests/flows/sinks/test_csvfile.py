"""The CSV sink: whole lines, each row once whatever is torn, text that spreadsheets leave alone."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from brokers import make_row
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from flows import vocabulary
from flows.sinks.csvfile import CsvOptions, CsvSink
from stages.errors import DeliveryError
from stages.ports import Batch, Site

DAY = "readings-plant-1-2026-11-20.csv"


def make_sink(folder: Path, **options) -> CsvSink:
    return CsvSink(CsvOptions(path="out", **options), Site("plant-1", str(folder)), "csv")


def batch(*rows, cursor=None) -> Batch:
    return Batch(rows, rows[0]["seq"] - 1, rows[-1]["seq"], cursor=cursor)


def parse(path: Path) -> list[dict[str, str]]:
    """The rows of a file, having insisted that it is nothing but whole lines."""
    content = path.read_bytes().decode()
    assert content.endswith("\r\n") and content.count("\n") == content.count("\r\n")
    lines = list(csv.reader(io.StringIO(content, newline=""), strict=True))
    assert len(lines) == content.count("\r\n")
    assert tuple(lines[0]) == vocabulary.NAMES
    assert {len(line) for line in lines} == {len(vocabulary.NAMES)}
    return [dict(zip(vocabulary.NAMES, line, strict=True)) for line in lines[1:]]


def seqs(path: Path) -> list[int]:
    return [int(row["seq"]) for row in parse(path)]


def test_deliver_when_a_row_is_written_then_every_column_is_in_its_form(tmp_path):
    row = make_row(7, image='Öse "A", 1.png', text="00123", code="NA", match=True)
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(row))
    path = tmp_path / "out" / DAY
    (found,) = parse(path)
    assert receipt.cursor == {"file": DAY, "offset": path.stat().st_size}
    assert found["image"] == 'Öse "A", 1.png'
    assert (found["text"], found["code"], found["match"]) == ("00123", "NA", "true")
    assert (found["seq"], found["margin"]) == ("7", "3.25")
    assert found["read_at"] == "2026-11-20T12:00:00.123456Z"
    assert json.loads(found["characters"]) == row["characters"]
    assert json.loads(found["timings_ms"]) == {"decode": 1.5, "recognise": 20.0}
    raw = path.read_bytes().splitlines()[1].decode()
    assert '"00123"' in raw and ',"NA",' in raw


def test_deliver_when_text_is_null_or_empty_then_the_file_tells_them_apart(tmp_path):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1, text="", reason=None)))
    line = (tmp_path / "out" / DAY).read_bytes().decode().splitlines()[1]
    assert ',"read",,"",0.97,' in line


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+4", "-5", "@SUM(A1)", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20a", "'x", " =1"],
)
def test_deliver_when_text_looks_like_a_formula_then_it_is_neutralised_reversibly(tmp_path, text):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1, code=text, image=text, margin=-1.5)))
    (found,) = parse(tmp_path / "out" / DAY)
    assert found["code"] == "'" + text and found["image"] == "'" + text
    assert found["margin"] == "-1.5"


def test_deliver_when_neutralising_is_off_then_text_is_untouched(tmp_path):
    with make_sink(tmp_path, neutralise_formulas=False, bom=True) as sink:
        sink.deliver(batch(make_row(1, code="=1+1")))
        sink.deliver(batch(make_row(2)))
    content = (tmp_path / "out" / DAY).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf") and content.count(b"\xef\xbb\xbf") == 1
    assert b'"=1+1"' in content


def test_deliver_when_text_holds_control_characters_then_a_row_is_still_one_line(tmp_path):
    nasty = "a\nb\r\nc\td\x00e\u2028f\x85g"
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1, image=nasty, reason=nasty)))
    (found,) = parse(tmp_path / "out" / DAY)
    assert found["image"] == r"a\nb\r\nc\td\x00e\u2028f\x85g"
    assert len((tmp_path / "out" / DAY).read_text().splitlines()) == 2


def test_deliver_when_midnight_passes_then_each_utc_day_has_its_file(tmp_path):
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1, read_at=midnight - timedelta(microseconds=1))))
        receipt = sink.deliver(batch(make_row(2, read_at=midnight), cursor=receipt.cursor))
        # A clock that is set back appends to a file that already is.
        sink.deliver(batch(make_row(3, read_at=midnight - timedelta(1)), cursor=receipt.cursor))
    assert seqs(tmp_path / "out" / DAY) == [1, 3]
    assert seqs(tmp_path / "out" / "readings-plant-1-2026-11-21.csv") == [2]


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_deliver_when_it_crashes_at_any_byte_then_each_row_is_there_once(tmp_path_factory, data):
    """The law: whatever part of a write reached the disk, redelivery makes it whole.

    The model of the crash: the file as it was at the last receipt, plus any prefix of what the
    interrupted write would have added, plus (a file system that grew the file before its bytes
    were there) zeros.
    """
    folder = tmp_path_factory.mktemp("crash")
    hours = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=12), label="hours apart")
    times, moment = [], datetime(2026, 11, 20, 12, tzinfo=UTC)
    for hour in hours:
        moment += timedelta(hours=hour)
        times.append(moment)
    rows = [make_row(seq, read_at=time, code="=\n'") for seq, time in enumerate(times, 1)]
    cursor, done = None, 0
    while done < len(rows):
        day = rows[done]["read_at"].date()
        same_day = [row for row in rows[done:] if row["read_at"].date() == day]
        planned = same_day[: data.draw(st.integers(1, len(same_day)), label="batch")]
        path = folder / "out" / f"readings-plant-1-{day}.csv"
        receipted = cursor["offset"] if cursor and cursor["file"] == path.name else 0
        for _ in range(data.draw(st.integers(0, 2), label="crashes")):
            with make_sink(folder) as sink:
                sink.deliver(batch(*planned, cursor=cursor))
            after = path.read_bytes()
            kept = data.draw(st.integers(receipted, len(after)), label="bytes on disk")
            grown = data.draw(st.integers(0, 20), label="zeros")
            path.write_bytes(after[:kept] + b"\0" * grown)
        with make_sink(folder) as sink:
            cursor = sink.deliver(batch(*planned, cursor=cursor)).cursor
        done += len(planned)
    found = [seq for path in sorted((folder / "out").iterdir()) for seq in seqs(path)]
    assert found == [row["seq"] for row in rows]


@pytest.mark.parametrize("lost", range(4))
def test_deliver_when_the_power_went_in_the_first_write_then_the_file_has_its_header(
    tmp_path, lost
):
    rows = [make_row(number) for number in range(1, 4)]
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(*rows))
    path = tmp_path / "out" / DAY
    whole = path.read_bytes()
    # A disk keeps sectors, in any order; what is not there yet is read as zeros.
    torn = bytearray(whole)
    torn[lost * 512 : (lost + 1) * 512] = bytes(len(whole[lost * 512 : (lost + 1) * 512]))
    assert 0 in torn
    path.write_bytes(torn)
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(*rows))
    assert path.read_bytes() == whole


def test_deliver_when_offered_twice_then_the_rows_are_there_once(tmp_path):
    with make_sink(tmp_path) as sink:
        first = sink.deliver(batch(make_row(1), make_row(2)))
        sink.deliver(batch(make_row(1), make_row(2)))
        second = sink.deliver(batch(make_row(3), cursor=first.cursor))
        assert sink.deliver(batch(make_row(3), cursor=first.cursor)) == second
    assert seqs(tmp_path / "out" / DAY) == [1, 2, 3]


def test_deliver_when_the_ledger_is_new_then_an_old_file_is_kept(tmp_path):
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1), make_row(2)))
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(1, id="another-1-1")))
    assert [row["id"] for row in parse(tmp_path / "out" / DAY)] == [
        make_row(1)["id"],
        make_row(2)["id"],
        "another-1-1",
    ]


def test_deliver_when_the_file_is_deleted_then_it_begins_anew_with_a_header(tmp_path):
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1)))
        (tmp_path / "out" / DAY).unlink()
        (tmp_path / "out").rmdir()
        with capture_logs() as logs:
            sink.deliver(batch(make_row(2), cursor=receipt.cursor))
    assert seqs(tmp_path / "out" / DAY) == [2]
    assert [entry["log_level"] for entry in logs] == ["warning"]


@pytest.mark.parametrize("restarted", [True, False])
def test_deliver_when_the_file_is_shortened_then_what_is_left_stays_whole(tmp_path, restarted):
    path = tmp_path / "out" / DAY
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1), make_row(2)))
        os.truncate(path, path.stat().st_size - 10)
        with capture_logs() as logs, make_sink(tmp_path) as other:
            (other if restarted else sink).deliver(batch(make_row(3), cursor=receipt.cursor))
    assert seqs(path) == [1, 3]
    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_deliver_when_another_program_appends_then_its_lines_stay(tmp_path):
    path = tmp_path / "out" / DAY
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1)))
        header, line = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(header + line + line.replace(b"000001", b"999999"))
        with capture_logs() as logs:
            sink.deliver(batch(make_row(2), cursor=receipt.cursor))
    assert [row["id"][5:11] for row in parse(path)] == ["000001", "999999", "000002"]
    assert [entry["log_level"] for entry in logs] == ["warning"]


def test_deliver_when_another_program_rewrote_the_file_then_its_lines_stay(tmp_path):
    path = tmp_path / "out" / DAY
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1)))
    path.write_bytes(path.read_bytes().replace(b"press-3", b"press-three"))
    with make_sink(tmp_path) as sink:
        sink.deliver(batch(make_row(2), cursor=receipt.cursor))
    assert [row["camera"] for row in parse(path)] == ["press-three", "press-3"]


def test_deliver_when_the_disk_is_full_then_nothing_torn_stays_and_the_next_try_succeeds(tmp_path):
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    path = tmp_path / "out" / DAY
    rows = [make_row(seq) for seq in range(2, 30)]
    with make_sink(tmp_path) as sink:
        receipt = sink.deliver(batch(make_row(1)))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 1000, hard))
        try:
            with pytest.raises(DeliveryError, match=f"no space left for .*{DAY}: free some"):
                sink.deliver(batch(*rows, cursor=receipt.cursor))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, old)
        assert seqs(path) == [1]
        sink.deliver(batch(*rows, cursor=receipt.cursor))
    assert seqs(path) == list(range(1, 30))


def test_probe_when_the_folder_cannot_be_made_then_the_error_names_it(tmp_path):
    (tmp_path / "out").write_text("a file is in the way")
    with pytest.raises(DeliveryError, match=str(tmp_path / "out")):
        make_sink(tmp_path).probe()


def test_probe_when_the_folder_is_there_then_it_leaves_nothing_in_it(tmp_path):
    assert make_sink(tmp_path).probe().endswith("readings-plant-1-YYYY-MM-DD.csv")
    assert list((tmp_path / "out").iterdir()) == []


def test_deliver_when_the_file_cannot_be_opened_then_the_error_names_it(tmp_path):
    path = tmp_path / "out" / DAY
    with make_sink(tmp_path) as sink:
        path.mkdir()
        with pytest.raises(DeliveryError, match=str(path)):
            sink.deliver(batch(make_row(1)))
