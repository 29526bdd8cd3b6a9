"""Dispatch: who is read beside whom, who is blamed for a death, and what the ledger then says.

The place is the test's: it says which chunks die, and computes the graph of those that do not.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from dask.delayed import Delayed
from made import Clock, image, picture

from flows.chunks import Waiting
from flows.clocks import Clocks
from flows.cluster.place import PLAIN, ClusterAwayError, NotBegunError, Terms, WorkerLostError
from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipe_book import RecipeBook
from flows.configuration.settings import Layout, Settings
from flows.dispatch import Dispatch
from flows.engines import ENGINES
from flows.files.digest import digest_of
from flows.ledger.log import Ledger
from flows.ledger.records import Claim
from stages.records import Failure, Report

DIED = WorkerLostError("it crashed")


@dataclass
class Chunk:
    """A chunk that was sent, and what the test lets become of it."""

    graph: Delayed
    future: Future

    @property
    def names(self):
        decode = next(task for key, task in self.graph.dask.items() if key.startswith("decode"))
        return [parcel.image.name for parcel in decode.args[0]]

    def done(self):
        self.future.set_result(self.graph.compute(scheduler="synchronous"))

    def lost(self, error=DIED):
        self.future.set_exception(error)


@dataclass
class Place:
    """Takes chunks, and lets the test say what becomes of them."""

    slots: int = 2
    apart: bool = True
    terms: Terms = PLAIN
    life: int = 1
    alone_ready: bool = True
    asked_anew: list[bool] = field(default_factory=list)
    line: list[Chunk] = field(default_factory=list)
    alone: list[Chunk] = field(default_factory=list)
    restarted: list[Future] = field(default_factory=list)

    def tend(self, engines):
        pass

    def ready(self, engines, *, alone=False, anew=False):
        if alone:
            self.asked_anew.append(anew)
        return self.alone_ready or not alone

    def submit(self, graph, *, pictures, alone=False):
        future = Future()
        (self.alone if alone else self.line).append(Chunk(graph, future))
        return future

    def restart(self, overdue):
        self.restarted.extend(overdue)


@dataclass
class Bench:
    """A dispatch over a real ledger, and pictures that lie in `work/`."""

    place: Place
    ledger: Ledger
    dispatch: Dispatch
    clock: Clock
    layout: Layout

    def picture(self, number, level=100, camera="cam"):
        path = picture(self.layout.work / f"{number}.png", level)
        size = path.stat().st_size
        one = image(number, path=str(path), sha256=digest_of(path), size=size, name=f"{number}.png")
        one = replace(one, camera=camera)
        work = f"data/work/{one.name}"
        claim = Claim(one.id, f"/in/{one.name}", work, camera, one.name, size, 0)
        self.ledger.intend([claim])
        self.ledger.claimed([one])
        return Waiting(one, 0)

    def add(self, *numbers, level=100):
        self.dispatch.add([self.picture(number, level) for number in numbers])
        self.dispatch.send()

    def turn(self):
        final = self.dispatch.collect()
        self.dispatch.send()
        return [outcome.image.name for outcome in final]

    def attempts(self):
        return {one.image.name: one.attempts for one in self.ledger.unfinished()}


@pytest.fixture
def bench(tmp_path):
    layout = Layout(tmp_path)
    for folder in (layout.recipes, layout.state, layout.work):
        folder.mkdir(parents=True)
    (layout.recipes / "default.yaml").write_text("fields:\n  - detect: {use: everything}\n")
    for camera in ("a", "b"):
        (layout.recipes / f"{camera}.yaml").write_text(f"description: {camera}\n")
    settings = Settings(cluster={"max_chunk": 2, "deadline_seconds": 10})
    clock, place = Clock(), Place()
    book = RecipeBook(layout, RecogniserChoice(use="scripted"), clock.tick, lambda _: None)
    with Ledger(layout.ledger, clock, root=tmp_path) as ledger:
        clocks = Clocks(now=clock, tick=clock.tick)
        dispatch = Dispatch(settings, ledger, book, place, clocks, lambda: None)
        yield Bench(place, ledger, dispatch, clock, layout)
    ENGINES.close()


def names(chunks):
    return [chunk.names for chunk in chunks]


def test_send_when_cameras_alternate_then_a_chunk_is_of_one_recipe_and_none_is_passed_over(bench):
    bench.dispatch.add(bench.picture(number, camera="ab"[number % 2]) for number in range(8))
    bench.dispatch.send()
    assert names(bench.place.line) == [["0.png", "2.png"], ["1.png"], ["3.png"], ["4.png"]]
    done = []
    while bench.place.line:
        bench.place.line.pop(0).done()
        done += bench.turn()
    assert done == ["0.png", "2.png", "1.png", "3.png", "4.png", "5.png", "6.png", "7.png"]


def test_send_when_the_place_wants_bytes_then_they_are_in_the_graph_and_chunks_are_light(
    bench, monkeypatch
):
    pictures = [bench.picture(number) for number in range(8)]
    sizes = [one.image.size for one in pictures]
    monkeypatch.setattr("flows.dispatch.CARRIED_BYTES", sizes[0] + 1)
    bench.place.terms = Terms(carried=True)
    bench.dispatch.add(pictures)
    bench.dispatch.send()
    assert names(bench.place.line) == [["0.png"], ["1.png"], ["2.png"], ["3.png"]]
    for one in pictures[:4]:
        Path(one.image.path).rename(f"{one.image.path}.away")
    outcomes = [chunk.graph.compute(scheduler="synchronous") for chunk in bench.place.line]
    assert all(isinstance(one, Report) for [one] in outcomes)


def test_send_when_a_chunk_was_lost_then_the_line_goes_on_while_one_is_read_alone(bench):
    bench.add(1, 2)
    assert names(bench.place.line) == [["1.png"], ["2.png"]]
    for chunk in bench.place.line:
        chunk.lost()
    bench.place.life = 2
    bench.add(3)
    bench.turn()
    assert names(bench.place.alone) == [["1.png"]]
    assert names(bench.place.line[2:]) == [["3.png"]]
    assert bench.dispatch.trouble.startswith("2 in work are read alone")
    bench.place.line[2].done()
    assert bench.turn() == ["3.png"]
    bench.place.alone[0].done()
    assert bench.turn() == ["1.png"]
    bench.place.alone[1].done()
    assert bench.turn() == ["2.png"]
    assert (bench.dispatch.held, bench.dispatch.trouble) == (0, None)


def test_send_when_one_dies_alone_then_it_is_guilty_and_the_others_go_back_in_order(bench):
    bench.add(1, 2)
    bench.add(3, 4)
    assert names(bench.place.line) == [["1.png"], ["2.png"], ["3.png"], ["4.png"]]
    bench.dispatch.add([bench.picture(9)])
    for chunk in bench.place.line:
        chunk.lost()
    bench.place.life = 2
    bench.turn()
    # The process had two threads: what came after the first two it had not begun.
    assert names(bench.place.line[4:]) == [["3.png"], ["4.png"], ["9.png"]]
    assert names(bench.place.alone) == [["1.png"]]
    assert bench.attempts() == {f"{n}.png": 1 for n in (1, 2, 3, 4, 9)} | {"1.png": 2}
    bench.place.alone[0].lost()
    bench.turn()
    assert names(bench.place.line[7:]) == [["2.png"]]
    assert bench.attempts()["2.png"] == 1
    assert bench.attempts()["1.png"] == 2 + 1
    assert names(bench.place.alone[1:]) == [["1.png"]]


def test_send_when_one_is_beside_a_second_death_then_it_is_read_alone_and_not_let_go(bench):
    bench.add(1, 2)
    for chunk in bench.place.line:
        chunk.lost()
    bench.place.life = 2
    bench.turn()
    bench.place.alone[0].lost()
    bench.turn()
    assert names(bench.place.line[2:]) == [["2.png"]]
    bench.place.line[2].lost()
    bench.place.alone[1].lost()
    bench.place.life = 3
    assert bench.turn() == ["1.png"]
    assert names(bench.place.alone[2:]) == [["2.png"]]
    assert bench.attempts()["2.png"] == 2
    bench.place.alone[2].done()
    assert bench.turn() == ["2.png"]


def test_collect_when_every_attempt_dies_then_it_is_given_up_after_three_with_its_reason(bench):
    bench.add(1)
    bench.place.line[0].lost()
    bench.turn()
    bench.place.alone[0].lost()
    bench.turn()
    bench.place.alone[1].lost()
    (failure,) = bench.dispatch.collect()
    assert isinstance(failure, Failure)
    assert failure.reason == "gave up after 3 attempts: the worker died: it crashed"
    assert len(bench.place.line) + len(bench.place.alone) == 3
    # The last of them by engines that were loaded for it.
    assert bench.place.asked_anew == [False, True]
    assert bench.attempts() == {"1.png": 3}


def test_send_when_the_standby_is_not_ready_then_suspects_wait_and_the_line_does_not(bench):
    bench.add(1)
    bench.place.line[0].lost()
    bench.place.alone_ready = False
    bench.turn()
    bench.add(2)
    assert names(bench.place.line[1:]) == [["2.png"]]
    assert bench.place.alone == []
    assert bench.dispatch.held == 2
    # However many of them wait, they keep no room from the others.
    assert bench.dispatch.in_line == 1
    bench.place.apart = False
    assert bench.dispatch.in_line == 2
    bench.place.apart = True
    bench.place.alone_ready = True
    bench.turn()
    assert names(bench.place.alone) == [["1.png"]]


def test_send_when_there_is_no_standby_then_nothing_is_in_flight_beside_a_suspect(bench):
    bench.place.apart = False
    bench.add(1, 2)
    bench.add(3)
    bench.place.line[0].lost()
    bench.turn()
    assert bench.place.alone == []
    bench.place.line[1].done()
    bench.place.line[2].done()
    bench.add(4)
    assert sorted(bench.turn()) == ["2.png", "3.png"]
    assert names(bench.place.alone) == [["1.png"]]
    assert len(bench.place.line) == 3
    bench.place.alone[0].done()
    assert bench.turn() == ["1.png"]
    assert names(bench.place.line[3:]) == [["4.png"]]


def test_deadline_when_one_hangs_then_what_shared_its_process_is_not_suspect(bench):
    bench.add(1, 2)
    bench.clock.seconds = 11.0
    bench.dispatch.check_deadlines()
    assert bench.place.restarted == [bench.place.line[0].future]
    for chunk in bench.place.line:
        chunk.lost(WorkerLostError("restarted after a deadline"))
    bench.place.life = 2
    bench.turn()
    assert names(bench.place.alone) == [["1.png"]]
    assert names(bench.place.line[2:]) == [["2.png"]]
    assert bench.attempts() == {"1.png": 2, "2.png": 1}


@pytest.mark.parametrize("error", [NotBegunError(), ClusterAwayError("the cluster was lost")])
def test_collect_when_nothing_was_done_with_a_chunk_then_no_attempt_is_counted(bench, error):
    bench.add(1, 2)
    bench.place.line[0].lost(error)
    bench.dispatch.collect()
    assert bench.attempts() == {"1.png": 0, "2.png": 1}
    bench.dispatch.send()
    assert names(bench.place.line[2:]) == [["1.png"]]
    assert bench.place.alone == []


def test_collect_when_an_engine_fails_then_each_of_its_chunk_is_read_alone(bench):
    bench.dispatch.add([bench.picture(n, 33 if n == 2 else 100) for n in range(1, 10)])
    bench.dispatch.send()
    assert names(bench.place.line)[0] == ["1.png", "2.png"]
    bench.place.line[0].done()
    assert bench.turn() == []
    assert names(bench.place.alone) == [["1.png"]]
    bench.place.alone[0].done()
    assert bench.turn() == ["1.png"]
    assert names(bench.place.alone[1:]) == [["2.png"]]
