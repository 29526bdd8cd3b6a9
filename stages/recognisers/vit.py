"""The encoder: normalised pixels in, the last hidden state of every token out.

ViT and DeiT (the encoders of all published TrOCR checkpoints) are computed leanly from the weights
of the stock modules; any other encoder runs as it is.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from stages.recognisers.layers import Linear, Norm

_LEAN = ("vit", "deit")


class LeanEncoder:
    """A ViT or DeiT for inference: products in `dtype`, residuals and layer norms in float32.

    Takes as many channels as the checkpoint has, or one: the grey pixel that all channels share.
    """

    def __init__(self, encoder: nn.Module, dtype: torch.dtype) -> None:
        config, embeddings = encoder.config, encoder.embeddings
        projection = embeddings.patch_embeddings.projection
        specials = [embeddings.cls_token]
        if config.model_type == "deit":
            specials.append(embeddings.distillation_token)
        self.specials = len(specials)
        places = embeddings.position_embeddings[0].clone()
        places[: self.specials] += torch.cat(specials, 1)[0]
        places[self.specials :] += projection.bias
        self._places = places
        # patches carry a hundredth of the work: they stay in float32 in any case
        weight = projection.weight
        self._patches = {weight.shape[1]: Linear(weight.flatten(1), None)}
        self._patches[1] = Linear(weight.sum(1).flatten(1), None)
        self._patch = weight.shape[2:]
        self._dtype = dtype
        self._heads = config.num_attention_heads
        self._layers = [_Layer(each, config.hidden_act, dtype) for each in encoder.layers]
        self._norm = Norm(encoder.layernorm)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (B, tokens, D) float32 for (B, C or 1, H, W) float32."""
        batch, channels, height, width = pixels.shape
        tall, wide = self._patch
        rows, columns = height // tall, width // wide
        grid = pixels.view(batch, channels, rows, tall, columns, wide).permute(0, 2, 4, 1, 3, 5)
        patches = self._patches[channels](grid.reshape(batch * rows * columns, -1))
        hidden = self._places.repeat(batch, 1, 1)
        hidden[:, self.specials :] += patches.view(batch, rows * columns, -1)
        shape = hidden.shape
        hidden = hidden.view(-1, shape[-1])
        for layer in self._layers:
            hidden += layer.out(self._attend(layer.qkv(self._narrow(layer.before(hidden))), batch))
            hidden += layer.fc2(layer.fc1(self._narrow(layer.after(hidden))))
        return self._norm(hidden).view(shape)

    def _narrow(self, rows: torch.Tensor) -> torch.Tensor:
        return rows.to(self._dtype)

    def _attend(self, qkv: torch.Tensor, batch: int) -> torch.Tensor:
        """Attention of (B * T, 3 * D) queries, keys and values; the queries are scaled already."""
        width = qkv.shape[1] // 3
        size = width // self._heads
        split = qkv.view(batch, -1, 3, self._heads, size).permute(2, 0, 3, 1, 4)
        if qkv.dtype == torch.float32 or qkv.device.type != "cpu":
            mixed = nn.functional.scaled_dot_product_attention(*split, scale=1.0)
        else:
            # twice as fast in bfloat16 as the fused kernel of the CPU
            query, key, value = split.reshape(3, batch * self._heads, -1, size)
            mixed = torch.bmm(torch.bmm(query, key.transpose(1, 2)).softmax(-1), value)
            mixed = mixed.view(batch, self._heads, -1, size)
        return mixed.transpose(1, 2).reshape(-1, width)


class _Layer:
    """One layer's maps, the query's scale folded into its weight."""

    def __init__(self, layer: nn.Module, activation: str, dtype: torch.dtype) -> None:
        attention = layer.attention
        maps = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.qkv = Linear.stacked(maps, dtype, attention.scaling)
        self.out = Linear(attention.o_proj.weight, attention.o_proj.bias, dtype)
        self.fc1 = Linear(layer.mlp.fc1.weight, layer.mlp.fc1.bias, dtype, activation)
        self.fc2 = Linear(layer.mlp.fc2.weight, layer.mlp.fc2.bias, dtype)
        self.before = Norm(layer.layernorm_before)
        self.after = Norm(layer.layernorm_after)


class StockEncoder:
    """Any encoder of transformers, all of it in one type."""

    def __init__(self, encoder: nn.Module, dtype: torch.dtype) -> None:
        self._encoder, self._dtype = copy.deepcopy(encoder).to(dtype), dtype

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (B, tokens, D) float32 for (B, C, H, W) float32."""
        return self._encoder(pixel_values=pixels.to(self._dtype)).last_hidden_state.float()


def encoder_of(encoder: nn.Module, dtype: torch.dtype) -> LeanEncoder | StockEncoder:
    """Return the leanest form of a stock encoder in `dtype`."""
    if encoder.config.model_type in _LEAN:
        try:
            return LeanEncoder(encoder, dtype)
        except AttributeError:
            # a release of transformers that arranges the modules in another way
            pass
    return StockEncoder(encoder, dtype)
