"""The sample pictures: their generator is deterministic, and their table is true and complete."""

from __future__ import annotations

import csv
import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from PIL import Image

FOLDER = Path(__file__).parents[1] / "data" / "samples"
SUFFIXES = {".png", ".jpg", ".bmp", ".tif", ".webp"}
FORMATS = {
    "press-3": r"[A-Z]{2}\d{6}",
    "labels": r"MW-\d{4}-\d{4}",
    "packaging": r"(EXP20\d{2}-[01]\d-[0-3]\d|LOT[A-Z]\d{5})",
    "turning-1": r"[A-HJ-NPR-Z]{2}\d{2}[A-HJ-NPR-Z]\d{5}",
    "castings": r"\d{5}-\d{4}(-[A-C])?",
    "counter-2": r"\d{6}",
}
HARD = "hard-turning.png"
"""Belongs to no camera of the demo: its recipe is an example."""
CHEAP = ("labels-03.bmp", "counter-2-02.png", "press-3-03.bmp")

with open(FOLDER / "expected.csv", encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))


def imported(script: str) -> Iterator[ModuleType]:
    """A script, imported as when it is run: its folder comes first on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module(script)
    for name in (script, "make", "marks", "scene"):
        sys.modules.pop(name, None)


@pytest.fixture
def generator() -> Iterator[ModuleType]:
    """`make.py`."""
    yield from imported("make")


@pytest.fixture(scope="module")
def turned() -> Iterator[ModuleType]:
    """`turned.py`."""
    yield from imported("turned")


def test_generator_when_run_twice_then_gives_equal_bytes(
    generator: ModuleType, tmp_path: Path
) -> None:
    samples = [sample for sample in generator.SAMPLES if sample.file in CHEAP]
    for run in ("first", "second"):
        generator.make(tmp_path / run, samples)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted([*CHEAP, "expected.csv"])
    for name in names:
        first, second = ((tmp_path / run / name).read_bytes() for run in ("first", "second"))
        assert first == second, name


def test_generator_when_one_sample_is_left_out_then_the_others_stay_the_same(
    generator: ModuleType,
) -> None:
    first, second = (s for s in generator.SAMPLES if s.file in CHEAP[:2])
    alone = generator.render(second)
    generator.render(first)
    assert np.array_equal(generator.render(second), alone)


def test_generator_when_compared_with_the_table_then_lists_the_same_rows(
    generator: ModuleType,
) -> None:
    listed = [(s.file, s.camera, s.text, s.code) for s in generator.SAMPLES]
    assert listed == [(r["file"], r["camera"], r["text"], r["code"]) for r in ROWS]


def test_table_when_compared_with_the_folder_then_lists_exactly_its_pictures() -> None:
    pictures = sorted(path.name for path in FOLDER.iterdir() if path.suffix in SUFFIXES)
    assert sorted([*(row["file"] for row in ROWS), HARD]) == pictures
    assert len(ROWS) >= 24
    assert {Path(row["file"]).suffix for row in ROWS} == SUFFIXES


def test_codes_when_taken_together_then_are_unique() -> None:
    codes = [row["code"] for row in ROWS]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_row_when_checked_then_camera_and_code_follow_the_formats(row: dict[str, str]) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", row["camera"])
    assert row["file"].startswith(f"{row['camera']}-")
    assert re.fullmatch(FORMATS[row["camera"]], row["code"])
    assert row["code"] == row["text"].replace(" ", "")


@pytest.mark.parametrize("camera", FORMATS)
def test_readme_when_read_then_states_the_format_of_each_camera(camera: str) -> None:
    line = next(
        line
        for line in (FOLDER / "README.md").read_text("utf-8").splitlines()
        if line.startswith(f"| `{camera}`")
    )
    assert f"`{FORMATS[camera]}`" in line.replace(r"\|", "|")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_picture_when_opened_then_is_whole_and_of_a_camera_s_size(row: dict[str, str]) -> None:
    path = FOLDER / row["file"]
    assert path.stat().st_size <= 600_000
    with Image.open(path) as picture:
        picture.load()
        assert picture.mode in ("L", "RGB")
        assert {"JPEG": ".jpg", "TIFF": ".tif"}.get(
            picture.format, f".{picture.format.lower()}"
        ) == path.suffix
        assert min(picture.size) >= 120
        assert np.asarray(picture).std() > 4


def test_pictures_when_weighed_together_then_are_at_most_six_megabytes() -> None:
    assert sum((FOLDER / row["file"]).stat().st_size for row in ROWS) <= 6_000_000


def test_hard_turning_when_a_part_is_made_twice_then_is_the_same_and_what_is_shipped(
    turned: ModuleType,
) -> None:
    part = np.s_[800:1800, 1496:2496]
    first, second = turned.render(part), turned.render(part)
    assert np.array_equal(first, second)
    with Image.open(FOLDER / HARD) as picture:
        assert (picture.size, picture.mode) == (turned.SIZE, "L")
        shipped = np.asarray(picture)[part]
    # On another processor a value may fall to the other side of a step.
    steps = np.abs(first.astype(int) - shipped)[400:-400, 400:-400] / turned.LEVELS
    assert steps.mean() < 0.05


def test_hard_turning_when_weighed_then_is_eight_megapixels_in_one_and_a_half_megabytes() -> None:
    path = FOLDER / HARD
    assert path.stat().st_size <= 1_500_000
    with Image.open(path) as picture:
        assert 7.9e6 < picture.width * picture.height < 8.1e6
        assert np.asarray(picture).std() > 40


def test_hard_turning_when_compared_with_its_table_then_says_the_same(turned: ModuleType) -> None:
    with open(FOLDER / "hard-turning.csv", encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["file"], row["text"]) == (HARD, turned.TEXT)
    assert re.fullmatch(r"[A-Z]{2}\d{8}[A-Z]{2}\d{5}", row["text"])
    line = turned.outline()
    assert np.allclose(json.loads(row["cord"]), [*line.min(0), *line.max(0)], atol=0.1)
    assert np.allclose(json.loads(row["outline"]), line[[0, 199, 200, 399]], atol=0.1)


def test_hard_turning_when_the_mark_is_looked_for_then_it_fills_the_outline_and_no_more(
    turned: ModuleType,
) -> None:
    """The table is made of formulas; the picture of pixels. They must agree."""
    with Image.open(FOLDER / HARD) as picture:
        pixels = np.asarray(picture)
    inside = np.zeros(pixels.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(turned.outline()).astype(int)], 1)
    around = cv2.dilate(inside, np.ones((61, 61), np.uint8)) - inside
    dark = pixels < 0.75 * cv2.medianBlur(pixels, 151)
    assert dark[inside > 0].mean() > 0.15
    assert dark[around > 0].mean() < 0.01
    rows, columns = np.nonzero(dark & (inside > 0))
    for found, true in zip(
        (columns.min(), rows.min(), columns.max(), rows.max()),
        (*turned.outline().min(0), *turned.outline().max(0)),
        strict=True,
    ):
        assert abs(found - true) < 20


@pytest.fixture
def outlines() -> Iterator[ModuleType]:
    """`outlines.py`."""
    yield from imported("outlines")


def test_outlines_when_made_again_then_they_are_those_of_the_table(outlines: ModuleType) -> None:
    with open(FOLDER / "outlines.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["file"] for row in rows)) == [row["file"] for row in ROWS]
    for sample in outlines.make.SAMPLES:
        if sample.file in (*CHEAP, "labels-06.png"):
            made = list(outlines.outlines(sample))
            wanted = [row for row in rows if row["file"] == sample.file]
            assert [text for text, _ in made] == [row["text"] for row in wanted]
            for (_, corners), row in zip(made, wanted, strict=True):
                assert np.allclose(corners, json.loads(row["outline"]), atol=1)
