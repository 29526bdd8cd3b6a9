"""What is read in labelled pictures: crops, whole pictures, pictures and engines that fail."""

from __future__ import annotations

import csv
import io

import markwatch_faults as faults
import pytest
from made import picture

from flows.configuration import recipes, settings
from flows.engines import ENGINES
from flows.evaluation.contenders import alone, choose, within
from flows.evaluation.labels import Label
from flows.evaluation.predictions import PredictionWriter, predict
from stages.decode import DecodeOptions

SCRIPTED = alone("scripted", choose("scripted"), 1)


@pytest.fixture(autouse=True)
def _unloaded():
    yield
    ENGINES.close()


@pytest.fixture
def labels(tmp_path):
    def make(*levels):
        paths = [picture(tmp_path / f"{number}.png", of) for number, of in enumerate(levels)]
        return [
            Label(path.name, path, f"G{of}", f"labels.csv:{line}")
            for line, (path, of) in enumerate(zip(paths, levels, strict=True), 2)
        ]

    return make


@pytest.fixture
def recipe(tmp_path):
    def make(text):
        (tmp_path / "r.yaml").write_text(text)
        layout = settings.Layout(tmp_path)
        return recipes.load_files(layout, "r", [tmp_path / "r.yaml"], choose("scripted"))

    return make


def run(labels, *contenders):
    complaints = []
    rows = list(predict(labels, contenders, DecodeOptions(), complaints.append))
    return rows, complaints


def test_predict_when_crops_are_read_then_text_confidence_and_time_of_each(labels):
    rows, complaints = run(labels(100, 101), SCRIPTED, alone("again", choose("scripted"), 1))

    assert complaints == []
    assert [[each.contender for each in row] for row in rows] == [["scripted", "again"]] * 2
    first = rows[0][0]
    assert (first.file, first.text, first.predicted) == ("0.png", "G100", "G100")
    assert first.confidence == pytest.approx(0.99**4)
    assert all(each.ms >= 0 for row in rows for each in row)


def test_predict_when_started_then_each_engine_reads_the_first_crop_once_more(labels, tmp_path):
    marker = tmp_path / "marker"

    run(labels(100, 101), alone("scripted", choose(f"scripted:marker={marker}"), 1))

    assert [line.split()[1] for line in marker.read_text().splitlines()] == ["1"] * 3


def test_predict_when_a_picture_is_bad_then_it_is_told_and_the_others_are_read(labels):
    made = labels(100, 101, 102)
    made[0].path.write_bytes(b"no picture")

    rows, complaints = run(made, SCRIPTED)

    assert [row[0].predicted for row in rows] == ["G101", "G102"]
    assert len(complaints) == 1
    assert complaints[0].startswith("labels.csv:2: 0.png: not a picture")


def test_predict_when_an_engine_fails_then_it_has_read_nothing_there(labels):
    rows, complaints = run(labels(100, faults.RAISE, 101), SCRIPTED)

    assert [row[0].predicted for row in rows] == ["G100", "", "G101"]
    assert (rows[1][0].confidence, rows[1][0].ms) == (None, None)
    assert len(complaints) == 1
    assert complaints[0].startswith("labels.csv:3: 1.png: scripted: the engine says no")


def test_predict_when_by_a_recipe_then_only_a_code_that_is_given_out_counts(labels, recipe):
    plan = recipe("fields: [{detect: {use: everything}, map: {format: 'G1\\d\\d'}}]\n")

    rows, complaints = run(labels(100, 200, 101), within("r", plan, None, 1))

    assert [row[0].predicted for row in rows] == ["G100", "", "G101"]
    assert [row[0].confidence is None for row in rows] == [False, True, False]
    assert complaints == []
    assert all(row[0].ms > 0 for row in rows)


def test_predict_when_by_a_recipe_and_something_fails_then_told_alike(labels, recipe):
    plan = recipe("fields: [{detect: {use: everything}}]\n")
    made = labels(100, 101, faults.RAISE)
    made[0].path.write_bytes(b"no picture")

    rows, complaints = run(made, within("r", plan, None, 1))

    assert [row[0].predicted for row in rows] == ["G101", ""]
    assert ["not a picture" in complaints[0], "the engine says no" in complaints[1]] == [True] * 2


@pytest.mark.parametrize("several", [False, True])
def test_writer_when_several_then_the_set_and_the_recogniser_stand_before(prediction, several):
    file = io.StringIO(newline="")
    writer = PredictionWriter(file, sets=several, contenders=several)

    writer.write("s", prediction("A,1", "A1", 0.25, ms=1.23456))
    writer.write("s", prediction("A", "", ms=None))

    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    own = {"set": "s", "recogniser": "one"} if several else {}
    cells = {"file": "a.png", "text": "A,1", "predicted": "A1", "confidence": "0.250000"}
    assert rows[0] == {**own, **cells, "ms": "1.235"}
    assert (rows[1]["predicted"], rows[1]["confidence"], rows[1]["ms"]) == ("", "", "")
