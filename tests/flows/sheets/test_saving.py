"""A sheet replaces a sheet, and never anything else."""

from __future__ import annotations

import pytest
from made import picture
from PIL import Image

from flows.sheets import saving
from stages.errors import ConfigError

SHEET = Image.new("RGB", (8, 8), "white")


def test_save_when_a_sheet_has_the_name_then_it_is_replaced(tmp_path):
    path = tmp_path / "sheet.png"
    saving.require(path)
    saving.save(SHEET, path)
    saving.require(path)
    saving.save(Image.new("RGB", (9, 9)), path)
    with Image.open(path) as found:
        assert found.size == (9, 9)
    assert saving.is_sheet(path)
    assert [each.name for each in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_require_when_another_file_has_the_name_then_it_is_refused(tmp_path, content):
    path = tmp_path / "part.png"
    if content is None:
        picture(path, 100)
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is no sheet of markwatch; choose another name with -o"):
        saving.require(path)
    assert path.read_bytes() == before


def test_require_when_the_name_or_folder_is_wrong_then_says_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"a sheet is a PNG; name it like sheet\.png"):
        saving.require(tmp_path / "sheet.jpg")
    with pytest.raises(ConfigError, match="no such folder"):
        saving.require(tmp_path / "nowhere" / "sheet.png")


def test_save_when_it_cannot_be_written_then_one_line_and_nothing_is_left(tmp_path):
    path = tmp_path / "sheet.png"
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        saving.save(SHEET, path)
    assert [each.name for each in tmp_path.iterdir()] == ["sheet.png"]
