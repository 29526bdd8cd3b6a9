"""The worker pair: who reads the line when one of two processes dies or hangs, and who is alone."""

from __future__ import annotations

import os
import threading
import time

import dask
import psutil
import pytest
from dasktasks import call, die, hang, pid
from plants import wait_until

from flows.cluster import pair
from flows.cluster.pair import WorkerPair
from flows.cluster.place import NotBegunError, WorkerLostError
from flows.configuration.settings import ClusterOptions, LogOptions

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]
OPTIONS = ClusterOptions(threads=1, memory_limit_mb=1024, standby_after_seconds=0)


class Ticks:
    """Monotonic seconds that a test can move on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture(scope="module")
def ticks():
    return Ticks()


@pytest.fixture(scope="module")
def started(ticks):
    with WorkerPair(OPTIONS, LogOptions(), ticks) as made:
        yield made


@pytest.fixture
def place(started, ticks):
    """A pair with nothing to do, and both of its workers there."""
    ticks.ahead = 0.0
    tend_until(started, lambda: line_is_whole(started), "both workers")
    return started


def tend_until(place, true, what):
    def tended():
        place.tend(())
        return true()

    wait_until(tended, what)


def line_is_whole(place):
    return place.ready(()) and place.apart and place.ready((), alone=True)


def line_pid(place):
    return place.submit(call(pid)).result(60)


def alone_pid(place):
    return place.submit(call(pid), alone=True).result(60)


def test_submit_when_alone_then_runs_in_another_process_at_a_lower_priority(place):
    line, alone = line_pid(place), alone_pid(place)
    assert len({os.getpid(), line, alone}) == 3
    assert psutil.Process(alone).nice() > psutil.Process(line).nice()


def test_submit_when_the_line_dies_then_the_standby_has_it_at_once_and_gives_it_back(place):
    line, alone = line_pid(place), alone_pid(place)
    life = place.life
    with pytest.raises(WorkerLostError):
        place.submit(call(die)).result(60)
    place.tend(())
    assert place.ready(())
    assert not place.ready((), alone=True)
    assert line_pid(place) == alone
    assert place.life != life
    tend_until(place, lambda: line_is_whole(place), "the line's own worker")
    assert line_pid(place) not in (line, alone)
    assert alone_pid(place) == alone


def test_submit_when_the_standby_dies_alone_then_the_line_does_not_notice(place):
    line, alone = line_pid(place), alone_pid(place)
    life = place.life
    with pytest.raises(WorkerLostError):
        place.submit(call(die), alone=True).result(60)
    place.tend(())
    assert place.ready(())
    assert not place.ready((), alone=True)
    assert (line_pid(place), place.life) == (line, life)
    tend_until(place, lambda: line_is_whole(place), "another standby")
    assert alone_pid(place) not in (line, alone)


@pytest.mark.parametrize("spin", [hang, lambda: time.sleep(3600)])
def test_tend_when_the_line_hangs_then_the_standby_has_it_and_what_waited_behind(
    place, ticks, spin
):
    alone = alone_pid(place)
    hung = place.submit(call(spin))
    behind = place.submit(call(pid))
    place.tend(())
    assert not behind.done()
    ticks.ahead += OPTIONS.patience_seconds + 1
    place.tend(())
    with pytest.raises(NotBegunError):
        behind.result(60)
    assert not hung.done()
    assert place.ready(())
    assert line_pid(place) == alone
    place.restart([hung])
    with pytest.raises(WorkerLostError):
        hung.result(60)
    assert line_pid(place) == alone
    tend_until(place, lambda: line_is_whole(place), "the line's own worker")
    assert line_pid(place) != alone


def test_tend_when_the_line_was_only_slow_then_its_chunk_comes_back_and_it_has_the_line(
    place, ticks
):
    line = line_pid(place)
    slow = place.submit(dask.delayed(time.sleep, pure=False)(0.5))
    ticks.ahead += OPTIONS.patience_seconds + 1
    place.tend(())
    assert line_pid(place) != line
    assert slow.result(60) is None
    tend_until(place, lambda: line_is_whole(place), "the line")
    assert line_pid(place) == line


def test_restart_when_one_hangs_alone_then_the_line_is_not_touched(place):
    line = line_pid(place)
    hung = place.submit(call(hang), alone=True)
    assert not place.ready((), alone=True)
    place.restart([hung])
    with pytest.raises(WorkerLostError):
        hung.result(60)
    assert line_pid(place) == line


def test_ready_when_engines_are_to_be_loaded_anew_then_it_is_another_process(place):
    alone = alone_pid(place)
    assert not place.ready((), alone=True, anew=True)
    tend_until(place, lambda: place.ready((), alone=True, anew=True), "a new standby")
    # It has read nothing yet.
    assert place.ready((), alone=True, anew=True)
    assert alone_pid(place) != alone


def test_tend_when_memory_is_short_then_the_worker_does_everything_itself(monkeypatch):
    monkeypatch.setattr(pair, "available_mb", lambda: 10)
    with WorkerPair(OPTIONS, LogOptions()) as place:
        place.tend(())
        assert not place.apart
        line = line_pid(place)
        assert alone_pid(place) == line
        with pytest.raises(WorkerLostError):
            place.submit(call(die), alone=True).result(60)
        tend_until(place, lambda: place.ready((), alone=True), "the worker")
        assert alone_pid(place) != line


def test_tend_when_no_standby_is_wanted_then_there_is_none():
    options = OPTIONS.model_copy(update={"standby": False})
    with WorkerPair(options, LogOptions()) as place:
        place.tend(())
        assert not place.apart
        line = line_pid(place)
        assert not place.ready((), alone=True, anew=True)
        tend_until(place, lambda: place.ready((), alone=True, anew=True), "another worker")
        assert alone_pid(place) != line


def test_exit_when_the_standby_is_being_started_then_no_process_is_left():
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    threads = set(threading.enumerate())
    with WorkerPair(OPTIONS, LogOptions()) as place:
        place.tend(())
        assert place.apart
    # Not counting the process that workers are copies of, which is this one's child itself.
    left = [
        child
        for child in psutil.Process().children(recursive=True)
        if child.pid not in before
        and (child.ppid() != os.getpid() or "spawn_main" in " ".join(child.cmdline()))
    ]
    assert left == []
    begun = set(threading.enumerate()) - threads
    assert not [thread for thread in begun if "worker-start" in thread.name]
