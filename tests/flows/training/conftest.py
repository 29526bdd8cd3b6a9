from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import ImageFont

from flows.training.material.fetch import MANIFEST
from flows.training.material.fonts import HELD_OUT, FaceSet, face_of


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other make these small pictures slower, not faster."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def plain_faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    """One face: the font that comes with Pillow."""
    path: Path = tmp_path_factory.mktemp("fonts") / "plain.ttf"
    path.write_bytes(ImageFont.load_default(20).font_bytes)
    return FaceSet((face_of(path),))


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of training material: Pillow's font to train with and held out, one texture."""
    folder = tmp_path_factory.mktemp("material")
    grain = np.random.default_rng(1).normal(128, 30, (300, 400)).clip(0, 255).astype(np.uint8)
    rows = ["kind,family,file,licence,source", "texture,steel,steel.png,CC0-1.0,test"]
    cv2.imwrite(str(folder / "steel.png"), grain)
    for family in ("arimo", min(HELD_OUT)):
        (folder / f"{family}.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
        rows.append(f"sans,{family},{family}.ttf,OFL-1.1,test")
    (folder / MANIFEST).write_text("\n".join(rows), "utf-8")
    return folder
