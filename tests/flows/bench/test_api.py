"""The API's benchmark: it asks what it says, counts what it asked, and refuses a wrong answer."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from stations import Station, end, launch

from flows.bench import api


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """Of the bare application and of a station."""
    plant = launch(tmp_path_factory.mktemp("bench") / "plant", "requests_per_second: 10000")
    plant.inbox("bench")
    try:
        with api._bare() as bare:
            yield bare, Station(plant).port
        assert plant.stop() == 0
    finally:
        end(plant)


def test_measure_when_run_then_every_route_is_asked_as_often_as_it_says(ports):
    asked = api.targets(*ports)
    found = api.measure(asked, rounds=2, requests=8, connections=2)
    assert [len(found[target.name].milliseconds) for target in asked] == [16] * len(asked)
    assert all(0 < one.percentile(0.5) <= one.percentile(0.99) for one in found.values())
    # A turn is as long as the slowest of its connections.
    assert all(sum(one.milliseconds) / 1000 / 2 <= sum(one.turns) for one in found.values())
    told = io.StringIO()
    Console(file=told, width=120).print(api.table(found, asked, 2))
    for target in asked:
        (line,) = [line for line in told.getvalue().splitlines() if f" {target.name} " in line]
        ratio = found[target.name].per_second / found[target.peer].per_second
        assert f" {ratio:.2f} " in line and line.rstrip("│ ").endswith(" 16")


def test_measure_when_an_answer_is_wrong_then_it_is_no_figure(ports):
    _, station = ports
    wrong = api.Target("lost", station, api.request("GET", "/nothing"), 200, "lost")
    with pytest.raises(RuntimeError, match="lost answered 404, not 200"):
        api.measure([wrong], rounds=1, requests=1, connections=1)


def test_percentile_when_times_are_known_then_the_nearest_rank():
    one = api.Measured([float(n) for n in range(100, -1, -1)], [1.0, 0.5, 30.0])
    assert (one.percentile(0.5), one.percentile(0.99), one.percentile(1)) == (50.0, 99.0, 100.0)
    # The median turn, of a third of the requests, took a second.
    assert one.per_second == pytest.approx(101 / 3)
