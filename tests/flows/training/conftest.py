from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ImageFont

from flows.training.fonts import FaceSet, face_of


@pytest.fixture(scope="session")
def plain_faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """One face: the font that comes with Pillow."""
    path: Path = tmp_path_factory.mktemp("fonts") / "plain.ttf"
    path.write_bytes(ImageFont.load_default(20).font_bytes)
    return FaceSet((face_of(path),))
