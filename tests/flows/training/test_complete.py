"""What a published checkpoint carries: golden pictures that hold, a calibration that is used."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flows.training.complete import complete, reliability_of
from flows.training.export import export
from flows.training.network import Network, Shape
from stages.errors import PluginError
from stages.recognisers.trocr import SECOND_LOOK_NATS, TrocrRecogniser


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("complete") / "checkpoint"
    torch.manual_seed(6)
    network = Network(Shape(width=32, layers=1, decoder_layers=1, head_width=16))
    with torch.no_grad():
        # without this a random encoder says nearly the same of every picture
        network.model.encoder.embeddings.patch_embeddings.projection.weight.mul_(20)
        for weight in network.model.decoder.parameters():
            if weight.ndim > 1:
                weight.mul_(20)
    export(network, folder)
    return folder


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    # patches, because mere noise is blank
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (8, 64), np.uint8).repeat(4, 0).repeat(4, 1) for _ in range(24)]


@pytest.fixture(scope="module")
def texts(checkpoint: Path, pictures: list[np.ndarray]) -> list[str]:
    """What it reads, every third one changed: a truth that it reads two thirds of."""
    with opened(checkpoint) as recogniser:
        read = [each.text for each in recogniser.read(pictures, [None] * len(pictures))]
    return [text if at % 3 else "another" for at, text in enumerate(read)]


def opened(folder: Path) -> TrocrRecogniser:
    # as `complete` reads: without a calibration the default is no second look
    options = {"encoder_dtype": "float32", "second_look_nats": SECOND_LOOK_NATS}
    return TrocrRecogniser(TrocrRecogniser.Options(checkpoint=str(folder), **options))


def test_complete_then_opened_gives_calibrated_confidences(
    checkpoint: Path, pictures: list[np.ndarray], texts: list[str]
) -> None:
    complete(checkpoint, pictures, texts, "random pictures")
    with opened(checkpoint) as recogniser:
        read = recogniser.read(pictures, [None] * len(pictures))
    sure = [np.prod([each.confidence for each in one.characters]) for one in read if one.text]
    # two thirds are right, and nothing tells which
    assert np.mean(sure) == pytest.approx(2 / 3, abs=0.1)
    assert reliability_of(checkpoint, pictures, texts, bins=2).expected_error < 0.25


def test_complete_then_golden_pictures_are_among_those_read_right(
    checkpoint: Path, pictures: list[np.ndarray], texts: list[str]
) -> None:
    complete(checkpoint, pictures, texts, "random pictures")
    listed = json.loads((checkpoint / "golden.json").read_text())
    assert listed
    for each in listed:
        picture = cv2.imread(str(checkpoint / each["file"]), cv2.IMREAD_GRAYSCALE)
        assert each["text"] in texts
        assert any(np.array_equal(picture, other) for other in pictures)


def test_calibration_of_other_weights_is_refused(
    tmp_path: Path, checkpoint: Path, pictures: list[np.ndarray], texts: list[str]
) -> None:
    complete(checkpoint, pictures, texts, "random pictures")
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "calibration.json"
    path.write_text(path.read_text().replace("checkpoint@", "checkpoint@0"))
    with pytest.raises(PluginError, match="fit it anew or delete it"), opened(tmp_path):
        pass
