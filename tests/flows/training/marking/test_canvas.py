import pytest
import torch

from flows.training.marking.canvas import across, blur, slopes

POINT = torch.zeros(1, 48, 384)
POINT[0, 24, 192] = 1


def spread(picture: torch.Tensor, axis: int) -> float:
    """Standard deviation along an axis of (rows, columns), in samples."""
    mass = picture.sum(1 - axis)
    at = torch.arange(len(mass), dtype=torch.float32)
    mean = (mass * at).sum() / mass.sum()
    return float(((mass * (at - mean) ** 2).sum() / mass.sum()).sqrt())


@pytest.mark.parametrize("squeeze", [0.5, 1.0, 4.0])
def test_blur_when_the_canvas_is_stretched_then_spreads_by_as_much(squeeze):
    blurred = blur(POINT, torch.tensor([3.0]), torch.tensor([squeeze]))[0]

    assert blurred.sum() == pytest.approx(1, abs=0.01)
    assert spread(blurred, 0) == pytest.approx(3, rel=0.03)
    assert spread(blurred, 1) == pytest.approx(3 * squeeze, rel=0.03)


def test_blur_when_moved_then_shifts_rows_and_stretched_columns():
    moved = blur(
        POINT,
        torch.tensor([1.0]),
        torch.tensor([2.0]),
        down=torch.tensor([5.0]),
        right=torch.tensor([-4.0]),
    )[0]

    assert divmod(int(moved.argmax()), 384) == (29, 184)


def test_blur_when_a_mark_touches_one_end_then_leaves_the_other_end_clean():
    edge = torch.zeros(1, 48, 384)
    edge[:, :, :6] = 1

    blurred = blur(edge, torch.tensor([4.0]), torch.tensor([3.0]))

    assert blurred[:, :, -6:].abs().max() < 1e-3


def test_blur_when_there_are_no_pictures_then_gives_none():
    assert blur(POINT[:0], torch.zeros(0), torch.zeros(0)).shape == (0, 48, 384)


def test_slopes_when_on_a_tilted_plane_then_are_its_rise_per_row():
    squeeze = torch.tensor([4.0])
    rows, columns = torch.arange(48.0)[:, None], torch.arange(384.0) / 4
    along, down = slopes((0.3 * columns - 0.2 * rows)[None], squeeze)

    assert along[0, 5, 5] == pytest.approx(0.3, rel=1e-3)
    assert down[0, 5, 5] == pytest.approx(-0.2, rel=1e-3)


def test_across_when_along_the_lines_then_runs_from_end_to_end_in_heights():
    down, along = across(POINT, torch.tensor([6.0]), torch.tensor([0.0]))

    assert down.abs().max() < 1e-6
    assert along[0, 0, -1] - along[0, 0, 0] == pytest.approx(6, rel=0.01)
