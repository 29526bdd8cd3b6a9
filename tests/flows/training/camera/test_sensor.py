import cv2
import numpy as np
import pytest
import torch

from flows.training.camera.scene import Scene, mark_contrast
from flows.training.camera.sensor import enlarge, expose, noise, sharpen, shift_lines, specks
from flows.training.marking.chance import Chance


def marks(count: int, mark: float, ground: float) -> torch.Tensor:
    ink = np.zeros((32, 200), np.uint8)
    cv2.putText(ink, "B8S5-Z2", (8, 25), 0, 0.9, 255, 2, cv2.LINE_AA)
    picture = ground + (mark - ground) * torch.from_numpy(ink).float() / 255
    return picture.expand(count, 32, 200).contiguous()


def scene(count: int, severity: float = 1.0, text_px: float = 20.0) -> Scene:
    ones = torch.ones(count)
    return Scene(ones * severity, ones * 0.6, ones * text_px, text_px)


@pytest.mark.parametrize(
    ("mark", "ground"), [(0.1, 0.8), (0.9, 0.2), (0.45, 0.6), (0.95, 0.8), (0.02, 0.15)]
)
def test_expose_leaves_any_mark_visible(mark: float, ground: float) -> None:
    plain = marks(64, mark, ground)
    seen = expose(plain, scene(64), Chance(torch.Generator().manual_seed(0)))
    assert (seen >= 0).all() and (seen <= 1).all()
    assert (seen - plain).abs().mean((1, 2)).median() > 0.02
    floor = torch.minimum(mark_contrast(plain), torch.tensor(0.14))
    assert (mark_contrast(seen) > floor * 0.85).all()


def test_noise_on_a_faint_mark_is_weaker_than_on_a_plain_one() -> None:
    faint, plain = marks(64, 0.45, 0.6), marks(64, 0.1, 0.9)
    added = [
        (noise(each, scene(64), Chance(torch.Generator().manual_seed(1))) - each).std()
        for each in (faint, plain)
    ]
    assert 0.002 < added[0] < added[1] / 2


def test_noise_on_an_empty_picture_is_there_too() -> None:
    empty = torch.full((16, 24, 100), 0.5)
    assert noise(empty, scene(16), Chance(torch.Generator().manual_seed(2))).std() > 0.002


def test_shift_lines_moves_rows_and_changes_no_grey() -> None:
    plain = marks(32, 0.1, 0.8)
    seen = shift_lines(plain, scene(32), Chance(torch.Generator().manual_seed(3)))
    assert not torch.equal(seen, plain)
    assert torch.isin(seen, plain.unique()).all()
    assert torch.equal(seen.sort(2).values[:, 0], plain.sort(2).values[:, 0])


def test_specks_are_few_and_black_or_white() -> None:
    plain = torch.full((32, 30, 100), 0.5)
    seen = specks(plain, scene(32), Chance(torch.Generator().manual_seed(4)))
    changed = seen != plain
    assert 0 < changed.float().mean() < 0.03
    assert set(seen[changed].tolist()) == {0.0, 1.0}


def test_sharpen_draws_halos() -> None:
    plain = marks(8, 0.3, 0.6)
    seen = sharpen(plain, scene(8), Chance(torch.Generator().manual_seed(5)))
    assert (seen.amax((1, 2)) > 0.62).all()
    assert (seen.amin((1, 2)) < 0.29).all()


def test_enlarge_of_large_text_loses_detail_and_of_small_text_none() -> None:
    plain = marks(8, 0.1, 0.8)
    seen = enlarge(plain, scene(8, text_px=30.0), Chance(torch.Generator().manual_seed(6)))
    assert seen.shape == plain.shape
    assert not torch.allclose(seen, plain, atol=0.01)
    kept = enlarge(plain, scene(8, text_px=9.0), Chance(torch.Generator().manual_seed(6)))
    assert torch.equal(kept, plain)
