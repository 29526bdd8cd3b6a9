"""The command line: quick help with examples, one-line errors, JSON that is only JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from made import picture
from plants import Plant, run

from flows import vocabulary

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "watch",
    "read",
    "explain",
    "check",
    "status",
    "demo",
    "audit",
    "replay",
    "reread",
    "backup",
    "bench",
    "evaluate",
    "train",
    "plugins",
    "init",
)
SCRIPTED = "recogniser: {use: scripted}\nsinks: {mqtt: null, parquet: null}\n"
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


@pytest.fixture
def plant(tmp_path):
    made = Plant(tmp_path / "plant")
    made.configure(SCRIPTED, recipe=EVERYTHING)
    return made


@pytest.mark.parametrize("command", COMMANDS)
def test_help_when_asked_then_shows_an_example_of_that_command(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Example: markwatch {command}" in " ".join(done.stdout.split())


def test_help_when_asked_then_no_heavy_library_is_imported():
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from flows.cli import app\n"
        "assert 'watch' in CliRunner().invoke(app, ['--help']).output\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    heavy = {"cv2", "dask", "numpy", "PIL", "pyarrow", "pydantic", "torch", "transformers"}
    assert not heavy & set(done.stdout.split())


def test_version_when_asked_then_names_the_distribution():
    assert re.fullmatch(r"markwatch \d+\.\d+\.\d+\n", run("--version").stdout)


def test_plugins_when_listed_then_shows_built_ins_and_strangers_and_what_is_used(plant):
    lines = run("plugins", "--root", str(plant.root)).stdout.splitlines()
    ours = r"  sink +mqtt +flows.sinks.mqtt:MqttSink +\(markwatch\)"
    theirs = r"\* recogniser +scripted .*\(markwatch-faults\)"
    assert any(re.match(ours, line) for line in lines)
    assert any(re.match(theirs, line) for line in lines)


def test_read_when_asked_for_json_then_prints_only_valid_rows(plant, tmp_path):
    picture(tmp_path / "pictures" / "a.png", 100)
    picture(tmp_path / "pictures" / "b.png", 101)
    (tmp_path / "pictures" / "c.png").write_bytes(b"no picture")
    done = run("read", str(tmp_path / "pictures"), "--json", "--root", str(plant.root))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["code"] for row in rows] == ["G100", "G101", None]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert rows[2]["status"] == "failed"
    for row in rows:
        jsonschema.validate(row, vocabulary.json_schema())
    assert done.returncode == 65


def test_read_when_asked_without_json_then_shows_a_table(plant, tmp_path):
    picture(tmp_path / "a.png", 100)
    done = run("read", str(tmp_path / "a.png"), "--root", str(plant.root))
    assert done.returncode == 0
    assert re.search(r"a\.png +G100 +read +0\.96", done.stdout)
    assert done.stderr == ""


def test_read_when_a_recipe_file_is_named_then_it_is_used(plant, tmp_path):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("fields: [{detect: {use: everything}, map: {format: 'X\\d{3}'}}]\n")
    path = str(picture(tmp_path / "a.png", 100))
    done = run("read", path, "--recipe", str(recipe), "--json", "--root", str(plant.root))
    row = json.loads(done.stdout)
    assert row["status"] == "mismatch"
    assert row["recipe"].startswith("mine@")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("read", "nowhere.png"), 78, "no such file or folder: nowhere.png"),
        (("read", ".", "--recipe", "nothing"), 78, "no recipe is called 'nothing'"),
        (("read", ".", "--recipe", "nothing.yaml"), 78, "no such recipe file"),
        (("status",), 78, "nothing was watched"),
    ],
)
def test_command_when_misused_then_says_so_in_one_line(plant, arguments, status, words):
    done = run(*arguments, "--root", str(plant.root))
    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_command_when_the_root_has_no_conf_then_says_how_to_make_one(tmp_path):
    done = run("watch", "--root", str(tmp_path))
    assert done.returncode == 78
    assert "markwatch init" in done.stderr


def test_root_when_set_in_the_environment_then_is_used(plant):
    assert "nothing was watched" in run("status", MARKWATCH_ROOT=str(plant.root)).stderr


def test_init_when_done_then_the_files_load_and_every_option_is_there_as_a_comment(tmp_path):
    done = run("init", str(tmp_path / "line"))
    assert done.returncode == 0
    text = (tmp_path / "line" / "conf" / "markwatch.yaml").read_text()
    uncommented = re.sub(r"(?m)^# ?", "", text)
    for path in (tmp_path / "line" / "conf").rglob("*.yaml"):
        assert all(line.startswith("#") or not line for line in path.read_text().splitlines())
    for option in ("settle_seconds: 10.0", "max_in_flight:", "embedded_port: 1883"):
        assert option in uncommented
    again = run("init", str(tmp_path / "line"))
    assert again.returncode == 78
    assert "already has a conf/" in again.stderr


def test_init_when_every_comment_is_removed_then_the_settings_are_the_defaults(tmp_path):
    run("init", str(tmp_path / "line"))
    for path in (tmp_path / "line" / "conf").rglob("*.yaml"):
        if "example" not in path.name:
            lines = path.read_text().splitlines()
            path.write_text("\n".join(line.removeprefix("# ") for line in lines[3:]))
    plain = run("init", str(tmp_path / "plain"))
    assert plain.returncode == 0
    from flows.configuration import recipes, settings

    one, two = (settings.load(tmp_path / name) for name in ("line", "plain"))
    for part in ("station", "intake", "decode", "cluster", "delivery", "log"):
        assert getattr(one, part) == getattr(two, part)
    assert one.recogniser.options == two.recogniser.options
    for part in ("sources", "sinks"):
        mine, theirs = getattr(one, part), getattr(two, part)
        assert {name: item.options for name, item in mine.items()} == {
            name: item.options for name, item in theirs.items()
        }
    layouts = [settings.Layout(tmp_path / name) for name in ("line", "plain")]
    versions = [recipes.load(layout, "default", one.recogniser).version for layout in layouts]
    assert versions[0] == versions[1]


def test_check_when_all_is_right_then_a_line_each_and_zero(plant):
    done = run("check", "--root", str(plant.root))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok") for line in lines)
    heads = [" ".join(line.split()[1:3]) for line in lines]
    assert heads[:2] == ["configuration station", "folders " + str(plant.root)]
    assert "recipe default" in heads
    assert "recogniser scripted" in heads
    assert "sink csv" in heads


def test_check_when_things_are_wrong_then_tells_each_and_one(plant):
    plant.configure(
        "recogniser: {use: trocr, checkpoint: data/models/none}\n"
        "sinks: {mqtt: {host: 127.0.0.1, port: 1}}\n",
        recipe=EVERYTHING,
    )
    (plant.layout.recipes / "cam.yaml").write_text("preprocess: [{blur: {kernel_px: 4}}]\n")
    done = run("check", "--root", str(plant.root))
    assert done.returncode == 1
    wrong = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert any("recipe cam" in one and "cam.yaml:1 preprocess[0].blur" in one for one in wrong)
    assert any("recogniser trocr" in one for one in wrong)
    assert any("sink mqtt" in one for one in wrong)
    assert len(wrong) == 3


def test_status_when_shown_then_the_sums_agree(plant):
    for number in range(3):
        picture(plant.inbox("cam") / f"{number}.png", 100 + number)
    plant.start("--once")
    assert plant.finish() == 0
    text = run("status", "--root", str(plant.root)).stdout
    assert "3 pictures seen = 3 reported + 0 in work; 0 of them failed" in text
    found = plant.status()
    assert found["sinks"]["csv"]["delivered"] == 3
    assert found["cameras"]["cam"]["last_status"] == "read"


def test_read_when_the_path_is_a_pipe_then_does_not_wait_for_it(plant, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    done = run("read", str(tmp_path / "pipe.png"), "--json", "--root", str(plant.root))
    assert done.returncode == 65
    assert "no regular file" in json.loads(done.stdout)["reason"]
