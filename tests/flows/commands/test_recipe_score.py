"""`markwatch recipe test`: the score is that of the labels, and the failures are drawn."""

from __future__ import annotations

import re

import pytest
from commands import invoke
from made import picture
from PIL import Image
from plants import Plant

SCRIPTED = "recogniser: {use: scripted}\nsinks: {mqtt: null, parquet: null}\n"
RECIPE = "fields: [{detect: {use: everything}, map: {format: '[G]\\d{3}'}, threshold: 0.5}]\n"
TWO = (
    "fields: [{name: one, detect: {use: everything}, threshold: 0.5}, "
    "{name: two, detect: {use: everything}, map: {format: 'X'}, threshold: 0.5}]\n"
)


@pytest.fixture
def plant(tmp_path, monkeypatch):
    made = Plant(tmp_path / "plant")
    made.configure(SCRIPTED, recipe=RECIPE)
    monkeypatch.chdir(tmp_path)
    return made


def score(plant, tmp_path, rows, *more, head="file,text"):
    (tmp_path / "labels.csv").write_text("\n".join([head, *rows]) + "\n")
    return invoke("recipe", "test", "default", "labels.csv", *more, "--root", str(plant.root))


def sheet_size(path):
    with Image.open(path) as sheet:
        return sheet.size


def row_of(text, name):
    return re.search(rf"(?m)^{name} .*$", text).group().split()


def test_recipe_test_when_some_fail_then_scores_each_kind_and_draws_them(plant, tmp_path):
    for level in (100, 101, 102, 103):
        picture(tmp_path / f"{level}.png", level)
    (tmp_path / "no.png").write_bytes(b"no picture")
    rows = ["100.png,G100", "101.png,G107", "102.png,G102", "no.png,G104"]
    done = score(plant, tmp_path, rows)
    assert done.returncode == 0, done.stderr
    assert "on 4 pictures of labels.csv" in done.stdout
    assert row_of(done.stdout, "right")[1:4] == ["2", "50.0", "%"]
    assert row_of(done.stdout, "right")[4] == "6.8-93.2"
    assert row_of(done.stdout, "wrong")[1] == "1"
    assert row_of(done.stdout, "not given out")[3] == "1"
    assert row_of(done.stdout, "  failed")[1] == "1"
    assert row_of(done.stdout, "wrong of those given out")[5:7] == ["1", "33.3"]
    assert re.search(r"(?m)^101\.png +G107 +G101 ", done.stdout)
    assert "most frequent confusions (truth>read): 7>1 1" in done.stdout
    assert done.stderr.strip() == "default-failures.png written: 2 failures"
    assert sheet_size(tmp_path / "default-failures.png")[0] == 1880


def test_recipe_test_when_all_is_right_then_the_sheet_of_before_does_not_stay(plant, tmp_path):
    picture(tmp_path / "a.png", 100)
    score(plant, tmp_path, ["a.png,G107"], "-o", "s.png")
    before = sheet_size(tmp_path / "s.png")
    done = score(plant, tmp_path, ["a.png,G100"], "-o", "s.png")
    assert done.stderr.strip() == "s.png written anew: 0 failures"
    assert sheet_size(tmp_path / "s.png")[1] < before[1]


def test_recipe_test_when_there_are_fields_then_each_has_its_score(plant, tmp_path):
    (plant.layout.recipes / "default.yaml").write_text(TWO)
    picture(tmp_path / "a.png", 100)
    rows = ["a.png,G100,one", "a.png,G100,two"]
    done = score(plant, tmp_path, rows, head="file,text,field")
    assert done.returncode == 0, done.stderr
    one, two = done.stdout.split("field two")
    assert row_of(one, "right")[1] == "1"
    assert row_of(two, "right")[1] == "0"
    assert row_of(two, "  mismatch")[1] == "1"


def test_recipe_test_when_a_row_is_bad_then_the_others_count_and_the_status_says_it(
    plant, tmp_path
):
    picture(tmp_path / "a.png", 100)
    done = score(plant, tmp_path, ["a.png,G100", "nowhere.png,G101"])
    assert done.returncode == 65
    assert "labels.csv:3: no such picture" in done.stderr
    assert row_of(done.stdout, "right")[1:3] == ["1", "100.0"]


@pytest.mark.parametrize(
    ("rows", "head", "more", "words"),
    [
        (["a.png,G100,lot"], "file,text,field", (), "labels.csv:2: no field is called 'lot'"),
        (["a.png,G100"], "file,text", ("-o", "labels.csv"), "a sheet is a PNG"),
        (["a.png,G100"], "file,text", ("-o", "a.png"), "is no sheet of markwatch"),
        (["a.png,G100"], "file,code", (), "the first line must be file,text"),
    ],
)
def test_recipe_test_when_misused_then_says_so_in_one_line_before_the_work(
    plant, tmp_path, rows, head, more, words
):
    picture(tmp_path / "a.png", 100)
    done = score(plant, tmp_path, rows, *more, head=head)
    assert done.returncode == 78
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
