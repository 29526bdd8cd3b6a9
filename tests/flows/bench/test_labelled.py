"""What a format is worth on labelled pictures: chosen and counted as by hand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from flows.bench import labelled
from flows.bench.labelled import Outcome, main, of_root, table
from flows.bench.mapping import WAYS
from stages.errors import ConfigError


@pytest.fixture
def labels(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").touch()
    path = tmp_path / "labels.csv"
    path.write_text("file,text\na.png,kx 12\nb.png,12.50\nc.png,other\n")
    return path


def test_labelled_when_there_are_formats_then_the_first_that_takes_the_label_is_its_own(labels):
    pictures, left = labelled.labelled(labels, [r"[A-Z]{2}\d\d", r"[\d.]+"], "iso7064-mod-97-10")
    assert [(each.path.name, each.code) for each in pictures] == [
        ("a.png", "KX12"),
        ("b.png", "12.50"),
    ]
    assert left == ["other"]
    assert list(pictures[0].ways) == list(WAYS)
    assert pictures[0].ways[WAYS[0]].constraint is None
    assert pictures[1].ways[WAYS[1]].constraint.accepts("12.50")
    assert not pictures[1].ways[WAYS[2]].constraint.is_code("12.50")


def test_labelled_when_a_format_is_impossible_then_refused(labels):
    with pytest.raises(ConfigError, match=r"--format.*is not closed"):
        labelled.labelled(labels, ["[A"], None)
    with pytest.raises(ConfigError, match="no text of the format can have a check digit of vin"):
        labelled.labelled(labels, ["[0-9]{4}"], "vin")


def test_of_root_when_a_camera_has_a_recipe_then_its_map_is_used(tmp_path):
    recipes = tmp_path / "conf" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "press.yaml").write_text("fields:\n  - map: {case: upper, format: '[A-Z]\\d'}\n")
    path = tmp_path / "expected.csv"
    path.write_text("file,camera,code\na.png,press,K1\n")
    (picture,) = of_root(path, tmp_path)
    assert (picture.recipe, picture.code, picture.path) == ("press", "K1", tmp_path / "a.png")
    assert picture.ways[WAYS[1]].format == r"[A-Z]\d"
    assert (picture.ways[WAYS[0]].case, picture.ways[WAYS[0]].format) == ("upper", None)


def test_table_when_counted_then_a_code_not_given_out_may_be_right_and_is_never_false():
    marks = [("K1", "K1"), ("K1", None), ("K7", "K7"), ("K7", None)]
    outcomes = [
        Outcome("trocr", WAYS[0], "K1", candidate, code, "a.png") for candidate, code in marks
    ]
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(outcomes))
    line = console.export_text().splitlines()[1]
    assert line.split("no format")[1].split() == [
        "4",
        "2",
        "(50.0%)",
        "2",
        "(50.0%)",
        "1",
        "98.7%",
    ]


def test_main_when_a_crop_is_read_then_prints_both_ways(labels, capsys):
    """With the real engine, on a picture with nothing on it."""
    import cv2
    import numpy as np

    for name in ("a", "b"):
        cv2.imwrite(str(labels.parent / f"{name}.png"), np.full((32, 120), 128, np.uint8))
    given = [str(labels), "--format", r"[A-Z]{2}\d\d", "--recogniser", "rapidocr", "--wrong"]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert "1 pictures, 2 labels fit no format" in printed
    assert "rapidocr no format KX12  None a.png" in printed


def test_main_when_no_label_fits_or_no_format_is_given_then_says_so(labels, capsys):
    assert main([str(labels), "--format", "Z{9}"]) == 1
    assert "no label fits; change --format" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([str(labels)])
    assert "give --format" in capsys.readouterr().err
