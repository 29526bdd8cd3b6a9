"""Delivery: batches cut as the sink asks, lanes, partial receipts, and no row ever dropped."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import MORNING, Clock, image, report

from flows.clocks import Clocks
from flows.configuration.choices import SinkChoice
from flows.configuration.settings import DeliveryOptions
from flows.deliver import Backoff, Delivery, close, covered
from flows.ledger.log import Claim, Ledger, Outcome
from flows.ledger.positions import Intervals
from stages.ports import Batch, Cut, Receipt, Site

OPTIONS = DeliveryOptions(backoff_seconds=0.01, max_backoff_seconds=0.02)
WAIT = 20.0


def row(seq: int, read_at: datetime = MORNING) -> dict:
    return {"seq": seq, "read_at": read_at}


def test_close_when_a_batch_is_full_then_ends_at_its_last_row():
    rows = [row(2), row(4)]
    assert close(rows, (1, 9), Cut(max_rows=2), MORNING) == (rows, 4, True)


def test_close_when_a_day_ends_within_then_ends_there():
    midnight = MORNING.replace(hour=0) + timedelta(days=1)
    rows = [row(1, MORNING), row(2, midnight - timedelta(microseconds=1)), row(3, midnight)]
    assert close(rows, (0, 3), Cut(daily=True), midnight) == (rows[:2], 2, True)


def test_close_when_the_clock_was_set_back_over_midnight_then_no_row_is_passed_over():
    midnight = MORNING.replace(hour=0) + timedelta(days=1)
    before, after = midnight - timedelta(seconds=1), midnight + timedelta(seconds=1)
    rows = [row(1, before), row(2, after), row(3, before), row(4, after)]
    given, to, _ = close(rows, (0, 4), Cut(daily=True), after)
    assert given == [each for each in rows if each["seq"] <= to] == rows[:1]


def test_close_when_the_day_is_over_then_does_not_wait():
    rows = [row(1, MORNING)]
    later = MORNING + timedelta(days=1)
    assert close(rows, (0, 1), Cut(daily=True, max_seconds=60), later)[2]
    assert not close(rows, (0, 1), Cut(daily=True, max_seconds=60), MORNING)[2]


def test_close_when_no_row_is_subscribed_then_the_span_is_passed_over():
    assert close([], (3, 8), Cut(), MORNING) == ([], 8, True)


@given(st.sets(st.integers(1, 30)), st.data())
def test_covered_when_a_receipt_is_partial_then_exactly_the_unsettled_rows_are_owed(seqs, data):
    delivered = data.draw(st.sets(st.sampled_from(sorted(seqs)))) if seqs else set()
    dead = data.draw(st.sets(st.sampled_from(sorted(seqs)))) if seqs else set()
    batch = Batch([row(seq) for seq in sorted(seqs)], 0, 30)
    receipt = Receipt(delivered=frozenset(delivered), dead=dict.fromkeys(dead, "no"))
    found = covered(batch, receipt)
    numbers = {n for after, to in found.spans for n in range(after + 1, to + 1)}
    assert set(range(1, 31)) - numbers == seqs - delivered - dead
    assert covered(batch, Receipt()) == Intervals(((0, 30),))


def test_backoff_when_repeated_then_doubles_up_to_its_limit_within_the_jitter():
    options = DeliveryOptions(backoff_seconds=1, max_backoff_seconds=4)
    low, high = Backoff(options, lambda: 0.0), Backoff(options, lambda: 1.0)
    assert [low.next() for _ in range(4)] == [0.5, 1, 2, 2]
    assert [high.next() for _ in range(4)] == [1, 2, 4, 4]
    high.reset()
    assert high.next() == 1


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", Clock(), root=tmp_path) as opened:
        yield opened


def commit(ledger, *numbers, camera="cam"):
    ledger.intend([Claim(image(n).id, "/x", f"w/{n}", camera, "x", 1, 1) for n in numbers])
    ledger.claimed([image(n, camera=camera) for n in numbers])
    ledger.commit([Outcome(report(n, camera=camera), f"t/{n}") for n in numbers], "st")


def delivery(ledger, tmp_path, name="refusing", *, closed=None, denied=None, **extra):
    choice = SinkChoice(
        use="refusing",
        closed=str(closed or tmp_path / "closed"),
        denied=denied and str(denied),
        out=str(tmp_path / f"{name}.out"),
        **extra,
    )
    clocks = Clocks(Clock(), time.monotonic)
    made = Delivery(name, choice, Site("st", str(tmp_path)), ledger, OPTIONS, clocks)
    made.open()
    return made


def taken(tmp_path, name="refusing"):
    path = tmp_path / f"{name}.out"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines]


def test_delivery_when_the_sink_is_up_then_takes_every_row_once(ledger, tmp_path):
    commit(ledger, *range(1, 26))
    one = delivery(ledger, tmp_path)
    one.start()
    assert one.settled(WAIT)
    one.stop(WAIT)
    assert [seq for seq, _ in taken(tmp_path)] == list(range(1, 26))
    again = delivery(ledger, tmp_path)
    again.start()
    assert again.settled(WAIT)
    again.stop(WAIT)
    assert len(taken(tmp_path)) == 25


def test_delivery_when_the_sink_was_away_then_the_backlog_is_late_and_nothing_is_lost(
    ledger, tmp_path
):
    closed = tmp_path / "closed"
    closed.touch()
    one = delivery(ledger, tmp_path)
    commit(ledger, *range(1, 31))
    one.start()
    assert not one.settled(WAIT)
    closed.unlink()
    while one.pending():
        one.settled(0.05)
    commit(ledger, 31)
    one.wake()
    while one.pending():
        one.settled(0.05)
    one.stop(WAIT)
    assert taken(tmp_path) == [*((seq, "late") for seq in range(1, 31)), (31, "live")]


def test_delivery_when_rows_are_filtered_then_the_position_passes_over_them(ledger, tmp_path):
    commit(ledger, 1, 2, 3)
    one = delivery(ledger, tmp_path, cameras=("nobody",))
    one.start()
    assert one.settled(WAIT)
    one.stop(WAIT)
    assert taken(tmp_path) == []


def test_delivery_when_it_follows_another_sink_then_goes_no_further(ledger, tmp_path):
    commit(ledger, 1, 2, 3)
    ledger.places.open("first", "first")
    second = delivery(ledger, tmp_path, "second", after="first")
    second.start()
    position = ledger.places.position("first")
    ledger.places.receive("first", position, Intervals(((0, 2),)), Receipt())
    second.wake()
    while second.pending() > 1:
        second.settled(0.05)
    assert [seq for seq, _ in taken(tmp_path, "second")] == [1, 2]
    ledger.places.receive("first", ledger.places.position("first"), Intervals(((2, 3),)), Receipt())
    second.wake()
    assert second.settled(WAIT)
    second.stop(WAIT)
    assert [seq for seq, _ in taken(tmp_path, "second")] == [1, 2, 3]


def test_delivery_when_the_ledgers_disk_was_full_for_a_while_then_the_sink_goes_on(
    ledger, tmp_path
):
    commit(ledger, 1, 2)
    closed = tmp_path / ("closed" + "-" * 200)
    closed.touch()
    one = delivery(ledger, tmp_path, closed=closed)
    (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
    ledger._db.execute(f"PRAGMA max_page_count={pages}")
    one.start()
    assert not one.settled(WAIT)
    ledger._db.execute("PRAGMA max_page_count=1000000")
    closed.unlink()
    while one.pending():
        one.settled(0.05)
    one.stop(WAIT)
    assert [seq for seq, _ in taken(tmp_path)] == [1, 2]


def test_delivery_when_one_camera_is_refused_for_now_then_the_others_go_on(ledger, tmp_path):
    denied = tmp_path / "denied"
    denied.write_text("a")
    commit(ledger, 1, camera="a")
    commit(ledger, 2, camera="b")
    one = delivery(ledger, tmp_path, denied=denied)
    one.start()
    for number in range(3, 8):
        commit(ledger, number, camera="b")
        one.wake()
    while one.pending() > 1:
        one.settled(0.05)
    assert {seq for seq, _ in taken(tmp_path)} == {2, 3, 4, 5, 6, 7}
    denied.write_text("nobody")
    while one.pending():
        one.settled(0.05)
    one.stop(WAIT)
    assert sorted(seq for seq, _ in taken(tmp_path)) == [1, 2, 3, 4, 5, 6, 7]


def test_open_when_one_sink_follows_another_then_each_begins_where_it_was_told(ledger, tmp_path):
    commit(ledger, 1, 2, 3)
    delivery(ledger, tmp_path, "second", after="first", start="now")
    delivery(ledger, tmp_path, "first", start="now")
    assert [ledger.places.position(name).start for name in ("first", "second")] == [3, 3]
