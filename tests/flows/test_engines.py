"""Engines are loaded with the paths that the configuration means."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import trocr_checkpoint
from commands import invoke
from made import picture
from plants import Plant

from flows import plugins
from flows.configuration import recipes, settings
from flows.configuration.recipes import Engine
from flows.engines import Engines
from stages.errors import PluginError
from stages.options import Options


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return trocr_checkpoint.make(tmp_path_factory.mktemp("checkpoint") / "tiny", positions=12)


@pytest.fixture
def engine(tmp_path):
    """The recogniser of a root of its own, whose settings name a checkpoint so."""

    def make(name, written):
        plant = Plant(tmp_path / name)
        plant.configure(f"recogniser: {{use: trocr, checkpoint: {written}}}\n")
        site = settings.load(plant.root)
        recipe = recipes.load(plant.layout, recipes.DEFAULT, site.recogniser)
        return recipe.fields[0].recogniser, recipe.version

    return make


def test_checkpoint_when_relative_then_it_begins_at_the_root(
    engine, checkpoint, tmp_path, monkeypatch
):
    monkeypatch.chdir("/")
    shutil.copytree(checkpoint, tmp_path / "site" / "data" / "models" / "mine")
    engines = Engines()
    with engines.use(engine("site", "data/models/mine")[0]) as loaded:
        assert loaded.model.startswith("mine@")
    engines.close()


def test_checkpoint_when_only_in_the_current_folder_then_refused_with_what_to_write(
    engine, checkpoint, tmp_path, monkeypatch
):
    here = tmp_path / "here"
    shutil.copytree(checkpoint, here / "data" / "mine")
    monkeypatch.chdir(here)
    with (
        pytest.raises(PluginError, match=f"where paths .* begin; write {here / 'data' / 'mine'}$"),
        Engines().use(engine("site", "data/mine")[0]),
    ):
        pass


def test_checkpoint_when_whole_or_no_path_then_as_it_stands(engine, checkpoint):
    engines = Engines()
    with engines.use(engine("site", str(checkpoint))[0]) as loaded:
        assert loaded.model.startswith("tiny@")
    engines.close()
    with (
        pytest.raises(PluginError, match="the TrOCR checkpoint no/such is not on this machine"),
        engines.use(engine("other", "no/such")[0]),
    ):
        pass


def test_close_when_an_engine_is_in_use_then_it_is_unloaded_after_that(engine, checkpoint):
    engines, one = Engines(), engine("site", str(checkpoint))[0]
    closing = threading.Thread(target=engines.close)
    with engines.use(one) as loaded:
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
        assert loaded.read([], []) == []
    closing.join(30)
    assert not closing.is_alive()


def test_recipe_when_two_roots_say_the_same_then_it_is_the_same_version(engine):
    assert engine("one", "data/mine")[1] == engine("two", "data/mine")[1]


def test_evaluate_when_the_site_chooses_then_its_checkpoint_begins_at_the_root(
    checkpoint, tmp_path, monkeypatch
):
    plant = Plant(tmp_path / "site")
    plant.configure("recogniser: {use: trocr, checkpoint: mine}\n")
    shutil.copytree(checkpoint, plant.root / "mine")
    picture(tmp_path / "a.png", 100)
    labels = Path(tmp_path / "labels.csv")
    labels.write_text("file,text\na.png,A\n")
    monkeypatch.chdir(tmp_path)

    done = invoke("evaluate", "labels.csv", "--root", "site")

    assert (done.returncode, done.stderr) == (0, "")
    assert "trocr: mine@" in done.stdout


def test_keep_when_others_are_loaded_then_they_go_and_these_stay():
    left, entered = [], []

    class Counted(Options):
        number: int = 0

    class Plugin:
        per_thread = False
        Options = Counted

        def __init__(self, options):
            self.number = options.number

        def __enter__(self):
            entered.append(self.number)
            return self

        def __exit__(self, *_):
            left.append(self.number)

    engines = Engines()
    one, other = (Engine("detector", "counted", Counted(number=each)) for each in (1, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "load", lambda kind, name: Plugin)
        for each in (one, other):
            with engines.use(each):
                pass
        engines.keep([other])
        assert left == [1]
        for each in (one, other):
            with engines.use(each):
                pass
    engines.close()
    assert entered == [1, 2, 1] and sorted(left) == [1, 1, 2]
