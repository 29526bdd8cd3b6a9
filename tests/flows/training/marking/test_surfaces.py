from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flows.training.marking.surfaces import TILE, Surfaces
from flows.training.marking.textures import DEVIATION, MIDDLE, PAINTERS, Substrate, standardise
from flows.training.material.fetch import MANIFEST
from stages.errors import ConfigError


@pytest.fixture(scope="module")
def surfaces() -> Surfaces:
    return Surfaces.procedural(len(PAINTERS), 1)


def preferring(substrate: Substrate, count: int) -> torch.Tensor:
    weights = torch.zeros(count, len(Substrate))
    weights[:, substrate] = 1
    return weights


def folder_with(tmp_path: Path, picture: bytes) -> Path:
    (tmp_path / "textures").mkdir()
    (tmp_path / "textures" / "sheet.png").write_bytes(picture)
    (tmp_path / MANIFEST).write_text(
        "kind,family,file,licence,source\ntexture,sheet,textures/sheet.png,none,here\n"
    )
    return tmp_path


@pytest.mark.parametrize("substrate", PAINTERS)
def test_painters_when_asked_for_any_size_then_fill_it_with_finite_uneven_grey(substrate):
    painted = PAINTERS[substrate](np.random.default_rng(3), 60, 170)

    assert painted.shape == (60, 170)
    assert np.isfinite(painted).all()
    assert painted.std() > 0


def test_standardise_when_given_any_scale_then_has_the_bank_s_mean_and_deviation():
    texture = standardise(np.random.default_rng(0).normal(7, 900, (64, 64)))

    assert texture.dtype == np.uint8
    assert texture.mean() == pytest.approx(MIDDLE, abs=1)
    assert texture.std() == pytest.approx(DEVIATION, abs=1)


def test_procedural_when_given_a_seed_then_paints_the_same_bank_again():
    first, again, other = (Surfaces.procedural(2, seed) for seed in (5, 5, 6))

    assert torch.equal(first.tiles, again.tiles)
    assert torch.equal(first.blotches, again.blotches)
    assert not torch.equal(first.tiles, other.tiles)


def test_sample_when_aspects_differ_then_gives_crops_of_the_canvas_near_unit_deviation(surfaces):
    aspect = torch.tensor([0.5, 3.0, 8.0, 20.0]).repeat(16)
    crops = surfaces.sample(
        aspect, torch.ones(64, len(Substrate)), torch.Generator().manual_seed(0)
    )

    assert crops.shape == (64, 48, 384)
    assert torch.isfinite(crops).all()
    assert crops.abs().max() <= 3.3
    assert 0.4 < crops.std((1, 2)).median() < 1.5


def test_sample_when_one_substrate_is_preferred_then_takes_no_other(surfaces):
    place = surfaces.substrates.tolist().index(Substrate.CAST)
    plain = torch.full_like(surfaces.tiles, MIDDLE)
    plain[place] = MIDDLE + DEVIATION
    marked = Surfaces(plain, surfaces.substrates, surfaces.blotches, surfaces.scratches)

    crops = marked.sample(
        torch.full((20,), 6.0), preferring(Substrate.CAST, 20), torch.Generator().manual_seed(1)
    )

    assert torch.allclose(crops, torch.ones_like(crops))


def test_sample_when_the_bank_lacks_the_substrate_then_takes_another(surfaces):
    crops = surfaces.sample(
        torch.full((4,), 6.0),
        preferring(Substrate.PHOTOGRAPHED, 4),
        torch.Generator().manual_seed(1),
    )

    assert torch.isfinite(crops).all()


def test_sample_when_a_strip_is_narrow_then_stretches_the_surface_along_it(surfaces):
    """A grain as long as it is high lies `8 / aspect` times as long on the canvas."""
    speckle = preferring(Substrate.BLASTED, 32)
    roughness = []
    for aspect in (2.0, 8.0):
        crops = surfaces.sample(
            torch.full((32,), aspect), speckle, torch.Generator().manual_seed(2)
        )
        roughness.append(crops.diff(dim=2).square().mean() / crops.diff(dim=1).square().mean())

    assert roughness[0] < 0.5 * roughness[1]


def test_sample_blotches_when_cut_at_a_level_then_covers_about_that_share(surfaces):
    blotches = surfaces.sample_blotches(
        torch.full((64,), 8.0), (1.0, 3.0), torch.Generator().manual_seed(0)
    )

    assert 0.2 < (blotches < 0.3).float().mean() < 0.4


def test_sample_scratches_when_drawn_then_are_thin_and_within_0_and_1(surfaces):
    lines = surfaces.sample_scratches(torch.full((32,), 8.0), torch.Generator().manual_seed(0))

    assert lines.min() == 0
    assert lines.max() <= 1
    assert 0 < (lines > 0.1).float().mean() < 0.25


def test_load_when_the_manifest_names_a_picture_then_holds_a_cut_of_it(tmp_path):
    stripes = np.tile(np.repeat([40, 200], 16).astype(np.uint8), (300, 20))
    surfaces = Surfaces.load(
        folder_with(tmp_path, cv2.imencode(".png", stripes)[1].tobytes()), 3, 0
    )

    cuts = surfaces.tiles[surfaces.substrates == Substrate.PHOTOGRAPHED]
    assert surfaces.tiles.shape == (3, *TILE)
    assert len(cuts) == 1
    assert cuts[0].float().std(0).max() < 2 < cuts[0].float().std(1).min()


def test_load_when_no_picture_can_be_read_then_says_how_to_fetch_some(tmp_path):
    with pytest.raises(ConfigError, match=r"flows\.training\.material"):
        Surfaces.load(folder_with(tmp_path, b"not a picture"), 3, 0)
