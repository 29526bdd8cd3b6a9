"""The sample pictures: their generator is deterministic, and their table is true and complete."""

from __future__ import annotations

import csv
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

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
CHEAP = ("labels-03.bmp", "counter-2-02.png", "press-3-03.bmp")

with open(FOLDER / "expected.csv", encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))


@pytest.fixture
def generator() -> Iterator[ModuleType]:
    """The script `make.py`, imported as when it is run: its folder comes first on the path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        patch.setattr(sys, "dont_write_bytecode", True)
        yield importlib.import_module("make")
    for name in ("make", "marks", "scene"):
        del sys.modules[name]


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
    assert sorted(row["file"] for row in ROWS) == pictures
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
