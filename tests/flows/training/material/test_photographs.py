"""Surfaces out of texture archives: materials kept, maps, motifs and copies left out."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flows.training.material.photographs import evenest, is_surface, photographs


def grain(seed: int, side: int = 256) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (side, side))
    smooth = cv2.GaussianBlur(noise, (0, 0), 12)
    return np.uint8(np.clip(128 + 5 * smooth / smooth.std() + 4 * noise, 0, 255))


def archive_of(path: Path, pictures: dict[str, np.ndarray | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, pixels in pictures.items():
            data = pixels
            if isinstance(pixels, np.ndarray):
                stream = io.BytesIO()
                Image.fromarray(pixels).save(stream, "PNG")
                data = stream.getvalue()
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("textures/evil1_metals/rmetal2c.tga", True),
        ("textures/tex_buildings/concrete001.jpg", True),
        ("textures/tex_buildings/concrete008_nm.png", False),
        ("textures/eX/eX_cretewall_03b_gloss.tga", False),
        ("textures/evil2_basewall/dirtybrick.jpg", False),
        ("textures/metal/readme.txt", False),
        ("textures/sky/clouds.jpg", False),
    ],
)
def test_is_surface_when_the_path_tells_then_only_materials_are(name: str, expected: bool) -> None:
    assert is_surface(name) is expected


def test_photographs_when_mixed_then_each_even_surface_comes_once(tmp_path: Path) -> None:
    first = grain(1)
    striped = first.copy()
    striped[:, np.arange(256) % 24 < 5] = 10
    archive = archive_of(
        tmp_path / "textures.pk3",
        {
            "textures/metal_a.png": first,
            "textures/metal_brighter.png": np.uint8(first * 0.7),
            "textures/metal_grooves.png": striped,
            "textures/metal_even.png": np.full((256, 256), 90, np.uint8),
            "textures/metal_tiny.png": grain(2, 64),
            "textures/metal_broken.png": b"not a picture",
            "textures/rust_b.png": grain(3),
        },
    )
    found = list(photographs(archive))
    assert [each.name for each in found] == ["textures/metal_a.png", "textures/rust_b.png"]
    assert all(each.pixels.dtype == np.uint8 and each.pixels.ndim == 2 for each in found)


def test_evenest_when_only_a_quarter_is_even_then_that_is_kept() -> None:
    picture = grain(4, 512)
    grooves = np.arange(512) % 24 < 5
    picture[:250, grooves] = 0
    picture[:, grooves & (np.arange(512) >= 256)] = 0
    kept = evenest(picture)
    assert kept is not None
    assert kept.shape == (256, 256)
    assert kept.min() > 60
