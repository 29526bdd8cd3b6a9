"""The network that is trained: a stock TrOCR (ViT encoder, TrOCR decoder) and a CTC head beside it.

It sees one channel, rows x columns of brightness. `flows/training/export.py` unfolds it to the
three channels of a published checkpoint by the weights of luminance, so that nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerFast,
    TrOCRConfig,
    TrOCRForCausalLM,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTModel,
)

from flows.training.wording.texts import ALPHABET, MAX_LENGTH
from stages.options import Options

BOS, PAD, EOS, UNKNOWN = range(4)
"""Token ids of TrOCR's (RoBERTa's) special tokens; the decoder starts with the end token, and the
padding token is the blank of the CTC head."""

SPECIALS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}


class Shape(Options):
    """The network's size. The defaults are those of the shipped checkpoint."""

    rows: int = Field(32, ge=16, description="height of the picture that the network sees, pixels")
    columns: int = Field(256, ge=32, description="its width; every crop is stretched to it")
    patch_rows: int = Field(32, ge=4, description="height of a patch, pixels")
    patch_columns: int = Field(4, ge=2, description="width of a patch, pixels")
    width: int = Field(192, ge=32, description="size of the hidden state")
    layers: int = Field(6, ge=1, description="layers of the encoder")
    decoder_layers: int = Field(2, ge=1, description="layers of the decoder")
    head_width: int = Field(32, ge=8, description="size of an attention head")

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return self.rows // self.patch_rows, self.columns // self.patch_columns


class Network(nn.Module):
    """A one-channel `VisionEncoderDecoderModel` and a linear CTC head on the columns of patches."""

    def __init__(self, shape: Shape, alphabet: str = ALPHABET) -> None:
        super().__init__()
        self.shape, self.alphabet = shape, alphabet
        self.model = stock_model(shape, len(SPECIALS) + len(alphabet), 1, False)
        self.ctc = nn.Linear(shape.width, len(SPECIALS) + len(alphabet))

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, rows, columns) in 0..1 -> hidden states (N, 1 + patches, width)."""
        pixels = (pictures[:, None] - 0.5) / 0.5
        return self.model.encoder(pixel_values=pixels).last_hidden_state

    def forward(
        self, pictures: torch.Tensor, tokens: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the decoder's logits (N, L, V) for each next token, and the CTC head's (N, T, V).

        `tokens` (N, L) are what the decoder is told, the start token first.
        """
        hidden = self.encode(pictures)
        said = self.model.decoder(
            input_ids=tokens, encoder_hidden_states=hidden, use_cache=False
        ).logits
        rows, columns = self.shape.grid
        seen = hidden[:, 1:].reshape(len(hidden), rows, columns, -1).mean(1)
        return said.float(), self.ctc(seen).float()


def loss(
    said: torch.Tensor, aligned: torch.Tensor, tokens: torch.Tensor, smoothing: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross entropy of the decoder and the CTC loss of the head, each a mean.

    `tokens` (N, L) are what each step should say: the text's tokens, the end token, then padding.
    CTC: Graves et al. 2006; a text that its columns cannot spell counts as nothing.
    """
    decoder = functional.cross_entropy(
        said.flatten(0, 1), tokens.flatten(), ignore_index=PAD, label_smoothing=smoothing
    )
    spelt = tokens > UNKNOWN
    head = functional.ctc_loss(
        aligned.log_softmax(-1).transpose(0, 1),
        tokens.masked_fill(~spelt, UNKNOWN),
        torch.full((len(tokens),), aligned.shape[1]),
        spelt.sum(1).cpu(),
        blank=PAD,
        zero_infinity=True,
    )
    return decoder, head


def encode_texts(texts: Sequence[str], alphabet: str) -> torch.Tensor:
    """Texts -> tokens (N, 1 + longest + 1): the start token, characters, the end token, padding."""
    ids = {character: len(SPECIALS) + at for at, character in enumerate(alphabet)}
    longest = max(map(len, texts), default=0)
    tokens = torch.full((len(texts), longest + 2), PAD)
    for row, text in zip(tokens, texts, strict=True):
        row[: len(text) + 2] = torch.tensor([EOS, *(ids[each] for each in text), EOS])
    return tokens


def decode_ctc(aligned: torch.Tensor, alphabet: str) -> list[str]:
    """Best path of CTC logits (N, T, V): runs collapse, blanks fall away."""
    texts = []
    for row in aligned.argmax(-1).tolist():
        kept = [now for now, before in zip(row, [PAD, *row], strict=False) if now != before]
        texts.append("".join(alphabet[each - len(SPECIALS)] for each in kept if each > UNKNOWN))
    return texts


def tokenizer(alphabet: str) -> PreTrainedTokenizerFast:
    """A stock fast tokenizer with one token a character, `<s>text</s>` as TrOCR's own has it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary = {token: at for at, token in enumerate([*SPECIALS.values(), *alphabet])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIALS["unk_token"]))
    made.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    made.decoder = decoders.Fuse()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BOS), ("</s>", EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        model_max_length=MAX_LENGTH + 2,
        clean_up_tokenization_spaces=False,
        **SPECIALS,
    )


def stock_model(
    shape: Shape, vocabulary: int, channels: int = 3, pooler: bool = True
) -> VisionEncoderDecoderModel:
    """The network in the stock classes, as it is published.

    `VisionEncoderDecoderModel.from_pretrained` always makes a pooler that TrOCR never uses, and
    warns of weights that it did not find: so one is published, of zeros.
    """
    heads = shape.width // shape.head_width
    encoder = ViTConfig(
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=heads,
        intermediate_size=4 * shape.width,
        image_size=(shape.rows, shape.columns),
        patch_size=(shape.patch_rows, shape.patch_columns),
        num_channels=channels,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    ids = {"bos_token_id": BOS, "pad_token_id": PAD, "eos_token_id": EOS}
    decoder = TrOCRConfig(
        vocab_size=vocabulary,
        d_model=shape.width,
        decoder_layers=shape.decoder_layers,
        decoder_attention_heads=heads,
        decoder_ffn_dim=2 * shape.width,
        max_position_embeddings=MAX_LENGTH + 8,
        cross_attention_hidden_size=shape.width,
        dropout=0.0,
        decoder_start_token_id=EOS,
        is_decoder=True,
        add_cross_attention=True,
        **ids,
    )
    model = VisionEncoderDecoderModel(
        VisionEncoderDecoderConfig.from_encoder_decoder_configs(
            encoder, decoder, decoder_start_token_id=EOS, **ids
        ),
        encoder=ViTModel(encoder, add_pooling_layer=pooler),
        decoder=TrOCRForCausalLM(decoder),
    )
    # whole codes: transformers' own default would cut them at 20 tokens
    model.generation_config = GenerationConfig(
        max_length=MAX_LENGTH + 8, decoder_start_token_id=EOS, num_beams=1, do_sample=False, **ids
    )
    return model
