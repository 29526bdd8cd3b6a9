"""The network of a checkpoint, put together for inference: pixels in, decoded lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from stages.formats import Constraint
from stages.recognisers.beams import WIDTH, Legal, search
from stages.recognisers.checkpoint import Checkpoint
from stages.recognisers.decoding import Line
from stages.recognisers.draft import CtcHead
from stages.recognisers.lean import LeanDecoder
from stages.recognisers.steering import Masks
from stages.recognisers.vit import LeanEncoder, encoder_of

_FALLBACK_TOKENS = 512

_CLOSE_NATS = 0.2
"""A line with two tokens closer than this is read again with a float32 encoder. On 2,400 marks
bfloat16 alone changed 33 texts, in all of which two tokens were within 0.09 nats; of 899 others one
lay beyond, at 0.15."""

_TIE_NATS = 1e-3
"""Two tokens closer than this may change places by the rounding of other kernels, which depend on
the number of crops and of tokens at once: such a line is decoded alone, token by token."""


class LineReader:
    """Encoder, decoder and, where the checkpoint has one, CTC head on one device.

    The encoder computes in `dtype`, and doubtful lines are read again in float32; the decoder
    always computes in float32, where one token at a time is no slower. A text's length is bounded
    by `max_tokens`, start and end included, and by the checkpoint: between both it holds
    `most_tokens` at most.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        max_tokens: int | None,
    ) -> None:
        network = checkpoint.network.to(device)
        config = network.config
        start, ends, blank = _token_ids(network)
        positions = getattr(config.decoder, "max_position_embeddings", None) or _FALLBACK_TOKENS
        self._device = device
        with torch.inference_mode():
            longest = min(max_tokens or positions, positions)
            self.most_tokens = longest - 2
            self._decoder = LeanDecoder(network, start, ends, longest)
            self._exact = encoder_of(network.encoder, torch.float32)
            rough = dtype != torch.float32
            self._encoder = encoder_of(network.encoder, dtype) if rough else self._exact
            self._head = None
            if checkpoint.head is not None:
                silent = frozenset(checkpoint.processor.tokenizer.all_special_ids)
                grid = _grid(config.encoder)
                self._head = CtcHead(checkpoint.head, grid, blank, silent, device)
        self.folds = isinstance(self._encoder, LeanEncoder)

    @torch.inference_mode()
    def __call__(self, pixels: np.ndarray) -> list[Line]:
        """Return one line for each of (B, C, H, W) float32 pictures."""
        pictures = torch.from_numpy(pixels).to(self._device)
        encoded = self._encoder(pictures)
        if self._head is None:
            return self._settled(self._decoder.greedy(encoded), pictures, stepwise=True)
        chances = self._head.log_probabilities(encoded)
        drafts = self._head.drafts(chances)
        lines = self._settled(self._decoder.greedy(encoded, drafts), pictures, stepwise=False)
        texts = [_tokens(line) for line in lines]
        return [
            replace(line, draft_agrees=text == draft, draft_probability=probability)
            for line, text, draft, probability in zip(
                lines, texts, drafts, self._head.probabilities(chances, texts), strict=True
            )
        ]

    @torch.inference_mode()
    def together(self, pixels: np.ndarray, first: Line) -> Line:
        """Return the line that several looks at one crop, (K, C, H, W) float32, spell together.

        `first` is what the first of them alone made of it. The draft agrees where those of most
        looks do.
        """
        encoded = self._encoder(torch.from_numpy(pixels).to(self._device))
        line = self._decoder.together(encoded, _tokens(first))
        if self._head is None:
            return line
        chances, text = self._head.log_probabilities(encoded), _tokens(line)
        agreeing = sum(draft == text for draft in self._head.drafts(chances))
        likely = self._head.probabilities(chances, [text] * len(pixels))
        return replace(
            line,
            draft_agrees=2 * agreeing > len(pixels),
            draft_probability=sum(likely) / len(likely),
        )

    @torch.inference_mode()
    def view(self, pixels: np.ndarray) -> View:
        """Encode looks at one crop, (K, C, H, W) float32, to ask what may be written there.

        They are encoded on their own and in float32, so that the answers are the same in any batch.
        """
        return View(self._decoder, self._exact(torch.from_numpy(pixels).to(self._device)))

    def _settled(self, lines: list[Line], pictures: torch.Tensor, stepwise: bool) -> list[Line]:
        """Read what is close to a tie so that it is the same in any batch, and as in float32."""
        rough = self._encoder is not self._exact
        settled = []
        for at, line in enumerate(lines):
            alone = not rough and stepwise and len(lines) == 1
            if line.margin < (_CLOSE_NATS if rough else _TIE_NATS) and not alone:
                encoded = self._exact(pictures[at : at + 1])
                (line,) = self._decoder.greedy(encoded, [_tokens(line)])
                if line.margin < _TIE_NATS:
                    (line,) = self._decoder.greedy(encoded)
            settled.append(line)
        return settled


class View:
    """What looks at one crop, encoded as (K, S, D) float32, spell together."""

    def __init__(self, decoder: LeanDecoder, encoded: torch.Tensor) -> None:
        self._decoder, self._encoded = decoder, encoded

    @torch.inference_mode()
    def legal(self, constraint: Constraint, masks: Masks, width: int = WIDTH) -> list[Legal]:
        """Return the `width` likeliest texts of a format, likeliest first."""
        branches = self._decoder.branches(self._encoded, width)
        return search(branches, constraint, masks, width)

    @torch.inference_mode()
    def spelt(self, tokens: Sequence[int]) -> Line:
        """Return the line that spells a text, given by its tokens between start and end."""
        return self._decoder.spelt(self._encoded, tokens)


def _tokens(line: Line) -> list[int]:
    return [step.token for step in line.steps]


def _token_ids(network: torch.nn.Module) -> tuple[int, list[int], int]:
    """The ids of the start token, the end tokens and padding, as `generate` would take them.

    Nothing else of a checkpoint's generation settings counts: 20 tokens, beams or a ban on repeated
    n-grams would cut long codes and misread such as 000000.
    """
    given, decoder = network.generation_config, network.config.decoder
    names = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
    start, ends, padding = (
        getattr(decoder, name) if getattr(given, name) is None else getattr(given, name)
        for name in names
    )
    listed = ends if isinstance(ends, list) else [ends]
    return start, [end for end in listed if end is not None], padding


def _grid(encoder) -> tuple[int, int]:
    """Rows and columns of patches."""
    tall, wide = _pair(encoder.patch_size)
    height, width = _pair(encoder.image_size)
    return height // tall, width // wide


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
