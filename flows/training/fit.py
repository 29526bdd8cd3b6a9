"""The training loop: endless fresh batches -> checkpoints, a log of accuracy, the best weights.

A run lives in a folder: `state.pt` (to go on from), `best.pt` (the averaged weights that read the
validation set best), `progress.csv` and `validation.npz`. Starting again in it resumes.
"""

from __future__ import annotations

import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from pydantic import Field
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from flows.training.network import Network, Shape, encode_texts, loss
from flows.training.stopping import STATE
from flows.training.stream import Batch
from flows.training.validation import Score
from stages.errors import ConfigError
from stages.options import Options


class FitOptions(Options):
    """How to fit. The learning rates are for batches of 64."""

    samples: int = Field(3_000_000, ge=1, description="pictures to learn from, in all")
    minutes: float | None = Field(
        None,
        gt=0,
        description="minutes of fitting, in all; whichever budget is spent first ends it",
    )
    batch: int = Field(64, ge=1, description="pictures in a batch")
    learning_rate: float = Field(
        2e-3, gt=0, description="peak for Muon's matrices; warm-up before, cosine after"
    )
    other_rate: float = Field(1e-3, gt=0, description="peak for all other weights, AdamW's")
    last_rate: float = Field(0.02, ge=0, le=1, description="rate at the end, share of the peak")
    warmup_samples: int = Field(10_000, ge=0, description="pictures until the peak is reached")
    weight_decay: float = Field(0.05, ge=0, description="on matrices only")
    smoothing: float = Field(0.02, ge=0, lt=1, description="label smoothing of the decoder's loss")
    ctc_weight: float = Field(0.3, ge=0, description="weight of the CTC head's loss")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    average: float = Field(0.999, ge=0, lt=1, description="decay of the averaged weights, a batch")
    evaluate_minutes: float = Field(5.0, gt=0, description="minutes between two evaluations")


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    samples: int = 0
    batches: int = 0
    seconds: float = 0.0
    best: float = -1.0


class Judge(Protocol):
    """A set that a network is judged by."""

    def score(self, network: Network, device: torch.device) -> tuple[Score, ...]: ...


class Run:
    """One fit, in a folder."""

    def __init__(self, folder: Path, network: Network, options: FitOptions, device: torch.device):
        self._folder, self._options, self._device = folder, options, device
        self.network = network.to(device)
        self.progress = Progress()
        self._averaged = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=self._average, use_buffers=True
        )
        self._optimizers = _optimizers(self.network, options)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"{folder} cannot be made: {error.strerror}; choose another folder"
            ) from error
        if self._state.exists():
            self._load()

    @property
    def _state(self) -> Path:
        return self._folder / STATE

    @property
    def best(self) -> Path:
        """The file of the averaged weights that read the validation set best."""
        return self._folder / BEST

    def fit(
        self,
        batches: Iterator[Batch],
        validation: Judge,
        say: Callable[[str], None],
    ) -> None:
        """Fit until the budget is spent; an interrupt saves the state and goes up."""
        if self._share() >= 1.0:
            if not self.best.exists():
                self._evaluate(validation, math.nan, math.nan, say)
            return
        told = evaluated = saved = time.monotonic()
        try:
            while self._share() < 1.0:
                started = time.monotonic()
                batch = next(batches)
                decoder, head = self._step(batch)
                now = time.monotonic()
                self.progress.seconds += now - started
                if now - told >= _TELL_SECONDS:
                    told = now
                    say(self._line(decoder.item(), head.item()))
                if now - evaluated >= 60 * self._options.evaluate_minutes:
                    evaluated = time.monotonic()
                    self._evaluate(validation, decoder.item(), head.item(), say)
                if now - saved >= _SAVE_SECONDS:
                    saved = time.monotonic()
                    self._save()
            self._evaluate(validation, decoder.item(), head.item(), say)
        finally:
            self._save()

    def _step(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        pictures = batch.pictures.to(self._device, non_blocking=True).float() / 255
        tokens = encode_texts(batch.texts, self.network.alphabet).to(self._device)
        rate = self._rate()
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["peak"]
        self.network.train()
        with self._attention(), torch.autocast(self._device.type, torch.bfloat16):
            said, aligned = self.network(pictures, tokens[:, :-1])
        decoder, head = loss(said, aligned, tokens[:, 1:], self._options.smoothing)
        (decoder + self._options.ctc_weight * head).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self._options.clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self._averaged.update_parameters(self.network)
        self.progress.samples += len(batch.texts)
        self.progress.batches += 1
        return decoder.detach(), head.detach()

    def _attention(self) -> AbstractContextManager[None]:
        # on a CPU the fused kernel's backward pass takes a third of a step; plain matrices: 1.2x
        if self._device.type == "cpu":
            return sdpa_kernel(SDPBackend.MATH)
        return nullcontext()

    def _average(self, kept: list[torch.Tensor], now: list[torch.Tensor], count: int) -> None:
        # young averages would remember the random start
        decay = min(self._options.average, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(kept, now, 1 - decay)

    def _share(self) -> float:
        """How much of the budget is spent, 0 to 1."""
        spent = self.progress.samples / self._options.samples
        if self._options.minutes:
            spent = max(spent, self.progress.seconds / 60 / self._options.minutes)
        return min(spent, 1.0)

    def _rate(self) -> float:
        """Share of the peak."""
        options = self._options
        warm = min(1.0, (self.progress.samples + 1) / max(1, options.warmup_samples))
        cosine = 0.5 * (1 + math.cos(math.pi * self._share()))
        return warm * (options.last_rate + (1 - options.last_rate) * cosine)

    def _evaluate(
        self, validation: Judge, decoder: float, head: float, say: Callable[[str], None]
    ) -> None:
        scores = validation.score(self._averaged.module, self._device)
        mean = sum(score.exact for score in scores) / len(scores)
        for score in scores:
            say(f"  {score}")
        self._log(scores, decoder, head)
        if mean > self.progress.best:
            self.progress.best = mean
            write(self.best, self._averaged.module)
        self._save()

    def _log(self, scores: tuple[Score, ...], decoder: float, head: float) -> None:
        path = self._folder / "progress.csv"
        row: dict[str, float] = {
            "samples": self.progress.samples,
            "seconds": round(self.progress.seconds),
            "decoder_loss": round(decoder, 4),
            "ctc_loss": round(head, 4),
        }
        for score in scores:
            row[f"{score.tier}_exact"] = round(score.exact, 4)
            row[f"{score.tier}_ctc_exact"] = round(score.ctc_exact, 4)
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)

    def _line(self, decoder: float, head: float) -> str:
        done, options = self.progress, self._options
        share, pace = self._share(), done.samples / max(done.seconds, 1e-9)
        left = done.seconds * (1 - share) / share / 60 if share else math.inf
        return (
            f"{done.samples:,} of {options.samples:,} pictures, {share:.1%} of the budget, "
            f"{pace:.0f}/s, rate {self._rate():.2f}, loss {decoder:.3f} CTC {head:.3f}, "
            f"{left:.0f} min to go"
        )

    def _save(self) -> None:
        _replace(
            self._state,
            {
                "shape": self.network.shape.model_dump(),
                "alphabet": self.network.alphabet,
                "network": self.network.state_dict(),
                "averaged": self._averaged.state_dict(),
                "optimizers": [each.state_dict() for each in self._optimizers],
                "progress": asdict(self.progress),
            },
        )

    def _load(self) -> None:
        state = torch.load(self._state, map_location=self._device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self._averaged.load_state_dict(state["averaged"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.progress = Progress(**state["progress"])


def write(path: Path, network: Network) -> None:
    """Save a network's weights with its shape and alphabet."""
    _replace(
        path,
        {
            "shape": network.shape.model_dump(),
            "alphabet": network.alphabet,
            "network": network.state_dict(),
        },
    )


def read(path: Path) -> Network:
    """Open what `write` saved."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = Network(Shape(**state["shape"]), state["alphabet"])
    network.load_state_dict(state["network"])
    return network


BEST = "best.pt"
_TELL_SECONDS = 15.0
_SAVE_SECONDS = 120.0


def _optimizers(network: Network, options: FitOptions) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for all else.

    Muon (Jordan et al. 2024, scaled to AdamW's step as by Liu et al. 2025, arXiv 2502.16982)
    aligned sooner in a trial: CTC loss 3.5 after 21,500 pictures, AdamW's 4.4 after 23,900.
    Matrices decay; norms, biases and embeddings do not (Loshchilov and Hutter 2019).
    """
    named = list(network.named_parameters())
    hidden = {id(p) for name, p in named if p.ndim == 2 and ".layer" in name}
    free = {id(p) for name, p in named if p.ndim < 2 or "embed_" in name or "_embeddings" in name}
    rest = [p for _, p in named if id(p) not in hidden | free]
    muon = torch.optim.Muon(
        [{"params": [p for _, p in named if id(p) in hidden], "peak": options.learning_rate}],
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adam = torch.optim.AdamW(
        [
            {"params": rest, "weight_decay": options.weight_decay, "peak": options.other_rate},
            {
                "params": [p for _, p in named if id(p) in free],
                "weight_decay": 0.0,
                "peak": options.other_rate,
            },
        ],
        lr=options.other_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    return [muon, adam]


def _replace(path: Path, state: dict[str, object]) -> None:
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)


def say(line: str) -> None:
    """Print a line of progress at once."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201
