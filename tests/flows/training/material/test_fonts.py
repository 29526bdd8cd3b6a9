"""Faces: what they draw, which are held out, and how they are chosen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from flows.training.material.families import DEBIAN, NPM, Kind
from flows.training.material.fetch import MANIFEST
from flows.training.material.fonts import HELD_OUT, FaceSet, face_of, faces
from stages.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pillow's own font as two families to train with, one of two faces, and one held out."""
    (tmp_path / "fonts").mkdir()
    rows = ["kind,family,file,licence,source"]
    for family, kind, style in (
        ("arimo", "sans", "400"),
        ("arimo", "sans", "700"),
        ("cousine", "sans", "400"),
        ("archivo", "sans", "400"),
        ("special-elite", "typewriter", "400"),
    ):
        file = f"fonts/{family}-{style}.ttf"
        (tmp_path / file).write_bytes(ImageFont.load_default(20).font_bytes)
        rows.append(f"{kind},{family},{file},OFL-1.1,npm:{family}")
    (tmp_path / MANIFEST).write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_held_out_when_compared_with_the_families_then_all_are_fetched() -> None:
    families = {name for names in NPM.values() for name in names}
    families |= {each.family for each in DEBIAN}
    assert families >= HELD_OUT
    assert 30 <= len(HELD_OUT) < len(families) / 5


def test_npm_when_counted_then_no_family_is_named_twice() -> None:
    names = [name for names in NPM.values() for name in names]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_faces_when_the_folder_is_filled_then_held_out_families_stand_apart(folder: Path) -> None:
    found = faces(folder)
    assert [face.family for face in found.held_out.faces] == ["archivo"]
    assert len(found.training) == 4
    assert {face.licence for face in found.training.faces} == {"OFL-1.1"}


def test_faces_when_read_again_then_the_coverage_comes_from_the_record(folder: Path) -> None:
    before = faces(folder)
    for path in (folder / "fonts").iterdir():
        path.write_bytes(b"no longer a font")
    assert faces(folder) == before


def test_faces_when_there_are_none_then_the_remedy_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m flows\.training\.material"):
        faces(tmp_path)


def test_choose_when_repeated_then_families_are_alike_whatever_their_faces(folder: Path) -> None:
    rng = np.random.default_rng(0)
    training = faces(folder).training
    chosen = Counter(training.choose(rng, "AB12", [Kind.SANS]).family for _ in range(600))
    assert set(chosen) == {"arimo", "cousine"}
    assert 240 < chosen["arimo"] < 360


def test_choose_when_no_face_covers_the_text_then_there_is_none(folder: Path) -> None:
    rng = np.random.default_rng(0)
    training = faces(folder).training
    assert training.choose(rng, "\u0416") is None
    assert training.choose(rng, "A", [Kind.OCR]) is None
    assert FaceSet(()).choose(rng, "A") is None


def test_face_of_when_the_file_is_no_font_then_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.ttf"
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"mine\.ttf: not a font"):
        face_of(path)


def test_face_of_when_the_file_is_a_font_then_its_face_covers_codes(folder: Path) -> None:
    assert face_of(folder / "fonts" / "arimo-400.ttf").covers("LOT 4711-B")
