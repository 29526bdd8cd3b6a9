"""Workers that come, go, do not suit and hang, on a Dask cluster of real processes."""

from __future__ import annotations

import os
from concurrent.futures import Future
from pathlib import Path

import dask
import pytest
from crews import TESTS, crew, other_release
from dasktasks import call, hang, pid
from made import image, picture
from plants import wait_until

from flows import graph
from flows.cluster.census import Census
from flows.cluster.place import WorkerLostError
from flows.cluster.scheduler import DaskCluster
from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import ClusterOptions, Layout, LogOptions
from flows.files.digest import digest_of
from stages.decode import DecodeOptions
from stages.errors import ConfigError, PluginError
from stages.records import Failure, Report

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Port"),
]

SECONDS = 30
GPU = {"recognise": {"GPU": 1}}


@pytest.fixture
def workers():
    with crew() as running:
        yield running


def reach(workers, root: Path, **options) -> DaskCluster:
    (root / "data" / "work").mkdir(parents=True, exist_ok=True)
    settings = ClusterOptions(address=workers.address, start_seconds=SECONDS, **options)
    return DaskCluster(settings, LogOptions(), root)


def settle(place: DaskCluster, true) -> None:
    """Take turns, as the flow does, until something holds."""

    def turn() -> bool:
        place.tend(())
        return true()

    wait_until(turn, "the census")


def plan(root: Path, **options) -> recipes.Recipe:
    layout = Layout(root)
    layout.recipes.mkdir(parents=True, exist_ok=True)
    (layout.recipes / "default.yaml").write_text("fields: [{detect: {use: everything}}]\n")
    return recipes.load(layout, "cam", RecogniserChoice(use="scripted", **options))


def pictures(root: Path, *levels: int):
    made = []
    for number, level in enumerate(levels):
        path = picture(root / f"{number}.png", level)
        size = path.stat().st_size
        made.append(image(number, path=str(path), sha256=digest_of(path), size=size))
    return made


def lines(path: Path) -> set[str]:
    return set(path.read_text().split()) if path.exists() else set()


def test_cluster_when_workers_come_and_go_then_each_that_suits_is_used(
    workers, tmp_path, monkeypatch
):
    monkeypatch.setattr("flows.cluster.scheduler.CENSUS_SECONDS", 0.1)
    first = workers.join("first")
    stranger = workers.join("stranger", **other_release(tmp_path, "0.0.1"))
    loads = tmp_path / "loads"
    engines = plan(tmp_path, loads=str(loads)).engines
    with reach(workers, tmp_path) as place:
        assert place.slots == 1
        assert place.trouble is not None
        assert "1 of 2 Dask workers not used" in place.trouble
        assert "markwatch 0.0.1 is installed there, 0.1.0 here: install the same" in place.trouble
        place.warm(engines)
        assert lines(loads) == {str(first.pid)}
        done = [place.submit(call(pid)) for _ in range(20)]
        assert {one.result(SECONDS) for one in done} == {first.pid}
        stranger.terminate()
        second = workers.join("second")
        settle(place, lambda: place.slots == 2 and place.trouble is None)
        wait_until(lambda: str(second.pid) in lines(loads), "the models of the one that came")
        first.terminate()
        settle(place, lambda: place.slots == 1)
        assert place.submit(call(pid)).result(SECONDS) == second.pid
    with workers.client() as client:
        plugins = client.run_on_scheduler(
            lambda dask_scheduler: list(dask_scheduler.worker_plugins)
        )
    assert not [name for name in plugins if name.startswith("markwatch-engines")]


def test_cluster_when_nobody_suits_then_it_is_one_line_with_the_remedy(workers, tmp_path):
    workers.join("stranger", **other_release(tmp_path, "0.0.1"))
    with pytest.raises(ConfigError, match=r"1 of 1 .*: install the same release on both") as told:
        reach(workers, tmp_path).__enter__()
    assert "\n" not in str(told.value)


def test_cluster_when_there_are_no_workers_then_it_says_so(workers, tmp_path):
    options = ClusterOptions(address=workers.address, start_seconds=1)
    with pytest.raises(ConfigError, match="has no workers: start one"):
        DaskCluster(options, LogOptions(), tmp_path).__enter__()


def test_census_when_a_worker_does_not_see_the_pictures_then_it_is_refused(
    workers, tmp_path, monkeypatch
):
    workers.join("elsewhere")
    monkeypatch.chdir(tmp_path)
    # One name for two folders, as where a share is mounted on one machine only.
    own = Path("/proc/self/cwd")
    with workers.client() as client:
        [why] = Census(own).take(client).refused.values()
        assert "does not see the pictures in /proc/self/cwd: mount that folder" in why
        assert not Census(None).take(client).refused
        assert not Census(tmp_path).take(client).refused
    assert not list(tmp_path.iterdir())


def test_cluster_when_pictures_go_by_bytes_then_workers_open_no_file(workers, tmp_path):
    workers.join("first")
    recipe = plan(tmp_path)
    images = pictures(tmp_path, 1, 2, 3)
    Path(images[1].path).unlink()
    with reach(workers, tmp_path, pictures="bytes") as place:
        built = graph.build(
            images, recipe, DecodeOptions(), chunk="cam-1", attempt=1, terms=place.terms
        )
        for one in (images[0], images[2]):
            Path(one.path).unlink()
        first, gone, last = place.submit(built, pictures=3).result(SECONDS)
    assert isinstance(first, Report)
    assert isinstance(last, Report)
    assert [one.marks[0].code for one in (first, last)] == ["G001", "G003"]
    assert isinstance(gone, Failure)
    assert (gone.stage, gone.reason) == (
        "decode",
        "the file has vanished: something else moved or deleted it",
    )


def test_cluster_when_a_stage_wants_a_resource_then_it_runs_where_that_is(workers, tmp_path):
    loads, reads = tmp_path / "loads", tmp_path / "reads"
    recipe = plan(tmp_path, loads=str(loads), marker=str(reads))
    workers.join("plain")
    with pytest.raises(ConfigError, match=r"GPU=1, which cluster.resources asks for recognise"):
        reach(workers, tmp_path, resources=GPU).__enter__()
    gpu = workers.join("gpu", "--resources", "GPU=1")
    with reach(workers, tmp_path, resources=GPU) as place:
        place.warm(recipe.engines)
        images = pictures(tmp_path, *range(100, 112))
        for number, one in enumerate(images):
            built = graph.build(
                [one], recipe, DecodeOptions(), chunk=str(number), attempt=1, terms=place.terms
            )
            assert isinstance(place.submit(built).result(SECONDS)[0], Report)
    assert lines(loads) == {str(gpu.pid)}
    assert {line.split()[0] for line in reads.read_text().splitlines()} == {str(gpu.pid)}


def test_cluster_when_one_worker_cannot_load_an_engine_then_the_others_go_on(
    workers, tmp_path, monkeypatch
):
    monkeypatch.setattr("flows.cluster.scheduler.CENSUS_SECONDS", 0.1)
    sound = workers.join("sound")
    # Without the plug-in that the recipe wants.
    workers.join("lacking", PYTHONPATH=TESTS)
    engines = plan(tmp_path).engines
    with reach(workers, tmp_path) as place:
        place.warm(engines)
        assert place.slots == 1
        assert place.trouble is not None
        assert "1 of 2 Dask workers not used" in place.trouble
        settle(place, lambda: place.submit(call(pid)).result(SECONDS) == sound.pid)
        assert place.slots == 1
        sound.terminate()
        settle(place, lambda: place.slots == 1 and "1 of 1" in str(place.trouble))
        with pytest.raises(PluginError):
            place.ready(engines)


def test_cluster_when_the_scheduler_lacks_a_plugin_then_it_says_what_to_install(tmp_path):
    with crew(PYTHONPATH=TESTS) as workers:
        workers.join("sound")
        with (
            reach(workers, tmp_path) as place,
            pytest.raises(PluginError, match=r"scheduler at .* cannot read the graphs .*install"),
        ):
            place.warm(plan(tmp_path).engines)


def test_restart_when_one_worker_hangs_then_the_others_are_left_alone(workers, tmp_path):
    workers.join("first", nanny=True)
    workers.join("second", nanny=True)
    with reach(workers, tmp_path) as place:
        before = _pids(workers)
        stuck: Future = place.submit(dask.delayed(hang, pure=False)(dask_key_name="map-cam-1-1"))
        wait_until(lambda: _at_work(workers), "the picture that hangs")
        beside = [place.submit(call(pid)) for _ in range(6)]
        place.restart([stuck])
        with pytest.raises(WorkerLostError, match="restarted after a deadline"):
            stuck.result(SECONDS)
        assert {one.result(SECONDS) for one in beside} <= set(before.values()) | set(
            _pids(workers).values()
        )
        wait_until(lambda: len(_pids(workers)) == 2, "both workers")
        after = _pids(workers)
    assert len(set(before.values()) & set(after.values())) == 1
    assert os.getpid() not in after.values()


def _plugins(dask_scheduler) -> list[str]:
    return list(dask_scheduler.worker_plugins)


def _pids(workers) -> dict[str, int]:
    with workers.client() as client:
        return client.run(os.getpid, on_error="ignore")


def _at_work(workers) -> bool:
    with workers.client() as client:
        return any(client.processing().values())
