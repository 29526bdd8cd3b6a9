"""From a recipe to codes: several fields in one picture, and pictures that are turned."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from flows.commands import reading
from flows.engines import ENGINES

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "data" / "samples"

EXPIRY = "map: {format: 'EXP20\\d{2}-[01]\\d-[0-3]\\d', case: upper}"
BOXES = f"""
fields:
  - name: expiry
    detect: {{use: boxes, boxes_px: [[190, 325, 830, 440]]}}
    {EXPIRY}
  - name: handling
    detect:
      use: boxes
      corners_px: [[[278, 582], [768, 556], [778, 646], [288, 672]]]
    map: {{case: upper, strip: ' '}}
  - name: nothing
    detect: {{use: boxes, boxes_px: [[20, 20, 220, 80]]}}
"""
PARTS = f"""
fields:
  - name: expiry
    detect: {{use: neural, within_fraction: [0, 0.4, 1, 0.6]}}
    {EXPIRY}
  - name: handling
    detect: {{use: contours, within_px: [200, 520, 900, 720]}}
    map: {{case: upper, strip: ' '}}
"""

with open(SAMPLES / "outlines.csv", encoding="utf-8", newline="") as _file:
    OUTLINES = [(row["file"], row["text"], row["outline"]) for row in csv.DictReader(_file)]


@pytest.fixture
def rows(tmp_path, capsys):
    """Read a sample picture under a recipe."""

    def read(file, recipe):
        path = tmp_path / "mine.yaml"
        path.write_text(recipe)
        status = reading.read(ROOT, [SAMPLES / file], str(path), as_json=True)
        ENGINES.close()
        assert status == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


@pytest.mark.parametrize("recipe", [BOXES, PARTS], ids=["boxes", "parts"])
def test_read_when_a_picture_holds_several_fields_then_each_has_its_own_code(rows, recipe):
    found = {row["field"]: row for row in rows("packaging-01.jpg", recipe)}

    assert found["expiry"]["code"] == "EXP2027-03-14"
    assert found["handling"]["code"] == "KEEPDRY"
    truth = {text: outline for file, text, outline in OUTLINES if file == "packaging-01.jpg"}
    for name, text in (("expiry", "EXP 2027-03-14"), ("handling", "KEEP DRY")):
        middle = np.mean(json.loads(truth[text]), axis=0)
        assert np.allclose(np.mean(found[name]["outline"], axis=0), middle, atol=15)
    if "nothing" in found:
        assert (found["nothing"]["status"], found["nothing"]["text"]) == ("unread", None)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270, 30, 200])
def test_read_when_the_picture_is_turned_then_the_code_and_its_own_top_left(rows, degrees):
    recipe = f"""
preprocess:
  - rotate: {{degrees: {degrees}, expand: true}}
fields:
  - detect: {{use: neural}}
    map: {{case: upper, format: 'MW-\\d{{4}}-\\d{{4}}'}}
"""
    (row,) = rows("labels-06.png", recipe)

    (truth,) = (json.loads(outline) for file, _, outline in OUTLINES if file == "labels-06.png")
    assert row["code"] == "MW-1990-4403"
    assert np.allclose(row["outline"], truth, atol=25)
