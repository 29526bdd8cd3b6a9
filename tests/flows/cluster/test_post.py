"""What a worker's post knows of how long pictures take there."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from flows.cluster import pair
from flows.cluster.pair import WorkerPair
from flows.cluster.place import WorkerLostError
from flows.cluster.post import LANDED
from flows.configuration.settings import ClusterOptions, LogOptions


@pytest.fixture
def place():
    made = WorkerPair(ClusterOptions(patience_seconds=2.0), LogOptions())
    made._line.worker = SimpleNamespace(submit=lambda graph: Future())
    return made


def take(place: WorkerPair, seconds: float, *, pictures: int = 1, times: int = 1) -> None:
    for _ in range(times):
        future = place._line.submit(None, pictures, 10.0)
        future.set_result(None)
        place._line.landed(future, 10.0 + seconds)


def test_patience_when_little_is_known_then_it_is_the_option(place):
    take(place, 0.05, times=LANDED // 5 - 1)
    assert place._patience() == 2.0


def test_patience_when_pictures_are_quick_then_it_is_some_times_the_slowest_of_late(place):
    take(place, 30.0, times=LANDED)
    take(place, 0.05, times=LANDED - 10)
    take(place, 0.8, pictures=8, times=6)
    take(place, 30.0, times=4)
    assert place._patience() == pytest.approx(0.1 * pair.TIMES_THE_SLOWEST)
    take(place, 0.01, times=LANDED)
    assert place._patience() == pair.LEAST_PATIENCE_SECONDS


def test_patience_when_pictures_are_slow_then_it_is_never_more_than_the_option(place):
    take(place, 1.5, times=LANDED)
    assert place._patience() == 2.0


def test_patience_when_a_chunk_is_lost_then_its_time_says_nothing(place):
    take(place, 0.01, times=LANDED)
    future = place._line.submit(None, 1, 10.0)
    future.set_exception(WorkerLostError("restarted after a deadline"))
    place._line.landed(future, 70.0)
    assert place._patience() == pair.LEAST_PATIENCE_SECONDS
