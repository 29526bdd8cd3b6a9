"""The `trocr` recogniser: any `VisionEncoderDecoderModel` checkpoint with a TrOCR decoder.

Crops in, transcripts out: greedy decoding, with evidence from the unconstrained logits, and the
likeliest texts of a format. Offline unless `allow_download` is set (TrOCR: Li et al. 2021, arXiv
2109.10282).
"""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from stages.contrast import MIN_CONTRAST_GREY_LEVELS, contrast
from stages.errors import PluginError, RecogniserError, first_line
from stages.formats import Constraint
from stages.options import Options
from stages.recognisers import calibration
from stages.recognisers.beams import is_settled, with_candidates
from stages.recognisers.checkpoint import EMBEDDED, Checkpoint, locate
from stages.recognisers.decoding import Line, TokenReader
from stages.recognisers.light import open_light
from stages.recognisers.looks import looks
from stages.recognisers.pixels import Pixels
from stages.recognisers.selftest import misreading
from stages.recognisers.steering import Steering
from stages.records import Transcript

if TYPE_CHECKING:
    import torch

    from stages.recognisers.advisor import Advice, Advisor


SECOND_LOOK_NATS = 1.0
"""On 1,500 rendered marks a second look under 0, 1, 2 and 4 nats left 164, 157, 156 and 155 wrong,
for 3.1, 5.3, 6.2 and 7.4 ms a crop (embedded weights of November 2026)."""

_FEW_WEIGHTS = 20_000_000
"""A network with less than this is read by one thread. Its hundred small products wait for a
second one that finds no free core: with two busy cores a crop took 1.0 s on two threads and 0.02 s
on one."""

_TRIED_TOGETHER = 8
"""The self-test of such a network tries batches up to this size. What oneDNN compiles for a size
stays in memory, about 8 MB each, so a process has its size from the start."""


class TrocrRecogniser:
    """Reads upright crops of one line with a TrOCR checkpoint, where asked under a constraint.

    The weights are large and torch uses all its threads for one call, so `per_thread` asks for
    one instance that is shared under a lock.
    """

    per_thread: ClassVar[bool] = False

    class Options(Options):
        checkpoint: str = Field(
            EMBEDDED,
            min_length=1,
            description="the shipped checkpoint's name, a folder with one (whole, or relative to "
            "the root), or an id on the Hugging Face hub",
            json_schema_extra={"path": True},
        )
        allow_download: bool = Field(
            False, description="fetch the checkpoint from the hub when it is not on this machine"
        )
        device: str = Field(
            "auto", description="auto (cuda where there is one, else cpu), or a torch device"
        )
        encoder_dtype: Literal["auto", "float32", "bfloat16"] = Field(
            "auto",
            description="auto: bfloat16 where the hardware multiplies in it, else float32",
        )
        batch_size: int = Field(8, ge=1, description="crops that are read together")
        threads: int | None = Field(
            None,
            ge=1,
            description="threads of torch in this process; unset: one for a network of less than "
            "20 million weights, such as the embedded one, else torch's own choice",
        )
        max_tokens: int | None = Field(
            None,
            ge=2,
            description="longest text in tokens, start and end included; unset: what the "
            "checkpoint has positions for",
        )
        second_look_nats: float | None = Field(
            None,
            ge=0,
            description="a line in which two tokens are closer than this is read again, from five "
            "looks at it together; 0: never; unset: 1 where the checkpoint is calibrated, else 0",
        )
        opinion: Literal["rapidocr"] | None = Field(
            None,
            description="who else judges the lines that are read again (without a second look, "
            f"those under {SECOND_LOOK_NATS:g} nat): rapidocr (PP-OCR), or nobody",
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
        self._advisor: Advisor | None = None

    def __enter__(self) -> Self:
        options = self._options
        folder = locate(options.checkpoint, options.allow_download)
        name = Path(options.checkpoint).expanduser().absolute().name
        opened = open_light(folder, name)
        import torch

        weights = sum(each.numel() for each in opened.network.parameters())
        if threads := options.threads or (1 if weights < _FEW_WEIGHTS else None):
            torch.set_num_threads(threads)
        self.model = opened.model
        self._tokens = TokenReader(opened.processor.tokenizer)
        self._steering = Steering(opened.processor.tokenizer)
        self._calibration = calibration.load(folder)
        if self._calibration and _digest(self._calibration.model) != _digest(self.model):
            raise PluginError(
                f"{folder / calibration.FILE} was fitted for {self._calibration.model}, not for "
                f"{self.model}; fit it anew or delete it"
            )
        device = _device(options.device)
        dtype = _encoder_dtype(options.encoder_dtype, device)
        together = min(options.batch_size, _TRIED_TOGETHER) if weights < _FEW_WEIGHTS else 1
        self._open(opened, device, dtype)
        wrong = misreading(folder, self._texts, together)
        if wrong and options.encoder_dtype == "auto" and dtype != torch.float32:
            dtype = torch.float32
            self._open(opened, device, dtype)
            wrong = misreading(folder, self._texts, together)
        if wrong:
            remedy = "install another release of torch"
            raise PluginError(
                f"{self.model} reads its golden picture {wrong.golden.file} as {wrong.read!r}, not "
                f"{wrong.golden.text!r}, on this {_processor(device)} in "
                f"{str(dtype).removeprefix('torch.')}; "
                f"{remedy if dtype == torch.float32 else 'set `encoder_dtype: float32`'}"
            )
        if options.opinion is not None:
            from stages.recognisers.advisor import Advisor

            self._advisor = Advisor(opened.processor.tokenizer, self._lines.most_tokens).__enter__()
            self.model = f"{self.model}+{self._advisor.model}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del self._lines, self._pixels, self._tokens, self._steering
        if self._advisor is not None:
            self._advisor.__exit__(kind, error, trace)
            self._advisor = None

    def read(
        self, crops: Sequence[np.ndarray], constraints: Sequence[Constraint | None]
    ) -> list[Transcript]:
        """Return one transcript per crop, in order.

        A crop's text is the same in any batch; its probabilities are so up to float rounding. Where
        the text is not surely a code of its constraint, the likeliest codes are searched as well.

        Raises:
            RecogniserError: torch failed, out of memory included.
        """
        return [
            Transcript("", ()) if line is None else self._transcribed(crop, line, constraint)
            for crop, constraint, line in zip(crops, constraints, self.lines(crops), strict=True)
        ]

    def _transcribed(
        self, crop: np.ndarray, line: Line, constraint: Constraint | None
    ) -> Transcript:
        """What the line says, after an opinion on a doubtful one; with the likeliest codes."""
        read = self._transcript(line)
        asked = self._advisor is not None and line.doubtful and read.text
        bound = constraint is not None and not is_settled(read, constraint)
        if not asked and not bound:
            return read
        try:
            seen = looks(crop) if self._second_look_nats > 0 else [crop]
            view = self._lines.view(np.stack([self._pixels.of(each) for each in seen]))
            advice = self._advisor.advise(crop, view, line) if asked else None
            if advice is not None:
                read = replace(self._advised(advice), alone=read.probability)
            if constraint is None or is_settled(read, constraint):
                return read
            legal = view.legal(constraint, self._steering.masks(constraint))
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            raise RecogniserError(f"{self.model} failed: {first_line(error)}") from error
        if advice is not None:
            return replace(read, candidates=advice.candidates(legal))
        return with_candidates(read, line.probability, legal)

    def lines(self, crops: Sequence[np.ndarray]) -> list[Line | None]:
        """Return the decoder's steps for each crop, in order; None where a crop is blank.

        Raises:
            RecogniserError: torch failed, out of memory included.
        """
        lines: list[Line | None] = [None] * len(crops)
        alike: dict[int, list[int]] = defaultdict(list)
        for index, crop in enumerate(crops):
            if contrast(crop) >= self._options.min_contrast_grey_levels:
                alike[self._pixels.channels(crop)].append(index)
        size = self._options.batch_size
        for legible in alike.values():
            for start in range(0, len(legible), size):
                chosen = legible[start : start + size]
                try:
                    pixels = np.stack([self._pixels.of(crops[index]) for index in chosen])
                    read = [
                        self._settled(crops[index], line)
                        for index, line in zip(chosen, self._lines(pixels), strict=True)
                    ]
                except (RuntimeError, ValueError, IndexError, MemoryError) as error:
                    raise RecogniserError(f"{self.model} failed: {first_line(error)}") from error
                for index, line in zip(chosen, read, strict=True):
                    lines[index] = line
        return lines

    def _settled(self, crop: np.ndarray, line: Line) -> Line:
        """The line itself, or, where it is doubtful, what several looks at its crop spell."""
        second = self._second_look_nats
        nats = SECOND_LOOK_NATS if self._options.opinion and not second else second
        if line.margin >= nats and not (nats > 0 and line.draft_agrees is False):
            return line
        if second > 0:
            pixels = np.stack([self._pixels.of(each) for each in looks(crop)])
            line = self._lines.together(pixels, line)
        return replace(line, doubtful=True)

    @property
    def _second_look_nats(self) -> float:
        nats = self._options.second_look_nats
        if nats is None:
            return SECOND_LOOK_NATS if self._calibration else 0.0
        return nats

    def _transcript(self, line: Line) -> Transcript:
        transcript = self._tokens.transcript(line)
        if self._calibration is None or not transcript.text:
            return transcript
        evidence = calibration.evidence_of(transcript, line.draft_agrees)
        return calibration.calibrated(transcript, self._calibration.probability(evidence))

    def _advised(self, advice: Advice) -> Transcript:
        transcript = self._tokens.transcript(advice.line)
        return calibration.calibrated(transcript, advice.probability)

    def _texts(self, crops: Sequence[np.ndarray]) -> list[str]:
        return [each.text for each in self.read(crops, [None] * len(crops))]

    def _open(self, opened: Checkpoint, device: torch.device, dtype: torch.dtype) -> None:
        from stages.recognisers.reader import LineReader

        try:
            self._lines = LineReader(opened, device, dtype, self._options.max_tokens)
        except (RuntimeError, AssertionError) as error:
            raise PluginError(
                f"`device: {self._options.device}` does not work here; try `cpu`: "
                f"{first_line(error)}"
            ) from error
        self._pixels = Pixels(
            opened.processor.image_processor,
            opened.network.config.encoder.num_channels,
            fold=self._lines.folds,
        )


def _digest(model: str) -> str:
    """The hash of `name@hash`: a checkpoint may be moved to a folder of another name."""
    return model.rpartition("@")[2]


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise PluginError(
            f"`device: {name}` does not work here; try `cpu`: {first_line(error)}"
        ) from error


def _processor(device: torch.device) -> str:
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    abilities = torch.backends.cpu.get_cpu_capability()
    return f"{platform.processor() or platform.machine()} ({abilities})"


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
