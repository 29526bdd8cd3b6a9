"""The settler: its rules one by one, then its laws under any schedule of events and scans."""

from __future__ import annotations

import time
from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from flows.settle import Due, SettleOptions, Settler
from stages.records import Arrival, Hint

OPTIONS = SettleOptions(quiet_seconds=0.3, settle_seconds=10)
START = 1000.0


def saw(hint: Hint = "seen", size: int = 9, mtime: int = 1, path: str = "/in/a.png") -> Arrival:
    return Arrival(path, "cam", size, mtime, hint)


def settler(*observed: tuple[float, Arrival]) -> Settler:
    made = Settler(OPTIONS)
    for moment, arrival in observed:
        made.observe(arrival, START + moment)
    return made


def first_due(made: Settler, after: float = 0.0) -> tuple[float, bool]:
    """When the one file comes due, in seconds from the start, and whether its end is checked."""
    now = START + after
    for _ in range(20):
        wait = made.next_due(now)
        assert wait is not None
        now += wait
        if due := made.due(now):
            return pytest.approx(now - START, abs=1e-6), due[0].check_ending
    raise AssertionError("never due")


def test_due_when_renamed_in_then_at_once_and_unchecked() -> None:
    made = settler((0, saw("renamed")))
    assert made.next_due(START) == 0
    assert made.due(START) == [Due(saw("renamed"), False)]


def test_due_when_closed_then_after_a_short_quiet_and_checked() -> None:
    made = settler((0, saw("changed")), (1, saw("closed")))
    assert first_due(made, 1) == (1.0, True)
    made = settler((0, saw("changed", size=1)), (1, saw("closed", size=9)))
    assert made.due(START + 1.29) == []
    assert first_due(made, 1.29) == (1.3, True)


def test_due_when_two_scans_saw_the_same_then_after_a_short_quiet_and_checked() -> None:
    assert first_due(settler((0, saw()), (1, saw())), 1) == (1.0, True)
    assert first_due(settler((0, saw()), (0.1, saw())), 0.1) == (0.3, True)


def test_due_when_little_is_known_then_after_the_long_quiet_and_unchecked() -> None:
    assert first_due(settler((0, saw()))) == (10.0, False)
    assert first_due(settler((0, saw("changed")), (4, saw("changed")))) == (14.0, False)


@pytest.mark.parametrize("hint", ["renamed", "closed"])
@pytest.mark.parametrize("later", [saw(size=10), saw(mtime=2), saw("changed")])
def test_due_when_something_changes_after_a_rename_or_close_then_the_wait_begins_anew(
    hint: Hint, later: Arrival
) -> None:
    assert first_due(settler((0, saw(hint)), (0.2, later)), 0.2) == (10.2, False)


def test_due_when_two_scans_differ_then_two_more_are_needed() -> None:
    made = settler((0, saw(size=1)), (1, saw(size=2)))
    assert made.due(START + 5) == []
    made.observe(saw(size=2), START + 5)
    assert len(made.due(START + 5)) == 1


def test_due_when_a_file_is_empty_then_only_after_the_long_quiet() -> None:
    for hints in (["renamed"], ["closed"], ["seen", "seen", "seen"]):
        made = settler(*((0, saw(hint, size=0)) for hint in hints))
        assert first_due(made) == (10.0, False)


def test_due_when_known_things_are_seen_again_then_the_quiet_is_not_extended() -> None:
    made = settler((0, saw("closed")), *((step / 50, saw()) for step in range(15)))
    assert first_due(made, 0.29) == (0.3, True)


def test_due_when_a_file_was_handed_out_then_it_comes_once_though_scans_see_it_again() -> None:
    made = settler((0, saw("renamed")))
    assert len(made.due(START)) == 1
    for second in range(100):
        made.observe(saw(), START + second)
        assert made.due(START + second) == []
    assert made.next_due(START + 100) is None
    assert made.pending == 1


@pytest.mark.parametrize("news", [saw("closed"), saw("changed"), saw("renamed"), saw(size=10)])
def test_due_when_something_new_is_seen_of_a_file_handed_out_then_it_comes_again(
    news: Arrival,
) -> None:
    made = settler((0, saw("renamed")))
    made.due(START)
    made.observe(news, START + 1)
    assert len(made.due(START + 11)) == 1


def test_postpone_when_nothing_new_is_seen_then_it_waits_for_the_long_quiet() -> None:
    made = settler((0, saw("closed")))
    made.due(START + 0.3)
    made.postpone("/in/a.png", START + 0.3)
    made.observe(saw(), START + 5)
    made.observe(saw(), START + 6)
    assert first_due(made, 6) == (10.0, False)


def test_postpone_when_it_is_closed_again_then_it_is_tried_soon() -> None:
    made = settler((0, saw("closed")))
    made.due(START + 0.3)
    made.postpone("/in/a.png", START + 0.3)
    made.observe(saw("closed", size=12), START + 2)
    assert first_due(made, 2) == (2.3, True)


def test_postpone_when_the_long_quiet_has_passed_then_it_never_comes_at_once() -> None:
    made = settler((0, saw()))
    assert len(made.due(START + 50)) == 1
    made.postpone("/in/a.png", START + 50)
    assert first_due(made, 50) == (60.0, False)


def test_retry_when_the_time_has_passed_then_it_comes_as_it_was() -> None:
    made = settler((0, saw("closed")))
    assert made.due(START + 1) == [Due(saw("closed"), True, closed=True)]
    made.retry("/in/a.png", START + 1, after_seconds=7)
    assert made.due(START + 7.9) == []
    assert made.due(START + 8) == [Due(saw("closed"), True, closed=True)]


def test_forget_when_a_file_is_claimed_or_gone_then_nothing_is_pending() -> None:
    made = settler((0, saw("closed")), (0, saw("closed", path="/in/b.png")))
    made.forget("/in/a.png")
    made.observe(saw("gone", size=0, mtime=0, path="/in/b.png"), START)
    made.observe(saw("gone", size=0, mtime=0, path="/in/unknown.png"), START)
    assert (made.pending, made.next_due(START), made.due(START + 99)) == (0, None, [])
    for verb in (made.postpone, made.forget):
        verb("/in/a.png", *([START] if verb == made.postpone else []))
    made.retry("/in/a.png", START, 1)
    assert made.pending == 0


def test_due_when_many_are_due_then_the_oldest_picture_comes_first() -> None:
    made = settler(
        (0, saw("renamed", mtime=3, path="/in/x.png")),
        (1, saw("renamed", mtime=1, path="/in/z.png")),
        (2, saw("renamed", mtime=1, path="/in/y.png")),
    )
    paths = [arrival.path for arrival, *_ in made.due(START + 2)]
    assert paths == ["/in/y.png", "/in/z.png", "/in/x.png"]


@given(st.floats(0, 1e9), st.floats(0, 9.9))
@example(2.7042823728344505, 0.2957031693243508)
@settings(max_examples=500)
def test_next_due_when_waited_for_so_long_then_there_is_something(
    begun: float, passed: float
) -> None:
    made = Settler(OPTIONS)
    made.observe(saw(), begun)
    wait = made.next_due(begun + passed)
    assert wait is not None
    assert len(made.due(begun + passed + wait)) == 1


def test_settler_when_100000_files_wait_then_a_tick_costs_next_to_nothing() -> None:
    made = Settler(OPTIONS)
    for number in range(100_000):
        made.observe(saw(path=f"/in/{number}.png"), START)
    begun = time.perf_counter()
    for tick in range(1000):
        made.observe(saw("changed", size=tick + 1, path="/in/busy.png"), START + tick / 1000)
        assert made.due(START + tick / 1000) == []
        assert made.next_due(START + tick / 1000) is not None
    # A thousand passes over 100,000 files would take minutes.
    assert time.perf_counter() - begun < 2


@given(
    st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["seen", "changed", "closed", "renamed"]))),
    st.integers(0, 2),
)
@settings(max_examples=200)
def test_due_when_everything_falls_quiet_then_the_file_is_handed_out_exactly_once(
    schedule: list[tuple[float, Hint]], size: int
) -> None:
    made = Settler(OPTIONS)
    now = START
    made.observe(saw("seen", size=size), now)
    for pause, hint in schedule:
        now += pause
        made.observe(saw(hint, size=size), now)
        for due in made.due(now):
            made.postpone(due.arrival.path, now)
    given_out = 0
    while (wait := made.next_due(now)) is not None:
        now += wait
        given_out += len(made.due(now))
    assert given_out == 1
    assert made.due(now + 1e6) == []


@dataclass
class Truth:
    """What really became of one file, kept apart from the settler."""

    size: int
    mtime: int
    changed_at: float
    renamed: bool = False
    out: bool = False
    retry_at: float = 0.0


class Inbox(RuleBasedStateMachine):
    """Files come, grow, are closed, renamed, scanned, tried, refused and claimed, in any order."""

    names = st.sampled_from([f"/in/{letter}.png" for letter in "abc"])

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.settler = Settler(OPTIONS)
        self.truth: dict[str, Truth] = {}

    def tell(self, path: str, hint: Hint) -> None:
        file = self.truth[path]
        self.settler.observe(Arrival(path, "cam", file.size, file.mtime, hint), self.now)

    @rule(pause=st.floats(0.001, 12))
    def wait(self, pause: float) -> None:
        self.now += pause

    @rule(path=names, grows=st.integers(0, 2), later=st.integers(0, 1))
    def write(self, path: str, grows: int, later: int) -> None:
        file = self.truth.setdefault(path, Truth(0, 0, self.now))
        file.size += grows
        file.mtime += later
        file.changed_at = self.now
        file.renamed = file.out = False
        file.retry_at = 0.0
        self.tell(path, "changed")

    @rule(path=names, size=st.integers(0, 3))
    def rename_in(self, path: str, size: int) -> None:
        known = self.truth.get(path)
        if known is None or (known.size, known.mtime) != (size, 7):
            self.truth[path] = Truth(size, 7, self.now)
        self.truth[path].renamed, self.truth[path].out = True, False
        self.truth[path].retry_at = 0.0
        self.tell(path, "renamed")

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.truth)))
        self.truth[path].out = False
        self.truth[path].retry_at = 0.0
        self.tell(path, "closed")

    @rule()
    def scan(self) -> None:
        for path in self.truth:
            self.tell(path, "seen")

    @precondition(lambda self: self.truth)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(self.truth)))
        self.tell(path, "gone")
        del self.truth[path]

    @rule(answer=st.sampled_from(["claim", "postpone", "retry", "nothing"]))
    def try_what_is_due(self, answer: str) -> None:
        promised = self.settler.next_due(self.now)
        handed = self.settler.due(self.now)
        assert bool(handed) == (promised == 0)
        for (path, _, size, mtime, _), check_ending in (
            (self.parts(due.arrival), due.check_ending) for due in handed
        ):
            file = self.truth[path]
            assert (size, mtime) == (file.size, file.mtime)
            assert not file.out
            assert self.now >= file.retry_at
            quiet = self.now - file.changed_at
            if not (file.renamed and file.size):
                needed = OPTIONS.quiet_seconds if check_ending else OPTIONS.settle_seconds
                assert quiet >= needed - 1e-9
            assert file.size or quiet >= OPTIONS.settle_seconds - 1e-9
            if answer == "claim":
                self.settler.forget(path)
                del self.truth[path]
            elif answer == "postpone":
                self.settler.postpone(path, self.now)
                file.retry_at = min(
                    self.now + OPTIONS.settle_seconds, file.changed_at + OPTIONS.settle_seconds
                )
            elif answer == "retry":
                self.settler.retry(path, self.now, 2.0)
                file.retry_at = self.now + 2.0
            else:
                file.out = True
        assert self.settler.due(self.now) == []

    @staticmethod
    def parts(arrival: Arrival) -> tuple[str, str, int, int, str]:
        return arrival.path, arrival.camera, arrival.size, arrival.mtime_ns, arrival.hint

    @invariant()
    def every_file_is_known_and_waits_or_is_out(self) -> None:
        assert self.settler.pending == len(self.truth)
        waiting = [file for file in self.truth.values() if not file.out]
        assert (self.settler.next_due(self.now) is None) == (not waiting)

    def teardown(self) -> None:
        """Left alone, every file that is not out comes out once."""
        waiting = {path for path, file in self.truth.items() if not file.out}
        came = []
        while (pause := self.settler.next_due(self.now)) is not None:
            assert pause <= max(OPTIONS.settle_seconds, 2.0) + 1e-6
            self.now += pause
            came += [due.arrival.path for due in self.settler.due(self.now)]
        assert sorted(came) == sorted(waiting)


TestInbox = Inbox.TestCase
TestInbox.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
