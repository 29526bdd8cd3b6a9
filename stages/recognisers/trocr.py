"""The `trocr` recogniser: any `VisionEncoderDecoderModel` checkpoint, local or from the hub.

Crops in, transcripts out: greedy decoding, with evidence from the unconstrained logits. Offline
unless `allow_download` is set. The encoder may run in bfloat16; the decoder stays in float32,
where one token at a time is no slower (TrOCR: Li et al. 2021, arXiv 2109.10282).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from PIL import Image
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.errors import PluginError, RecogniserError
from stages.formats import Constraint
from stages.options import Options
from stages.recognisers.checkpoint import first_line, locate, open_checkpoint
from stages.recognisers.decoding import Step, TokenReader
from stages.records import Transcript

if TYPE_CHECKING:
    import torch
    from transformers import GenerationConfig

_RIVALS = 4
_FALLBACK_TOKENS = 512


class TrocrRecogniser:
    """Reads upright crops of one line with a TrOCR checkpoint; candidates are always empty.

    The weights are large and torch uses all its threads for one call, so `per_thread` asks for
    one instance that is shared under a lock.
    """

    per_thread: ClassVar[bool] = False

    class Options(Options):
        checkpoint: str = Field(
            "microsoft/trocr-base-printed",
            min_length=1,
            description="folder with a checkpoint, or its id on the Hugging Face hub",
        )
        allow_download: bool = Field(
            False, description="fetch the checkpoint from the hub when it is not on this machine"
        )
        device: str = Field(
            "auto", description="auto (cuda where there is one, else cpu), or a torch device"
        )
        encoder_dtype: Literal["auto", "float32", "bfloat16"] = Field(
            "auto", description="auto: bfloat16 where the hardware multiplies in it, else float32"
        )
        batch_size: int = Field(8, ge=1, description="crops that are read together")
        threads: int | None = Field(
            None, ge=1, description="threads of torch in this process; unset: torch's own choice"
        )
        max_tokens: int | None = Field(
            None,
            ge=2,
            description="longest text in tokens, start and end included; unset: what the "
            "checkpoint has positions for",
        )
        min_contrast_grey_levels: float = Field(
            MIN_CONTRAST_GREY_LEVELS,
            ge=0,
            le=255,
            description="crops with less local contrast are blank: they give an empty text",
        )

    def __init__(self, options: TrocrRecogniser.Options) -> None:
        self._options = options
        self.model = ""

    def __enter__(self) -> Self:
        options = self._options
        folder = locate(options.checkpoint, options.allow_download)
        name = Path(options.checkpoint).expanduser().absolute().name
        opened = open_checkpoint(folder, name)
        import torch

        if options.threads:
            torch.set_num_threads(options.threads)
        try:
            self._device = _device(options.device)
            self._dtype = _encoder_dtype(options.encoder_dtype, self._device)
            self._network = opened.network.to(self._device)
            self._network.encoder.to(self._dtype)
        except (RuntimeError, AssertionError) as error:
            raise PluginError(
                f"`device: {options.device}` does not work here; try `cpu`: {first_line(error)}"
            ) from error
        self._greedy = _greedy(self._network, options.max_tokens)
        self._mode = "L" if self._network.config.encoder.num_channels == 1 else "RGB"
        self._pictures = opened.processor.image_processor
        self._reader = TokenReader(opened.processor.tokenizer)
        self.model = opened.model
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._network, self._pictures, self._reader

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        """Return one transcript per crop, in order; constraints are not used.

        A crop's text is the same in any batch; its probabilities are so up to float rounding.

        Raises:
            RecogniserError: torch failed, out of memory included.
        """
        transcripts = [Transcript("", ())] * len(crops)
        legible = [
            index
            for index, crop in enumerate(crops)
            if contrast(crop) >= self._options.min_contrast_grey_levels
        ]
        for start in range(0, len(legible), self._options.batch_size):
            chosen = legible[start : start + self._options.batch_size]
            try:
                lines = self._decode([crops[index] for index in chosen])
            except (RuntimeError, ValueError, IndexError, MemoryError) as error:
                raise RecogniserError(f"{self.model} failed: {first_line(error)}") from error
            for index, steps in zip(chosen, lines, strict=True):
                transcripts[index] = self._reader.transcript(steps)
        return transcripts

    def _decode(self, crops: Sequence[np.ndarray]) -> list[list[Step]]:
        import torch
        from transformers import LogitsProcessorList
        from transformers.modeling_outputs import BaseModelOutput

        pictures = [Image.fromarray(crop).convert(self._mode) for crop in crops]
        pixels = self._pictures(images=pictures, return_tensors="pt").pixel_values
        recorder = _Recorder()
        with torch.inference_mode():
            encoded = self._network.encoder(pixel_values=pixels.to(self._device, self._dtype))
            tokens = self._network.generate(
                encoder_outputs=BaseModelOutput(encoded.last_hidden_state.float()),
                generation_config=self._greedy,
                logits_processor=LogitsProcessorList([recorder]),
            )
        return recorder.steps(tokens[:, 1:].tolist(), self._greedy.eos_token_id)


class _Recorder:
    """Keeps the best few raw probabilities of each step.

    `generate(output_logits=True)` would keep the whole vocabulary of every step: 800 MB for eight
    crops on which a published checkpoint never ends. This stands first (and alone) among the
    logits processors, so it sees the logits as the network gave them.
    """

    def __init__(self) -> None:
        self._best: list[torch.return_types.topk] = []

    def __call__(self, tokens: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        count = min(_RIVALS + 1, logits.shape[-1])
        self._best.append(logits.float().softmax(-1).topk(count, -1))
        return logits

    def steps(self, lines: list[list[int]], ends: list[int]) -> list[list[Step]]:
        """Return each line's steps up to its end token, which is left out."""
        import torch

        # one copy from the device for all steps: (crop, step, rank), likeliest first
        tokens = torch.stack([best.indices for best in self._best], 1).tolist()
        values = torch.stack([best.values for best in self._best], 1)
        if values.isnan().any():
            raise ValueError("the network computed NaN; try `encoder_dtype: float32`")
        steps = []
        for line, others, chances in zip(lines, tokens, values.tolist(), strict=True):
            length = next((at for at, token in enumerate(line) if token in ends), len(line))
            ranked = [dict(zip(*step, strict=True)) for step in zip(others, chances, strict=True)]
            steps.append(
                [
                    Step(line[at], ranked[at].pop(line[at]), tuple(ranked[at].items()))
                    for at in range(length)
                ]
            )
        return steps


def _greedy(network: torch.nn.Module, max_tokens: int | None) -> GenerationConfig:
    """Greedy decoding up to the checkpoint's positions, with nothing but its token ids taken over.

    A checkpoint's own settings (20 tokens, beams, a ban on repeated n-grams) would cut long codes
    and misread such as 000000.
    """
    from transformers import GenerationConfig

    given, decoder = network.generation_config, network.config.decoder
    ids = {}
    for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id"):
        own = getattr(given, name)
        ids[name] = getattr(decoder, name) if own is None else own
    eos = ids.pop("eos_token_id")
    positions = getattr(decoder, "max_position_embeddings", None) or _FALLBACK_TOKENS
    # generate() fills what is unset from the network's own settings
    network.generation_config = GenerationConfig()
    return GenerationConfig(
        **ids,
        eos_token_id=eos if isinstance(eos, list) else [eos],
        max_length=min(max_tokens or positions, positions),
        do_sample=False,
        num_beams=1,
        use_cache=True,
    )


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def _encoder_dtype(name: str, device: torch.device) -> torch.dtype:
    """Choose the encoder's type: bfloat16 pays only where the hardware multiplies in it."""
    import torch

    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # an older torch does not tell what the processor can do
        able = getattr(torch.cpu, "get_capabilities", dict)()
        fast = device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32
