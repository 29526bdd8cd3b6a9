"""The network: its texts as tokens, its losses, and its way into a checkpoint and back."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TrOCRProcessor, VisionEncoderDecoderModel

from flows.training.export import export, load
from flows.training.network import (
    EOS,
    PAD,
    Network,
    Shape,
    decode_ctc,
    encode_texts,
    loss,
    tokenizer,
)
from flows.training.wording.texts import ALPHABET
from stages.errors import ConfigError
from tests import trocr_checkpoint

SMALL = Shape(width=32, layers=1, decoder_layers=1, head_width=16)
texts = st.text(ALPHABET, max_size=24).map(str.strip)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(5)
    return Network(SMALL).eval()


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_texts_encoded_and_decoded_by_the_tokenizer_come_back(many: list[str]) -> None:
    words = tokenizer(ALPHABET)
    tokens = encode_texts(many, ALPHABET)
    assert words.batch_decode(tokens, skip_special_tokens=True) == many


def test_tokenizer_with_a_text_gives_the_tokens_that_training_uses() -> None:
    # our rows start with the decoder's start token, which is the end token
    assert (
        tokenizer(ALPHABET)("S/N 7").input_ids[1:]
        == encode_texts(["S/N 7"], ALPHABET)[0, 1:].tolist()
    )


def test_ctc_with_runs_and_blanks_collapses_to_the_text() -> None:
    path = [PAD, 4, 4, PAD, 4, 5, 5, PAD, EOS]
    logits = torch.nn.functional.one_hot(torch.tensor([path]), 4 + len(ALPHABET)).float()
    assert decode_ctc(logits, ALPHABET) == ["001"]


def test_loss_when_one_text_is_learned_by_heart_falls_and_the_text_is_read(
    network: Network,
) -> None:
    torch.manual_seed(1)
    learner = Network(SMALL)
    pictures = torch.rand(1, 32, 256)
    tokens = encode_texts(["A1-7"], ALPHABET)
    optimizer = torch.optim.AdamW(learner.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        said, aligned = learner(pictures, tokens[:, :-1])
        decoder, head = loss(said, aligned, tokens[:, 1:], 0.0)
        (decoder + head).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append((decoder.item(), head.item()))
    assert losses[-1][0] < 0.2 * losses[0][0]
    assert losses[-1][1] < 0.2 * losses[0][1]
    assert (said.argmax(-1) == tokens[:, 1:]).all()


def test_export_opened_by_the_stock_classes_reads_colour_as_the_network_reads_its_brightness(
    tmp_path, network: Network
) -> None:
    export(network, tmp_path)
    model = VisionEncoderDecoderModel.from_pretrained(tmp_path)
    colour = torch.rand(2, 3, 32, 256)
    grey = (colour * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    tokens = encode_texts(["AB", "C"], ALPHABET)
    with torch.inference_mode():
        stock = model(pixel_values=(colour - 0.5) / 0.5, decoder_input_ids=tokens).logits
        own, _ = network(grey, tokens)
    assert model.dtype == torch.float32
    assert torch.allclose(stock, own, atol=0.02)


def test_export_opened_by_the_stock_processor_resizes_and_spells(
    tmp_path, network: Network
) -> None:
    import numpy as np

    export(network, tmp_path)
    processor = TrOCRProcessor.from_pretrained(tmp_path)
    picture = np.random.default_rng(0).integers(0, 255, (20, 90, 3), np.uint8)
    assert processor(picture, return_tensors="pt").pixel_values.shape == (1, 3, 32, 256)
    assert processor.batch_decode([[EOS, 4, 14, EOS]], skip_special_tokens=True) == ["0A"]


def test_export_loaded_again_is_the_same_network(tmp_path, network: Network) -> None:
    export(network, tmp_path)
    again = load(tmp_path).eval()
    assert again.shape == SMALL
    assert again.alphabet == ALPHABET
    pictures, tokens = torch.rand(2, 32, 256), encode_texts(["AB", "C"], ALPHABET)
    with torch.inference_mode():
        for one, two in zip(network(pictures, tokens), again(pictures, tokens), strict=True):
            assert torch.allclose(one, two, atol=0.02)


def test_load_with_another_checkpoint_says_which_to_take(tmp_path) -> None:
    with pytest.raises(ConfigError, match="take a checkpoint that `markwatch train` made"):
        load(trocr_checkpoint.make(tmp_path))
