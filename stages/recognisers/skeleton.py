"""The weights of a ViT or DeiT with a TrOCR decoder, in modules that hold and do not compute.

Names and shapes are those of the stock modules of transformers 5, so `vit.py` and `lean.py` take
their weights from either. Importing the stock ones takes several times as long as opening a small
checkpoint, most of it for training and serving.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

_PLACES_OFFSET = 2
"""Rows before the first place in a TrOCR decoder's learned positions, as in fairseq."""

_PUBLISHED = (
    ("encoder.encoder.layer.", "encoder.layers."),
    (".attention.attention.query.", ".attention.q_proj."),
    (".attention.attention.key.", ".attention.k_proj."),
    (".attention.attention.value.", ".attention.v_proj."),
    (".attention.output.dense.", ".attention.o_proj."),
    (".intermediate.dense.", ".mlp.fc1."),
    (".output.dense.", ".mlp.fc2."),
)
"""Parts of the encoder's names as files have them, since transformers 4, and as modules do."""

_WORDS, _WORDS_OUT = "decoder.model.decoder.embed_tokens.weight", "decoder.output_projection.weight"


class Skeleton(nn.Module):
    """A network of this `config` with these weights, which are named as in a published file.

    `config.encoder` and `config.decoder` have the fields of `ViTConfig` or `DeiTConfig` and of
    `TrOCRConfig`. Weights become float32; those of a pooler, which nothing reads, are left out.

    Raises:
        RuntimeError: a weight is missing, of another shape, or one too many.
    """

    def __init__(self, config: Any, generation: Any, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.config, self.generation_config = config, generation
        encoder, decoder = config.encoder, config.decoder
        self.encoder = _encoder(encoder)
        memory = encoder.hidden_size
        if decoder.cross_attention_hidden_size is None and memory != decoder.d_model:
            self.enc_to_dec_proj = _matrix(decoder.d_model, memory)
            memory = decoder.d_model
        self.decoder = _decoder(decoder, memory)
        named = {
            _renamed(name): each.float()
            for name, each in weights.items()
            if not name.startswith("encoder.pooler.")
        }
        if decoder.tie_word_embeddings and _WORDS in named:
            named.setdefault(_WORDS_OUT, named[_WORDS])
        self.load_state_dict(named, assign=True)
        self.eval().requires_grad_(False)


def _encoder(config: Any) -> nn.Module:
    width, inner, bias = config.hidden_size, config.intermediate_size, config.qkv_bias
    tall, wide = config.patch_size
    patches = (config.image_size[0] // tall) * (config.image_size[1] // wide)
    specials = ["cls_token", *(["distillation_token"] if config.model_type == "deit" else [])]
    made = _part(
        embeddings=_part(
            **{name: _empty(1, 1, width) for name in specials},
            position_embeddings=_empty(1, len(specials) + patches, width),
            patch_embeddings=_part(projection=_matrix(width, config.num_channels, tall, wide)),
        ),
        layers=nn.ModuleList(
            _part(
                attention=_part(
                    scaling=(width // config.num_attention_heads) ** -0.5,
                    q_proj=_matrix(width, width, bias=bias),
                    k_proj=_matrix(width, width, bias=bias),
                    v_proj=_matrix(width, width, bias=bias),
                    o_proj=_matrix(width, width),
                ),
                mlp=_part(fc1=_matrix(inner, width), fc2=_matrix(width, inner)),
                layernorm_before=nn.LayerNorm(width, config.layer_norm_eps),
                layernorm_after=nn.LayerNorm(width, config.layer_norm_eps),
            )
            for _ in range(config.num_hidden_layers)
        ),
        layernorm=nn.LayerNorm(width, config.layer_norm_eps),
    )
    made.config = config
    return made


def _decoder(config: Any, memory: int) -> nn.Module:
    width, inner = config.d_model, config.decoder_ffn_dim
    scale = math.sqrt(width) if config.scale_embedding else 1.0

    def attention(source: int) -> nn.Module:
        return _part(
            scaling=(width // config.decoder_attention_heads) ** -0.5,
            q_proj=_matrix(width, width),
            k_proj=_matrix(width, source),
            v_proj=_matrix(width, source),
            out_proj=_matrix(width, width),
        )

    stack = _part(
        embed_tokens=_part(weight=_empty(config.vocab_size, width), embed_scale=scale),
        embed_positions=_part(
            weight=_empty(_PLACES_OFFSET + config.max_position_embeddings, width),
            offset=_PLACES_OFFSET,
        ),
        layernorm_embedding=nn.LayerNorm(width) if config.layernorm_embedding else None,
        layers=nn.ModuleList(
            _part(
                self_attn=attention(width),
                self_attn_layer_norm=nn.LayerNorm(width),
                encoder_attn=attention(memory),
                encoder_attn_layer_norm=nn.LayerNorm(width),
                fc1=_matrix(inner, width),
                fc2=_matrix(width, inner),
                final_layer_norm=nn.LayerNorm(width),
            )
            for _ in range(config.decoder_layers)
        ),
    )
    made = _part(
        model=_part(decoder=stack),
        output_projection=_part(weight=_empty(config.vocab_size, width)),
    )
    made.config = config
    return made


def _part(**members: Any) -> nn.Module:
    made = nn.Module()
    for name, each in members.items():
        setattr(made, name, each)
    return made


def _matrix(*shape: int, bias: bool = True) -> nn.Module:
    """A map or a convolution with `shape[0]` outputs."""
    return _part(weight=_empty(*shape), bias=_empty(shape[0]) if bias else None)


def _empty(*shape: int) -> nn.Parameter:
    # memory that is never touched: the weights of the file take its place
    return nn.Parameter(torch.empty(shape))


def _renamed(name: str) -> str:
    if name.startswith("encoder."):
        for published, module in _PUBLISHED:
            name = name.replace(published, module)
    return name
