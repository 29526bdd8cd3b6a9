"""What formats and check digits are worth: counted as by hand, with a reader that is scripted."""

from __future__ import annotations

import csv
import io

import cv2
import numpy as np
import pytest
from rich.console import Console

from flows.bench import coded, mapping
from flows.bench.coded import SCHEMES
from flows.bench.mapping import WAYS, run, table, tiers
from flows.training.validation import TIERS
from stages.records import Character, Transcript

GTIN = "4006381333931"
READ = {0: GTIN, 1: "4006381333932", 2: "4OO6381333931", 3: "HELLO"}


class Scripted:
    """Reads the level of a crop's first pixel as one of the texts, all of them surely."""

    model = "scripted@1"

    def __init__(self):
        self.asked = []

    def read(self, crops, constraints):
        self.asked += constraints
        texts = [READ[int(crop[0, 0])] for crop in crops]
        return [Transcript(text, tuple(Character(char, 0.999) for char in text)) for text in texts]


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(coded, "SCHEMES", SCHEMES[1:2])
    for tier in TIERS:
        folder = tmp_path / "gtin" / tier.name
        folder.mkdir(parents=True)
        with (folder / "labels.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["file", "text"])
            for level in READ:
                cv2.imwrite(str(folder / f"{level}.png"), np.full((8, 20), level, np.uint8))
                rows.writerow([f"{level}.png", GTIN])
    return tmp_path


def counts(outcomes, way):
    group = [each for each in outcomes if each.way == way]
    return sum(each.is_given for each in group), sum(each.is_false for each in group)


def test_run_when_texts_are_scripted_then_each_way_gives_out_what_it_should(pictures):
    reader = Scripted()
    outcomes = list(run(pictures, "trocr", reader, Console(quiet=True)))
    assert len(outcomes) == 3 * 4 * 3
    assert counts(outcomes, WAYS[0]) == (12, 9)
    assert counts(outcomes, WAYS[1]) == (9, 3)
    assert counts(outcomes, WAYS[2]) == (6, 0)
    assert {constraint.complaint(READ[1]) is None for constraint in reader.asked} == {True, False}


def test_table_when_printed_then_has_a_row_for_each_way_and_tier(pictures):
    outcomes = list(run(pictures, "rapidocr", Scripted(), Console(quiet=True)))
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(table(outcomes))
    console.print(tiers(outcomes))
    text = console.export_text()
    assert "rapidocr, format and check digit" in text
    line = next(line for line in text.splitlines() if line.startswith("rapidocr, format  "))
    assert line.split()[-6:] == ["12", "50.0%", "75.0%", "3", "33.33%", "70.07%"]
    assert "rapidocr, hard" in text


def test_main_when_the_folder_has_no_pictures_then_says_so(tmp_path, capsys):
    assert mapping.main([str(tmp_path), "--recogniser", "rapidocr"]) == 1
    assert "labels.csv" in capsys.readouterr().err
