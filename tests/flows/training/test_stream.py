"""Training pictures: numbered batches that are the same whoever makes them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import FaceSet
from flows.training.stream import Ramp, Studio, batches, training_studio
from flows.training.wording.texts import ALPHABET, MAX_LENGTH, Texts
from stages.errors import ConfigError

CPU = torch.device("cpu")
RAMP = Ramp(clean=2, full=4)


@pytest.fixture(scope="module")
def studio(plain_faces: FaceSet) -> Studio:
    return Studio(Texts(), plain_faces, Surfaces.procedural(13, 1), (32, 256), batch=6)


def made(studio: Studio, start: int, count: int, processes: int = 0):
    return list(islice(batches(studio, RAMP, 7, start, processes, CPU), count))


def test_batches_when_made_then_are_legible_texts_on_pictures_of_the_size(studio: Studio) -> None:
    for batch in made(studio, 0, 3):
        assert batch.pictures.shape == (6, 32, 256)
        assert batch.pictures.dtype == torch.uint8
        assert len(batch.texts) == 6
        assert all(len(text) <= MAX_LENGTH and set(text) <= set(ALPHABET) for text in batch.texts)
        assert (batch.pictures.float().std((1, 2)) > 0.5).all()


def test_batches_when_resumed_then_go_on_with_the_ones_that_were_to_come(studio: Studio) -> None:
    straight, resumed = made(studio, 0, 4), made(studio, 2, 2)
    for one, two in zip(straight[2:], resumed, strict=True):
        assert one.texts == two.texts
        assert torch.equal(one.pictures, two.pictures)


def test_batches_when_several_processes_make_them_then_are_the_same(studio: Studio) -> None:
    alone, shared = made(studio, 0, 3), made(studio, 0, 3, processes=2)
    assert [each.texts for each in alone] == [each.texts for each in shared]
    assert all(torch.equal(a.pictures, b.pictures) for a, b in zip(alone, shared, strict=True))


def test_ramp_when_batches_go_by_then_grows_from_nearly_clean_to_the_hardest() -> None:
    ceilings = [RAMP.ceiling(number) for number in range(6)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] == ceilings[2] == RAMP.floor
    assert ceilings[4] == ceilings[5] == 1.0


def test_studio_of_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m flows\.training\.material"):
        training_studio(tmp_path, Texts(), (32, 256), 4)
