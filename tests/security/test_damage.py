"""A ledger that is damaged, or not one: every command says so in one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from made import Clock
from plants import Plant, run

from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import Layout, from_environment
from flows.ledger.log import Ledger
from stages.errors import ConfigError


def prepared(tmp_path: Path) -> Plant:
    plant = Plant(tmp_path / "plant")
    plant.configure(
        "cluster: {scheduler: threads}\nrecogniser: {use: scripted}\nsinks: {mqtt: null}\n",
        recipe="fields: [{detect: {use: everything}}]\n",
    )
    with Ledger(plant.layout.ledger, Clock(), root=plant.root):
        pass
    return plant


def zeroed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def foreign(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 this is no ledger \x1b[2J" * 400)


@pytest.mark.parametrize("damage", [zeroed, cut, foreign])
def test_command_when_the_ledger_is_damaged_then_it_is_one_line_with_the_remedy(tmp_path, damage):
    plant = prepared(tmp_path)
    damage(plant.layout.ledger)
    for command in (("status",), ("audit",), ("watch", "--once")):
        done = run(*command, "--root", str(plant.root))
        assert done.returncode not in (0, 1), command
        assert "Traceback" not in done.stderr and "\x1b" not in done.stderr
        told = [line for line in done.stderr.splitlines() if line.startswith("markwatch: ")]
        assert len(told) == 1 and "no sound ledger" in told[0], done.stderr
        assert "restore it from a backup" in told[0]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_status_when_another_account_asks_then_it_is_told_to_be_the_one_that_watches(tmp_path):
    plant = prepared(tmp_path)
    plant.layout.ledger.chmod(0)
    done = run("status", "--root", str(plant.root))
    assert "run this as the user that runs" in done.stderr


def test_status_when_the_ledger_is_a_folder_then_it_is_one_line(tmp_path):
    plant = prepared(tmp_path)
    shutil.rmtree(plant.layout.state)
    plant.layout.ledger.mkdir(parents=True)
    for command in (("status",), ("watch", "--once")):
        done = run(*command, "--root", str(plant.root))
        assert done.returncode and len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fields: [{map: {gs1: ['01', '', '17']}}]", "GS1 has no application identifier ''"),
        ('fields: [{map: {check_digits: [{over: ["\\ud800"]}]}}]', "holds half of a character"),
        ('"\\udfff": 1', "default.yaml:1 is not valid YAML.*half of a character"),
    ],
)
def test_recipe_when_it_is_what_the_fuzzer_found_then_it_is_refused(tmp_path, text, words):
    layout = Layout(tmp_path)
    layout.recipes.mkdir(parents=True)
    (layout.recipes / "default.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as refused:
        recipes.load(layout, "default", RecogniserChoice(use="trocr"))
    str(refused.value).encode()


@pytest.mark.parametrize("value", ["[" * 100_000, "{", '["s3cret'])
def test_environment_when_a_value_begins_like_json_then_it_is_refused_without_quoting(value):
    with pytest.raises(ConfigError, match="begins like JSON and is none") as refused:
        from_environment({"MARKWATCH__SINKS__MQTT__PASSWORD": value})
    assert "s3cret" not in str(refused.value) and "[[" not in str(refused.value)
