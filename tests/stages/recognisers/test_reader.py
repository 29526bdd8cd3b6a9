"""The network put together: what the number of crops in a batch must not change."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stages.recognisers import reader
from stages.recognisers.checkpoint import open_checkpoint
from stages.recognisers.reader import LineReader
from stages.recognisers.vit import LeanEncoder

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(random_trocr):
    return open_checkpoint(Path(random_trocr), "random")


@pytest.fixture
def pixels():
    return np.random.default_rng(5).normal(0, 1, (6, 3, 16, 64)).astype(np.float32)


def tokens(lines):
    return [[step.token for step in line.steps] for line in lines]


class Crowded:
    """An encoder on a machine whose kernels round otherwise when there are more pictures."""

    def __init__(self, encoder, dtype):
        self._encoder = LeanEncoder(encoder, dtype)

    def __call__(self, pictures):
        return self._encoder(pictures) * (1.0 if len(pictures) == 1 else 1.5)


@pytest.mark.parametrize("tie", [0.0, np.inf])
def test_reader_when_a_line_is_close_to_a_tie_then_it_is_read_alone(
    checkpoint, pixels, monkeypatch, tie
):
    monkeypatch.setattr(reader, "_TIE_NATS", tie)
    monkeypatch.setattr(reader, "encoder_of", Crowded)
    read = LineReader(checkpoint, CPU, torch.float32, None)

    together = read(pixels)

    alone = [read(pixels[at : at + 1])[0] for at in range(len(pixels))]
    assert (tokens(together) == tokens(alone)) == (tie > 0)


class Rough:
    """An encoder whose bfloat16 is far off."""

    def __init__(self, encoder, dtype):
        self._encoder = LeanEncoder(encoder, dtype)
        self._by = 1.0 if dtype == torch.float32 else 1.5

    def __call__(self, pictures):
        return self._encoder(pictures) * self._by


@pytest.mark.parametrize("close", [0.0, np.inf])
def test_reader_when_bfloat16_leaves_a_line_in_doubt_then_it_is_read_as_in_float32(
    checkpoint, pixels, monkeypatch, close
):
    monkeypatch.setattr(reader, "_CLOSE_NATS", close)
    monkeypatch.setattr(reader, "encoder_of", Rough)
    exact = LineReader(checkpoint, CPU, torch.float32, None)(pixels)

    rough = LineReader(checkpoint, CPU, torch.bfloat16, None)(pixels)

    assert (tokens(rough) == tokens(exact)) == (close > 0)


def test_reader_when_the_length_is_bounded_then_by_the_option_and_by_the_checkpoint(
    checkpoint, pixels
):
    for asked, longest in ((None, 47), (5, 4), (4000, 47)):
        lines = LineReader(checkpoint, CPU, torch.float32, asked)(pixels)
        assert max(len(line.steps) for line in lines) == longest


def test_reader_when_the_settings_name_several_end_tokens_then_each_of_them_ends(
    checkpoint, pixels, monkeypatch
):
    plain = LineReader(checkpoint, CPU, torch.float32, None)(pixels)
    ends = [line.steps[at].token for at, line in enumerate(plain)]
    monkeypatch.setattr(checkpoint.network.generation_config, "eos_token_id", ends)

    lines = LineReader(checkpoint, CPU, torch.float32, None)(pixels)

    for at, (line, before) in enumerate(zip(lines, plain, strict=True)):
        assert len(line.steps) <= at
        assert line.end.token in ends
        assert tokens([line]) == [[step.token for step in before.steps[: len(line.steps)]]]
