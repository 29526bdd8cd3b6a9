"""The lean encoder computes what the stock modules compute."""

import pytest
import torch
from transformers import BeitConfig, BeitModel, DeiTConfig, DeiTModel, ViTConfig, ViTModel

from stages.recognisers.vit import LeanEncoder, StockEncoder, encoder_of

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "image_size": (16, 64),
    "patch_size": (8, 4),
}


def stock(config, model):
    torch.manual_seed(2)
    made = model(config, add_pooling_layer=False).eval().requires_grad_(False)
    for weights in made.parameters():
        # transformers starts many of them at nothing, which would hide that one is forgotten
        weights += torch.randn_like(weights) * 0.2
    return made


def pictures(count=3, channels=3):
    return torch.randn(count, channels, 16, 64, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("model", [ViTModel, DeiTModel])
@pytest.mark.parametrize(
    "changes", [{}, {"qkv_bias": False}, {"hidden_act": "relu"}, {"hidden_act": "quick_gelu"}]
)
def test_lean_encoder_when_float32_then_the_states_are_those_of_the_stock_one(model, changes):
    kind = {ViTModel: ViTConfig, DeiTModel: DeiTConfig}[model]
    made, pixels = stock(kind(**SHAPE, **changes), model), pictures()

    lean = encoder_of(made, torch.float32)

    assert isinstance(lean, LeanEncoder)
    expected = made(pixel_values=pixels).last_hidden_state
    torch.testing.assert_close(lean(pixels), expected, atol=2e-5, rtol=1e-4)


def test_lean_encoder_when_a_grey_picture_has_one_channel_then_as_if_it_had_three():
    made, grey = stock(ViTConfig(**SHAPE), ViTModel), pictures(channels=1)

    expected = made(pixel_values=grey.expand(-1, 3, -1, -1)).last_hidden_state
    torch.testing.assert_close(
        encoder_of(made, torch.float32)(grey), expected, atol=2e-5, rtol=1e-4
    )


def test_lean_encoder_when_the_checkpoint_is_grey_then_as_the_stock_one():
    made, grey = stock(ViTConfig(**SHAPE, num_channels=1), ViTModel), pictures(channels=1)

    expected = made(pixel_values=grey).last_hidden_state
    torch.testing.assert_close(
        encoder_of(made, torch.float32)(grey), expected, atol=2e-5, rtol=1e-4
    )


def test_lean_encoder_when_bfloat16_then_closer_than_the_stock_one():
    made, pixels = stock(ViTConfig(**SHAPE), ViTModel), pictures()
    expected = made(pixel_values=pixels).last_hidden_state
    rough = StockEncoder(made, torch.bfloat16)(pixels)

    lean = encoder_of(made, torch.bfloat16)(pixels)

    assert lean.dtype == torch.float32
    assert 0 < (lean - expected).abs().mean() < (rough - expected).abs().mean() < 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lean_encoder_when_the_batch_is_larger_then_a_picture_has_the_same_states(dtype):
    lean, pixels = encoder_of(stock(ViTConfig(**SHAPE), ViTModel), dtype), pictures(7)

    together = lean(pixels)

    alone = torch.cat([lean(pixels[at : at + 1]) for at in range(7)])
    torch.testing.assert_close(
        together, alone, atol=1e-5 if dtype == torch.float32 else 0.1, rtol=0
    )


def test_encoder_when_it_is_of_another_kind_then_it_runs_as_it_is():
    config = BeitConfig(**{**SHAPE, "image_size": 32, "patch_size": 8})
    made = stock(config, BeitModel)
    pixels = torch.randn(2, 3, 32, 32)

    states = encoder_of(made, torch.float32)(pixels)

    assert torch.equal(states, made(pixel_values=pixels).last_hidden_state)


def test_encoder_when_transformers_arranges_it_in_another_way_then_it_runs_as_it_is():
    made, pixels = stock(ViTConfig(**SHAPE), ViTModel), pictures()
    expected = made(pixel_values=pixels).last_hidden_state
    made.renamed = made.embeddings.patch_embeddings
    del made.embeddings.patch_embeddings

    assert isinstance(encoder_of(made, torch.float32), StockEncoder)
    made.embeddings.patch_embeddings = made.renamed
    assert torch.equal(StockEncoder(made, torch.float32)(pixels), expected)
