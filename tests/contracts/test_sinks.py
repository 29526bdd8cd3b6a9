"""What every sink owes, held to each entry point of `markwatch.sinks` through the Protocol alone.

A new sink adds a `FarSide` here: where it delivers to in the test, and how a reader sees it there.
"""

from __future__ import annotations

import contextlib
import csv
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow.parquet as pq
import pytest
from brokers import Subscriber, free_port, make_row
from machines import FAR_SIDE, Marker, RestServer
from sparkplug_host import SparkplugListener

from flows.commands.broker import EmbeddedBroker
from stages.errors import DeliveryError
from stages.options import Options
from stages.ports import Batch, Cut, Readable, Receipt, Replays, Site

# markwatch-faults breaks contracts on purpose, for the fault tests
SINKS = [
    point
    for point in sorted(entry_points(group="markwatch.sinks"), key=lambda point: point.name)
    if point.dist is None or point.dist.name != "markwatch-faults"
]
ROWS = [
    make_row(2, image="Blech Süd 1.png", camera="Presse Süd"),
    make_row(3, image="部品 ✓ 😀.png", code="00123", text="=1+1"),
    make_row(7, status="failed", image="line\nbreak.png"),
    make_row(8, camera="press-4", match=False, expected="A2"),
]


class FarSide:
    """Where a sink delivers to in a test; `ids` is what a reader sees there, in order."""

    at_least_once = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.options: dict[str, Any] = {}
        self.broken: dict[str, Any] = {"path": "in-the-way/out"}
        (root / "in-the-way").write_text("a file where a folder should be")

    def __enter__(self) -> FarSide:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class ParquetFiles(FarSide):
    def ids(self) -> list[str]:
        parts = sorted((self.root / "data/out/parquet/recent").rglob("*"))
        files = [part for part in parts if part.is_file()]
        return [row for file in files for row in pq.ParquetFile(file).read()["id"].to_pylist()]


class CsvFiles(FarSide):
    def ids(self) -> list[str]:
        found = []
        for file in sorted((self.root / "data/out/csv").glob("*.csv")):
            with file.open(encoding="utf-8", newline="") as lines:
                found += [row["id"] for row in csv.DictReader(lines, strict=True)]
        return found


class MqttSubscriber(FarSide):
    at_least_once = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken = {"host": "127.0.0.1", "port": free_port()}

    def __enter__(self) -> FarSide:
        self._stack = contextlib.ExitStack()
        broker = self._stack.enter_context(EmbeddedBroker())
        self._scada = self._stack.enter_context(Subscriber(broker.port, "markwatch/#", protocol=4))
        self.options = {"host": broker.host, "port": broker.port}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ids(self) -> list[str]:
        # Once the station's goodbye has come, all that was published before it has come too.
        self._scada.wait(lambda heard: any(b'"stopped"' in message.payload for message in heard))
        readings = [
            m for m in self._scada.messages if m.topic.count("/") == 2 and "last" not in m.topic
        ]
        return [json.loads(message.payload)["id"] for message in readings]


class Server(FarSide):
    at_least_once = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken = {"url": f"http://127.0.0.1:{free_port()}/readings"}

    def __enter__(self) -> FarSide:
        self._server = RestServer()
        self._server.__enter__()
        self.options = {"url": self._server.url}
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__(*_)

    def ids(self) -> list[str]:
        return [asked.json["id"] for asked in self._server.asked if asked.method == "POST"]


class Device(FarSide):
    at_least_once = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken = {"host": "127.0.0.1", "port": free_port()}

    def __enter__(self) -> FarSide:
        self._marker = Marker()
        self._marker.__enter__()
        self.options = {
            "host": "127.0.0.1",
            "port": self._marker.port,
            "template": "{id}\r\n",
            "template_without_code": "{id}\r\n",
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._marker.__exit__(*_)

    def ids(self) -> list[str]:
        return list(self._marker.told)


class SparkplugHost(FarSide):
    at_least_once = True

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.broken = {"host": "127.0.0.1", "port": free_port()}

    def __enter__(self) -> FarSide:
        self._stack = contextlib.ExitStack()
        # Its lock files stay in the test's folder.
        self._stack.enter_context(mock.patch("tempfile.tempdir", str(self.root)))
        broker = self._stack.enter_context(EmbeddedBroker())
        self._host = self._stack.enter_context(SparkplugListener(broker.port))
        self.options = {"host": broker.host, "port": broker.port, "reconnect_max_seconds": 0.1}
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ids(self) -> list[str]:
        # Once the last session's death has come, all that was published before it has come too.
        last = int((self.root / "data/state/sparkplug.bdseq").read_text())
        self._host.wait(
            lambda heard: any(
                m.verb == "NDEATH" and m.decoded.metrics[0].value == last for m in heard
            )
        )
        return [values["id"] for values in self._host.rows()]


FAR_SIDES = {
    "device": Device,
    "http": Server,
    "parquet": ParquetFiles,
    "csv": CsvFiles,
    "mqtt": MqttSubscriber,
    "sparkplug": SparkplugHost,
}


@pytest.fixture(params=SINKS, ids=[point.name for point in SINKS])
def point(request) -> Any:
    return request.param


@pytest.fixture
def far(point, tmp_path) -> Iterator[FarSide]:
    if point.name not in FAR_SIDES:
        pytest.fail(f"say in FAR_SIDES how a test reads what the sink {point.name!r} delivered")
    with FAR_SIDES[point.name](tmp_path) as side:
        yield side


@pytest.fixture
def make(point, far) -> Any:
    """`make(**options)`: a new sink of this kind that delivers to the far side."""
    plugin = point.load()

    def build(**options: Any) -> Any:
        chosen = plugin.Options(**(options or far.options))
        return plugin(chosen, Site("plant-1", str(far.root)), point.name)

    return build


def batch(rows: list[dict[str, Any]], cursor: Any = None, to: int | None = None) -> Batch:
    return Batch(rows, 0, to or rows[-1]["seq"], cursor=cursor)


def settled(receipt: Receipt, rows: list[dict[str, Any]]) -> set[int]:
    assert receipt.cursor is None or json.loads(json.dumps(receipt.cursor)) == receipt.cursor
    return {row["seq"] for row in rows} if receipt.delivered is None else set(receipt.delivered)


def same(found: list[str], expected: list[str], far: FarSide) -> bool:
    return set(found) == set(expected) if far.at_least_once else found == expected


def own_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name != FAR_SIDE}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def test_entry_points_when_listed_then_the_built_in_sinks_are_among_them():
    assert {"csv", "mqtt", "parquet"} <= {point.name for point in SINKS}


def test_options_when_looked_at_then_each_has_a_default_and_a_description(point):
    options = point.load().Options
    assert issubclass(options, Options)
    assert options() == options()
    for name, field in options.model_fields.items():
        assert field.description, name


def test_init_when_called_then_nothing_is_touched_yet(make, far):
    before = sorted(far.root.rglob("*")), set(threading.enumerate())
    sink = make()
    assert (sorted(far.root.rglob("*")), set(threading.enumerate())) == before
    assert isinstance(sink.cut, Cut)


def test_module_when_imported_then_heavy_libraries_are_not(point):
    heavy = {"torch", "pyarrow", "paho", "amqtt"}
    program = f"import sys, {point.module}; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_deliver_when_rows_have_gaps_failures_and_odd_names_then_a_reader_sees_each(make, far):
    with make() as sink:
        receipt = sink.deliver(batch(ROWS, to=12))
    assert settled(receipt, ROWS) == {2, 3, 7, 8}
    assert not receipt.dead
    assert sorted(far.ids()) == sorted(ids(ROWS))


def test_deliver_when_the_same_batch_is_offered_twice_then_a_reader_sees_it_once(make, far):
    with make() as sink:
        first = sink.deliver(batch(ROWS))
        again = sink.deliver(batch(ROWS))
        assert settled(again, ROWS) == settled(first, ROWS)
        more = [make_row(9)]
        sink.deliver(Batch(more, 8, 9, cursor=again.cursor))
    assert same(far.ids(), ids(ROWS + more), far)


def test_deliver_when_it_crashed_before_the_receipt_then_the_next_life_makes_it_whole(make, far):
    with make() as sink:
        kept = sink.deliver(batch(ROWS[:2]))
        sink.deliver(Batch(ROWS[2:], 3, 8, cursor=kept.cursor))
    with make() as sink:
        receipt = sink.deliver(Batch(ROWS[2:], 3, 8, cursor=kept.cursor))
        assert settled(receipt, ROWS[2:]) == {7, 8}
    assert same(far.ids(), ids(ROWS), far)


def test_deliver_when_no_row_of_a_range_is_for_this_sink_then_it_is_content(make, far):
    with make() as sink:
        receipt = sink.deliver(Batch((), 0, 5))
        assert settled(receipt, []) == set()
        sink.deliver(batch(ROWS, cursor=receipt.cursor))
    assert sorted(far.ids()) == sorted(ids(ROWS))


def test_deliver_when_batches_follow_each_other_then_rows_keep_their_order(make, far):
    rows = [make_row(seq) for seq in range(1, 61)]
    cursor = None
    with make() as sink:
        for start in range(0, 60, 20):
            part = rows[start : start + 20]
            receipt = sink.deliver(Batch(part, start, start + 20, cursor=cursor))
            cursor = receipt.cursor
    assert far.ids() == ids(rows)


def test_deliver_when_the_far_side_is_away_then_the_error_is_one_line_with_a_remedy(make, far):
    with pytest.raises(DeliveryError) as failure, make(**far.broken) as sink:
        sink.deliver(batch(ROWS))
    text = str(failure.value)
    assert "\n" not in text and ": " in text
    with pytest.raises(DeliveryError) as probed:
        make(**far.broken).probe()
    assert "\n" not in str(probed.value)


def test_announce_when_any_state_is_told_then_it_never_raises(make, far):
    with make() as sink:
        for state in ("online", "draining", "stopped", "online"):
            sink.announce(state)
        sink.deliver(batch(ROWS))
    assert sorted(far.ids()) == sorted(ids(ROWS))


def test_probe_when_all_is_well_then_it_is_one_line_and_disturbs_nothing(make, far):
    for _ in range(2):
        text = make().probe()
        assert text and "\n" not in text
    with make() as sink:
        sink.deliver(batch(ROWS))
        make().probe()
        sink.probe()
    assert sorted(far.ids()) == sorted(ids(ROWS))


def test_held_when_rows_were_delivered_then_each_is_found_once_and_is_what_the_row_looks_like(
    make, far
):
    sink = make()
    if not isinstance(sink, Readable):
        pytest.skip("this sink's far side cannot be read back")
    assert list(sink.held(["plant-1"])) == []
    with sink:
        sink.deliver(batch(ROWS, to=12))
    assert list(sink.held(["plant-2"])) == []
    found = sorted(sink.held(["plant-1", "plant-2"]), key=lambda held: held.seq)
    assert [(held.id, held.seq) for held in found] == [(row["id"], row["seq"]) for row in ROWS]
    assert all(held.damage is None and held.day == "2026-11-20" for held in found)
    for held, row in zip(found, ROWS, strict=True):
        assert sink.agrees(held, row)
        assert not sink.agrees(held, {**row, "camera": "elsewhere"})


def test_replay_when_delivered_rows_are_offered_again_then_ids_and_seqs_are_the_same(
    make, far, tmp_path
):
    sink = make()
    if not isinstance(sink, Replays):
        pytest.skip("this sink cannot replay")
    with sink:
        sink.deliver(batch(ROWS, to=12))
        file = tmp_path / "again" if sink.replays_into_file else None
        said = list(make().replay([batch(ROWS, to=12)], file))
        assert all("\n" not in line for line in said)
    assert set(far.ids()) == set(ids(ROWS))
    if file is not None:
        assert all(row["id"] in file.read_text(encoding="utf-8") for row in ROWS)


def test_exit_when_left_then_no_thread_remains_and_it_can_be_entered_again(make, far):
    before = own_threads()
    sink = make()
    with sink:
        receipt = sink.deliver(batch(ROWS[:2]))
    with sink:
        sink.deliver(Batch(ROWS[2:], 3, 8, cursor=receipt.cursor))
    assert own_threads() == before
    assert same(far.ids(), ids(ROWS), far)
