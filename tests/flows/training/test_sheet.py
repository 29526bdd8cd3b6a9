"""Contact sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flows.training import sheet as sheets
from flows.training.sheet import fitted, main, sheet


def test_sheet_when_pictures_differ_in_size_then_each_lies_in_its_cell() -> None:
    pictures = [np.full((20, 60), 200, np.uint8), np.full((30, 40, 3), 90, np.uint8)] * 2
    whole = sheet(pictures, ["one", "two", "three", ""], columns=2)
    assert whole.ndim == 3
    assert (whole[:20, :60] == 200).all()
    right = whole.shape[1] // 2
    assert (whole[:30, right : right + 40] == 90).all()


def test_fitted_when_the_crop_is_wide_then_bounded_by_its_width() -> None:
    assert fitted(np.zeros((10, 100), np.uint8), width=300, rows=76).shape == (30, 300)
    assert fitted(np.zeros((100, 50), np.uint8), width=300, rows=76).shape == (76, 38)


def test_main_when_given_material_then_a_png_of_photographs(
    tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "_SURFACES", 13)
    out = tmp_path / "sheet.png"
    assert main([str(material), str(out), "--count", "6", "--columns", "2"]) == 0
    picture = cv2.imread(str(out))
    assert picture is not None
    assert len(np.unique(picture)) > 20


def test_main_when_the_folder_is_empty_then_says_how_to_fill_it(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path), str(tmp_path / "sheet.png")]) == 78
    assert "flows.training.material.fetch" in capsys.readouterr().err
