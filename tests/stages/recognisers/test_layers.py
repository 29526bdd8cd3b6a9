"""A packed map and a plain one give the same."""

import pytest
import torch
from torch import nn
from transformers.activations import ACT2FN

from stages.recognisers.layers import Linear, Norm


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("rows", [1, 7, 8, 50])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["", "gelu", "relu", "quick_gelu"])
@pytest.mark.parametrize("packs", [True, False])
def test_linear_when_called_then_product_bias_and_activation(
    monkeypatch, rows, bias, activation, packs
):
    if not packs:
        monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    weight, added, given = numbers(24, 16), numbers(24), numbers(rows, 16)
    expected = nn.functional.linear(given, weight, added if bias else None)
    if activation:
        expected = ACT2FN[activation](expected)

    out = Linear(weight, added if bias else None, activation=activation)(given)

    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", [1, 50])
def test_linear_when_the_weight_is_large_then_the_same(rows):
    weight, given = numbers(600, 500), numbers(rows, 500)

    torch.testing.assert_close(Linear(weight, None)(given), given @ weight.T, atol=1e-4, rtol=1e-4)


def test_linear_when_bfloat16_then_rounded_once():
    weight, added, given = numbers(24, 16), numbers(24), numbers(50, 16).bfloat16()
    exact = nn.functional.linear(given.float(), weight.bfloat16().float(), added.bfloat16().float())

    out = Linear(weight, added, torch.bfloat16)(given)

    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.01, rtol=0.01)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_when_stacked_then_the_maps_side_by_side_and_the_first_scaled(bias):
    maps = [nn.Linear(16, size, bias=bias).requires_grad_(False) for size in (8, 4)]
    given = numbers(9, 16)

    out = Linear.stacked(maps, scale=0.25)(given)

    expected = torch.cat([maps[0](given) * 0.25, maps[1](given)], 1)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-5)


def test_linear_when_the_operator_is_gone_then_the_plain_way(monkeypatch):
    def refuse(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(torch.ops.mkldnn, "_reorder_linear_weight", refuse, raising=False)
    weight, given = numbers(24, 16), numbers(50, 16)

    torch.testing.assert_close(Linear(weight, None)(given), given @ weight.T)


def test_norm_when_called_then_that_of_the_module():
    module = nn.LayerNorm(16, eps=0.5).requires_grad_(False)
    module.weight += numbers(16)
    module.bias += numbers(16)

    assert torch.equal(Norm(module)(numbers(3, 16)), module(numbers(3, 16)))
