"""`markwatch explain`: a sheet beside you, whatever comes of the picture."""

from __future__ import annotations

import json
import os

import pytest
from commands import invoke
from made import picture
from PIL import Image
from plants import Plant

SCRIPTED = "recogniser: {use: scripted}\nsinks: {mqtt: null, parquet: null}\n"
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


@pytest.fixture
def plant(tmp_path, monkeypatch):
    made = Plant(tmp_path / "plant")
    made.configure(SCRIPTED, recipe=EVERYTHING)
    monkeypatch.chdir(tmp_path)
    return made


def size_of(path):
    with Image.open(path) as sheet:
        return sheet.size


def explain(plant, *arguments):
    return invoke("explain", *map(str, arguments), "--root", str(plant.root))


def test_explain_when_read_then_writes_the_sheet_here_and_prints_the_row(plant, tmp_path):
    done = explain(plant, picture(tmp_path / "pictures" / "a.png", 100))
    assert done.returncode == 0, done.stderr
    assert "G100" in done.stdout
    assert done.stderr.startswith("a-explained.png written, under recipe default@")
    assert size_of(tmp_path / "a-explained.png")[0] == 2040
    assert "written anew" in explain(plant, tmp_path / "pictures" / "a.png").stderr


def test_explain_when_the_picture_failed_then_the_sheet_is_there_and_the_status_says_it(
    plant, tmp_path
):
    (tmp_path / "a.png").write_bytes(b"no picture")
    done = explain(plant, tmp_path / "a.png", "-o", tmp_path / "s.png")
    assert done.returncode == 65
    assert "failed" in done.stdout
    assert size_of(tmp_path / "s.png")[0] == 2040


def test_explain_when_the_engine_fails_then_the_sheet_shows_the_picture_and_why(plant, tmp_path):
    done = explain(plant, picture(tmp_path / "a.png", 33), "-o", tmp_path / "s.png")
    assert done.returncode == 65
    assert "the engine says no" in done.stdout
    assert size_of(tmp_path / "s.png")[1] > 500


def test_explain_when_a_folder_is_named_like_a_camera_then_its_recipe_is_used(plant, tmp_path):
    recipe = "fields: [{detect: {use: everything}, map: {format: 'X\\d{3}'}}]\n"
    (plant.layout.recipes / "press-3.yaml").write_text(recipe)
    path = picture(tmp_path / "failed" / "press-3" / "2026" / "11" / "a.png", 100)
    done = explain(plant, path, "-o", "s.png")
    assert "mismatch" in done.stdout
    assert "under recipe press-3@" in done.stderr
    done = explain(plant, path, "-o", "s.png", "--recipe", "default")
    assert "under recipe default@" in done.stderr


def test_explain_when_an_id_of_a_row_is_given_then_finds_the_filed_picture(plant, tmp_path):
    (plant.inbox("cam") / "a.png.expected").write_text("G999\n")
    picture(plant.inbox("cam") / "a.png", 100)
    plant.start("--once")
    assert plant.finish() == 0
    rows = [json.loads(record) for (record,) in plant.query("SELECT record FROM rows")]
    done = explain(plant, rows[0]["id"])
    assert done.returncode == 0, done.stderr
    assert "a-explained.png written" in done.stderr
    assert "is not the expected" in " ".join(done.stdout.split())
    [archived] = plant.layout.archive.rglob("a.png")
    os.remove(archived)
    gone = explain(plant, rows[0]["id"])
    assert gone.returncode == 78
    assert "is gone from" in gone.stderr


def test_explain_when_the_output_is_the_picture_itself_then_refuses_it(plant, tmp_path):
    path = picture(tmp_path / "a.png", 100)
    before = path.read_bytes()
    done = explain(plant, path, "-o", path)
    assert done.returncode == 78
    assert "is no sheet of markwatch; choose another name with -o" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("nowhere.png", "no such picture: nowhere.png"),
        (".", "is a folder; name one picture"),
        ("01900000-0000-7000-8000-000000000001-0-0", "no ledger in"),
    ],
)
def test_explain_when_there_is_no_such_picture_then_says_so_in_one_line(plant, argument, words):
    done = explain(plant, argument)
    assert done.returncode == 78
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
