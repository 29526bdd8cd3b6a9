"""Contact sheets."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from flows.training.drawing.layout import CANVAS
from flows.training.drawing.sheet import drawn, main, natural, sheet
from flows.training.drawing.strips import Strip, Style
from flows.training.material.fetch import MANIFEST
from flows.training.material.fonts import FaceSet


def test_sheet_when_pictures_differ_in_size_then_each_lies_in_its_cell() -> None:
    pictures = [np.full((20, 60), 200, np.uint8), np.full((30, 40, 3), 90, np.uint8)] * 2
    whole = sheet(pictures, ["one", "two", "three", ""], columns=2)
    assert whole.ndim == 3
    assert (whole[:20, :60] == 200).all()
    right = whole.shape[1] // 2
    assert (whole[:30, right : right + 40] == 90).all()


def test_natural_when_wider_than_the_limit_then_lower() -> None:
    canvas = np.zeros(CANVAS, np.uint8)
    assert natural(canvas, 2.0).shape == (48, 96)
    assert natural(canvas, 20.0, limit=400).shape == (20, 400)


def test_drawn_when_ink_lies_over_clutter_then_white() -> None:
    ink, clutter = np.zeros(CANVAS, np.uint8), np.full(CANVAS, 255, np.uint8)
    ink[:, :192] = 255
    picture = drawn(Strip("1", ink, clutter, 8.0, 4.0, 0.8, Style.PRINT))
    assert (picture[:, :190] == 255).all()
    assert (picture[:, 194:, 0] < 255).all()


def test_main_when_given_a_folder_of_fonts_then_a_png_of_strips(
    tmp_path: Path, plain_faces: FaceSet
) -> None:
    (tmp_path / "plain.ttf").write_bytes(plain_faces.faces[0].path.read_bytes())
    row = "sans,plain,plain.ttf,OFL-1.1,test"
    (tmp_path / MANIFEST).write_text(f"kind,family,file,licence,source\n{row}\n", "utf-8")
    out = tmp_path / "sheet.png"
    main(["--fonts", str(tmp_path), "--out", str(out), "--count", "6", "--columns", "2"])
    picture = cv2.imread(str(out))
    assert picture is not None
    assert len(np.unique(picture)) > 20
