"""The graph: order, keys, and failures that stay values."""

from __future__ import annotations

import pytest
from made import image, picture

from flows import graph
from flows.cluster.threads import DaskThreads
from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import ClusterOptions, Layout
from flows.engines import ENGINES
from flows.files.digest import digest_of
from stages.decode import DecodeOptions
from stages.records import Failure, Report

OPTIONS = DecodeOptions()


@pytest.fixture
def plan(tmp_path):
    layout = Layout(tmp_path)
    layout.recipes.mkdir(parents=True)
    (layout.recipes / "default.yaml").write_text("fields:\n  - detect: {use: everything}\n")
    return recipes.load(layout, "cam", RecogniserChoice(use="scripted"))


@pytest.fixture(autouse=True)
def _unload():
    yield
    ENGINES.close()


def pictures(tmp_path, *levels):
    made = []
    for number, level in enumerate(levels):
        path = picture(tmp_path / f"{number}.png", level)
        made.append(image(number, path=str(path), sha256=digest_of(path)))
    return made


def run(images, plan):
    return graph.build(images, plan, OPTIONS, chunk="cam-1", attempt=1).compute(
        scheduler="synchronous"
    )


def test_build_when_made_then_every_key_names_stage_chunk_and_attempt(tmp_path, plan):
    built = graph.build(pictures(tmp_path, 1), plan, OPTIONS, chunk="cam-7", attempt=2)
    stages = {"decode", "preprocess", "detect", "recognise", "map"}
    assert {f"{stage}-cam-7-2" for stage in stages} <= set(dict(built.__dask_graph__()))
    assert built.key == "map-cam-7-2"


def test_compute_when_all_are_sound_then_gives_a_report_each_in_order(tmp_path, plan):
    images = pictures(tmp_path, 1, 2, 3)
    outcomes = run(images, plan)
    assert [outcome.image for outcome in outcomes] == images
    assert [outcome.marks[0].code for outcome in outcomes] == ["G001", "G002", "G003"]
    assert all(outcome.recipe == plan.version for outcome in outcomes)
    assert all(outcome.model == "scripted@00000000" for outcome in outcomes)
    assert outcomes[0].timings_ms.keys() == {"decode", "preprocess", "detect", "recognise", "map"}


def test_compute_when_one_is_damaged_then_its_neighbours_are_read(tmp_path, plan):
    images = pictures(tmp_path, 1, 2, 3)
    (tmp_path / "1.png").write_bytes(b"no picture at all")
    one, two, three = run(images, plan)
    assert isinstance(one, Report)
    assert isinstance(three, Report)
    assert isinstance(two, Failure)
    assert (two.stage, two.retryable, two.recipe) == ("decode", False, plan.version)
    assert "\n" not in two.reason


def test_compute_when_the_engine_fails_then_the_chunk_may_be_retried(tmp_path, plan):
    outcomes = run(pictures(tmp_path, 1, 33), plan)
    assert [(o.stage, o.retryable, o.reason) for o in outcomes] == [
        ("recognise", True, "the engine says no")
    ] * 2


def test_compute_when_a_plugin_has_a_bug_then_it_is_a_failure_with_its_name(tmp_path, plan, capsys):
    (outcome,) = run(pictures(tmp_path, 44), plan)
    assert outcome.retryable
    assert outcome.reason == "recognise failed: ZeroDivisionError: a bug in a plug-in"


def test_threads_when_given_many_chunks_then_each_comes_back_with_its_own(tmp_path, plan):
    images = pictures(tmp_path, *range(150, 180))
    with DaskThreads(ClusterOptions(threads=4)) as cluster:
        futures = [
            cluster.submit(graph.build([one], plan, OPTIONS, chunk=str(n), attempt=1))
            for n, one in enumerate(images)
        ]
        codes = [future.result()[0].marks[0].code for future in futures]
    assert codes == [f"G{level:03d}" for level in range(150, 180)]


def test_recipe_when_compiled_then_its_version_follows_its_content(tmp_path):
    layout = Layout(tmp_path)
    layout.recipes.mkdir(parents=True)
    path = layout.recipes / "default.yaml"
    choice = RecogniserChoice(use="scripted")
    versions = []
    texts = ("", "description: only words\n", "fields: [{threshold: 0.5}]\n")
    for text in (*texts, "fields: [{map: {format: A}}]\n", "fields: [{map: {format: B}}]\n"):
        path.write_text(text)
        versions.append(recipes.load(layout, "cam", choice).version)
    assert versions[0] == versions[1]
    assert len(set(versions)) == 4
    assert versions[0].startswith("default@")


@pytest.mark.parametrize("level", [66, 77, 88], ids=["numpy", "surrogate", "nan"])
def test_compute_when_a_plugin_returns_what_no_row_can_hold_then_it_is_a_failure(
    tmp_path, plan, level
):
    (outcome,) = run(pictures(tmp_path, level), plan)
    assert isinstance(outcome, Failure)
    assert "cannot be written" in outcome.reason
