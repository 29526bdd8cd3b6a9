"""The network of a checkpoint, put together for inference: pixels in, decoded lines out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from stages.recognisers.checkpoint import Checkpoint
from stages.recognisers.decoding import Line
from stages.recognisers.draft import CtcHead
from stages.recognisers.lean import LeanDecoder
from stages.recognisers.vit import LeanEncoder, encoder_of

_FALLBACK_TOKENS = 512

_TIES = {torch.float32: 1e-3, torch.bfloat16: 0.05}
"""Log-probabilities of two tokens closer than this, in nats, may change places with the number of
crops in a batch, by the rounding of other kernels: such a line is decoded alone."""


class LineReader:
    """Encoder, decoder and, where the checkpoint has one, CTC head on one device.

    The encoder computes in `dtype`; the decoder in float32, where one token at a time is no slower.
    A text's length is bounded by `max_tokens`, start and end included, and by the checkpoint.
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
        self._device, self._tie = device, _TIES[dtype]
        with torch.inference_mode():
            self._decoder = LeanDecoder(
                network, start, ends, min(max_tokens or positions, positions)
            )
            self._encoder = encoder_of(network.encoder, dtype)
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
            return self._settled(self._decoder.greedy(encoded), pictures, False)
        chances = self._head.log_probabilities(encoded)
        drafts = self._head.drafts(chances)
        lines = self._settled(self._decoder.greedy(encoded, drafts), pictures, True)
        texts = [[step.token for step in line.steps] for line in lines]
        return [
            replace(line, draft_agrees=text == draft, draft_probability=probability)
            for line, text, draft, probability in zip(
                lines, texts, drafts, self._head.probabilities(chances, texts), strict=True
            )
        ]

    def _settled(self, lines: list[Line], pictures: torch.Tensor, drafted: bool) -> list[Line]:
        """Decode alone, token by token, what is too close to a tie to be the same in any batch."""
        if len(lines) == 1 and not drafted:
            return lines
        for at, line in enumerate(lines):
            if line.margin < self._tie:
                lines[at : at + 1] = self._decoder.greedy(self._encoder(pictures[at : at + 1]))
        return lines


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
