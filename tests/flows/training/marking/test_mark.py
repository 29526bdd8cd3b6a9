import cv2
import numpy as np
import pytest
import torch

from flows.training.drawing.styles import Style
from flows.training.marking.looks import LOOKS
from flows.training.marking.mark import mark
from flows.training.marking.surfaces import Surfaces

EACH = 6
STYLES = torch.tensor([style for style in Style for _ in range(EACH)])


@pytest.fixture(scope="module")
def surfaces() -> Surfaces:
    return Surfaces.procedural(24, 1)


@pytest.fixture(scope="module")
def ink() -> torch.Tensor:
    drawn = np.zeros((48, 384), np.uint8)
    cv2.putText(drawn, "A1B2C3D4", (20, 38), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 255, 5, cv2.LINE_AA)
    return torch.from_numpy(drawn).float()[None] / 255


def marked(
    ink: torch.Tensor,
    surfaces: Surfaces,
    severity: float,
    styles: torch.Tensor = STYLES,
    aspect: float = 8.0,
    seed: int = 0,
) -> torch.Tensor:
    count = len(styles)
    ink = ink.expand(count, -1, -1)
    return mark(
        ink,
        torch.zeros_like(ink),
        torch.full((count,), aspect),
        torch.full((count,), 5.0),
        styles,
        surfaces,
        torch.full((count,), severity),
        torch.Generator().manual_seed(seed),
    )


def contrast(pictures: torch.Tensor, ink: torch.Tensor) -> torch.Tensor:
    """How far the ink differs from the ground, or within itself where relief is light and dark."""
    inside, outside = ink > 0.5, ink < 0.01
    mean = (pictures * inside).sum((1, 2)) / inside.sum() - (pictures * outside).sum(
        (1, 2)
    ) / outside.sum()
    deviation = torch.stack([picture[inside[0]].std() for picture in pictures])
    return torch.maximum(mean.abs(), deviation)


@pytest.mark.parametrize("severity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("aspect", [0.5, 5.0, 20.0])
def test_mark_when_of_any_style_severity_and_aspect_then_is_grey_of_0_to_1(
    ink, surfaces, severity, aspect
):
    pictures = marked(ink, surfaces, severity, aspect=aspect)

    assert pictures.shape == (len(STYLES), 48, 384)
    assert torch.isfinite(pictures).all()
    assert pictures.min() >= 0
    assert pictures.max() <= 1


def test_mark_when_given_the_same_seed_then_gives_the_same_pictures(ink, surfaces):
    first, again, other = (marked(ink, surfaces, 0.8, seed=seed) for seed in (3, 3, 4))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_mark_when_severity_is_0_then_stands_out_on_a_plain_ground(ink, surfaces):
    pictures = marked(ink, surfaces, 0.0)

    assert contrast(pictures, ink).min() > 0.1
    far = cv2.dilate(ink[0].numpy(), np.ones((25, 25))) < 0.01
    assert pictures[:, torch.from_numpy(far)].std(1).max() < 0.1


def test_mark_when_severity_is_1_then_is_fainter_but_never_gone(ink, surfaces):
    hard = contrast(marked(ink, surfaces, 1.0), ink)

    assert hard.min() > 0.02
    assert hard.mean() < 0.75 * contrast(marked(ink, surfaces, 0.0), ink).mean()


def test_mark_when_there_is_no_ink_then_keeps_the_texture_of_its_ground(ink, surfaces):
    blank = marked(torch.zeros_like(ink), surfaces, 1.0)
    read = marked(ink, surfaces, 1.0)

    margin = (slice(None), slice(None), slice(0, 14))
    assert blank[margin].std((1, 2)).median() > 0.5 * read[margin].std((1, 2)).median()


@pytest.mark.parametrize("style", [Style.PRINT, Style.LASER, Style.SEGMENTS, Style.STENCIL])
def test_mark_when_flat_then_comes_in_either_polarity(ink, surfaces, style):
    pictures = marked(ink, surfaces, 0.2, torch.full((48,), style))

    lighter = pictures[:, ink[0] > 0.9].mean(1) > pictures[:, ink[0] < 0.01].mean(1)
    assert 0.1 < lighter.float().mean() < 0.9


def test_mark_when_a_receipt_then_is_dark_on_light(ink, surfaces):
    pictures = marked(ink, surfaces, 0.0, torch.full((48,), Style.RECEIPT))

    darker = pictures[:, ink[0] > 0.9].mean(1) < pictures[:, ink[0] < 0.01].mean(1)
    assert darker.float().mean() > 0.85
    assert pictures[:, ink[0] < 0.01].mean() > 0.5


@pytest.mark.parametrize("style", [Style.ENGRAVED, Style.EMBOSSED, Style.DOTS_PEEN])
def test_mark_when_shaped_then_is_both_lighter_and_darker_than_its_ground(surfaces, style):
    disc = np.zeros((48, 384), np.uint8)
    cv2.circle(disc, (192, 24), 10, 255, -1)
    ink = torch.from_numpy(disc).float()[None] / 255
    styles = torch.full((32,), style)
    pictures = mark(
        ink.expand(32, -1, -1),
        torch.zeros(32, 48, 384),
        torch.full((32,), 8.0),
        torch.full((32,), 20.0),
        styles,
        surfaces,
        torch.zeros(32),
        torch.Generator().manual_seed(0),
    )

    ground = pictures[:, :, :60].mean((1, 2))
    around = pictures[:, 8:40, 176:208].flatten(1)
    both = (around.amax(1) > ground + 0.05) & (around.amin(1) < ground - 0.05)
    assert both.float().mean() > 0.6


def test_mark_when_a_display_has_unlit_elements_then_shows_them_fainter_than_lit_ones(
    ink, surfaces
):
    count = 32
    unlit = ink.roll(30, 1).roll(7, 2)
    unlit = (unlit * (ink == 0)).expand(count, -1, -1)
    pictures = mark(
        ink.expand(count, -1, -1),
        unlit,
        torch.full((count,), 8.0),
        torch.full((count,), 5.0),
        torch.full((count,), Style.SEGMENTS),
        surfaces,
        torch.zeros(count),
        torch.Generator().manual_seed(0),
    )

    bare = (ink[0] < 0.01) & (unlit[0] < 0.01)
    ground = pictures[:, bare].mean(1)
    lit = (pictures[:, ink[0] > 0.9].mean(1) - ground).abs()
    assert ((pictures[:, unlit[0] > 0.9].mean(1) - ground).abs() < 0.6 * lit).all()


def test_looks_when_listed_then_hold_every_style():
    assert set(LOOKS) == set(Style)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_mark_when_on_cuda_then_stays_there_and_repeats(ink, surfaces):
    device = torch.device("cuda")
    count = len(STYLES)
    again = [
        mark(
            ink.expand(count, -1, -1).to(device),
            torch.zeros(count, 48, 384, device=device),
            torch.full((count,), 8.0, device=device),
            torch.full((count,), 5.0, device=device),
            STYLES.to(device),
            surfaces.to(device),
            torch.rand(count, device=device, generator=torch.Generator(device).manual_seed(0)),
            torch.Generator(device).manual_seed(0),
        )
        for _ in range(2)
    ]

    assert again[0].is_cuda
    assert torch.allclose(again[0], again[1])
