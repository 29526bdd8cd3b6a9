"""What the JSON files of a checkpoint must say to be opened without transformers.

Every field that counts has to be there, as the stock classes would fill in what is missing; one
that is not listed here could mean anything, and is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from stages.recognisers.pixels import Stretch


def _both(size: Any) -> Any:
    return (size, size) if isinstance(size, int) else size


_Pair = Annotated[tuple[int, int], BeforeValidator(_both)]
_NoEffect = Any
"""A field that changes nothing about reading."""


class _Said(BaseModel):
    """Fields that a file must state; with any other in it, it is not understood."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Encoder(_Said):
    model_type: Literal["vit", "deit"]
    hidden_size: int
    hidden_act: Literal["gelu", "relu"]
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    layer_norm_eps: float
    image_size: _Pair
    patch_size: _Pair
    num_channels: int
    qkv_bias: bool
    attention_probs_dropout_prob: _NoEffect = None
    dtype: _NoEffect = None
    encoder_stride: _NoEffect = None
    hidden_dropout_prob: _NoEffect = None
    initializer_range: _NoEffect = None
    pooler_act: _NoEffect = None
    pooler_output_size: _NoEffect = None


class Decoder(_Said):
    model_type: Literal["trocr"]
    vocab_size: int
    d_model: int
    decoder_layers: int
    decoder_attention_heads: int
    decoder_ffn_dim: int
    activation_function: Literal["gelu", "relu"]
    max_position_embeddings: int
    use_learned_position_embeddings: Literal[True]
    scale_embedding: bool
    layernorm_embedding: bool
    tie_word_embeddings: bool
    cross_attention_hidden_size: int | None
    is_decoder: Literal[True]
    add_cross_attention: Literal[True]
    decoder_start_token_id: int
    eos_token_id: int | list[int] | None
    pad_token_id: int
    activation_dropout: _NoEffect = None
    attention_dropout: _NoEffect = None
    bos_token_id: _NoEffect = None
    decoder_layerdrop: _NoEffect = None
    dropout: _NoEffect = None
    dtype: _NoEffect = None
    init_std: _NoEffect = None
    use_cache: _NoEffect = None


class Config(_Said):
    model_type: Literal["vision-encoder-decoder"]
    encoder: Encoder
    decoder: Decoder
    architectures: _NoEffect = None
    bos_token_id: _NoEffect = None
    decoder_start_token_id: _NoEffect = None
    dtype: _NoEffect = None
    eos_token_id: _NoEffect = None
    is_encoder_decoder: _NoEffect = None
    pad_token_id: _NoEffect = None
    tie_word_embeddings: _NoEffect = None
    transformers_version: _NoEffect = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        encoder, decoder = self.encoder, self.decoder
        if decoder.cross_attention_hidden_size not in (None, encoder.hidden_size):
            raise ValueError("the decoder looks at states of another size")
        if (
            encoder.hidden_size % encoder.num_attention_heads
            or decoder.d_model % decoder.decoder_attention_heads
        ):
            raise ValueError("the heads do not divide the states")
        return self


class Generation(BaseModel):
    """Nothing else in `generation_config.json` counts: see `reader.py`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    decoder_start_token_id: int | None
    eos_token_id: int | list[int] | None
    pad_token_id: int | None


class _Size(_Said):
    height: int
    width: int


class Pictures(_Said):
    image_processor_type: Literal["ViTImageProcessor"]
    do_resize: Literal[True]
    do_rescale: Literal[True]
    do_normalize: Literal[True]
    size: _Size
    resample: int
    rescale_factor: float
    image_mean: list[float]
    image_std: list[float]

    def stretch(self, channels: int) -> Stretch:
        """What it does to a picture with as many channels."""
        if not len(self.image_mean) == len(self.image_std) == channels:
            raise ValueError("mean and standard deviation are of another number of channels")
        return Stretch.of(
            (self.size.height, self.size.width),
            self.resample,
            self.rescale_factor,
            self.image_mean,
            self.image_std,
        )


class Words(_Said):
    tokenizer_class: Literal["TokenizersBackend", "PreTrainedTokenizerFast"]
    clean_up_tokenization_spaces: Literal[False]
    unk_token: str
    bos_token: str
    eos_token: str
    pad_token: str
    backend: _NoEffect = None
    model_max_length: _NoEffect = None
    processor_class: _NoEffect = None

    @property
    def specials(self) -> list[str]:
        return [self.unk_token, self.bos_token, self.eos_token, self.pad_token]


class TokenizerFile(BaseModel):
    added_tokens: list[dict[str, Any]]
    model: dict[str, Any]
