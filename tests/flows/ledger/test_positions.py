"""Laws of the ranges that a sink has delivered, held against plain sets of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.ledger.positions import Intervals, Position, intervals

numbers = st.sets(st.integers(1, 60))


def as_set(value: Intervals) -> set[int]:
    return {n for after, to in value.spans for n in range(after + 1, to + 1)}


@given(numbers)
def test_intervals_when_made_from_numbers_then_hold_exactly_those(wanted):
    made = intervals(wanted)
    assert as_set(made) == wanted
    assert all(a[1] < b[0] for a, b in zip(made.spans, made.spans[1:], strict=False))


@given(numbers, numbers)
def test_union_when_of_two_sets_then_is_the_set_union(one, other):
    assert intervals(one).union(intervals(other)) == intervals(one | other)


@given(numbers, st.integers(0, 60), st.integers(0, 60))
def test_gap_when_asked_then_is_the_first_missing_run(wanted, after, to):
    gap = intervals(wanted).gap(after, to)
    missing = [n for n in range(after + 1, to + 1) if n not in wanted]
    if not missing:
        assert gap is None
    else:
        begin, end = gap
        assert begin + 1 == missing[0]
        run = set(range(begin + 1, end + 1))
        assert run <= set(missing)
        assert end == to or end + 1 in wanted


@given(numbers, st.integers(0, 60), st.integers(0, 60))
def test_pending_when_counted_then_is_what_is_owed(wanted, start, head):
    done = {n for n in wanted if start < n <= head}
    position = Position(start, intervals(done))
    assert position.pending(head) == max(0, head - start) - len(done)


@given(numbers, st.integers(0, 60))
def test_lanes_when_live_rows_wait_then_they_go_before_the_backlog(wanted, boundary):
    head = 60
    position = Position(0, intervals(wanted))
    found = position.next_in_lanes(head, boundary)
    owed = set(range(1, head + 1)) - wanted
    if not owed:
        assert found is None
        return
    (after, to), late = found
    offered = set(range(after + 1, to + 1))
    assert offered <= owed
    live = {n for n in owed if n > boundary}
    assert late == (not live)
    assert min(offered) == (min(live) if live else min(owed))
    assert not late or max(offered) <= boundary


def test_next_in_order_when_a_range_was_planned_then_that_very_range_comes_first():
    position = Position(0, intervals({1, 2, 3}), planned=(3, 9))
    assert position.next_in_order(50) == (3, 9)
