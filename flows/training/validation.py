"""The frozen synthetic set that a run is judged by: three tiers, typefaces that are never trained.

It is rendered once for a run, from another seed than the shipped evaluation set.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from flows.training.camera.photograph import Shot, model_input
from flows.training.drawing.strips import StripMaker
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import faces
from flows.training.network import PAD, Network, decode_ctc, encode_texts
from flows.training.stream import Strips, drawn_strip, shoot
from flows.training.wording.texts import Texts


@dataclass(frozen=True, slots=True)
class Tier:
    """A range of severities."""

    name: str
    least: float
    most: float


TIERS = (Tier("clean", 0.0, 0.15), Tier("plant", 0.3, 0.5), Tier("hard", 0.5, 0.7))


@dataclass(frozen=True, slots=True)
class Score:
    """How well a tier was read: shares of whole texts."""

    tier: str
    exact: float
    ctc_exact: float
    pictures: int

    def __str__(self) -> str:
        return (
            f"{self.tier}: {self.exact:.1%} exact, CTC head {self.ctc_exact:.1%}, "
            f"{self.pictures} pictures"
        )


def held_out(
    material: Path, tier: Tier, count: int, seed: int, batch: int = 64
) -> list[tuple[list[Shot], tuple[str, ...]]]:
    """Photograph `count` held-out marks of a tier on painted surfaces: batches of shots and texts.

    The same numbers give the same pictures on the same machine.
    """
    surfaces = Surfaces.procedural(_PAINTED, seed)
    texts = Texts()
    maker = StripMaker(faces(material).held_out, texts)
    made = []
    for number, start in enumerate(range(0, count, batch)):
        rng = np.random.default_rng((seed, TIERS.index(tier), number))
        severity = rng.uniform(tier.least, tier.most, min(batch, count - start))
        strips = Strips.of(
            [drawn_strip(maker, texts, rng, float(each)) for each in severity], severity
        )
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        made.append((shoot(strips, surfaces, generator), strips.texts))
    return made


@dataclass(frozen=True)
class ValidationSet:
    """Pictures (N, rows, columns) uint8, their texts, and the number of their tier."""

    pictures: torch.Tensor
    texts: tuple[str, ...]
    tiers: torch.Tensor

    @classmethod
    def of(
        cls,
        folder: Path,
        material: Path,
        size: tuple[int, int],
        count: int,
        say: Callable[[str], None],
    ) -> ValidationSet:
        """The set of the run in `folder`, rendered at its first start: `count` pictures a tier."""
        path = folder / "validation.npz"
        if not path.exists():
            cls._render(path, material, size, count, say)
        with np.load(path) as kept:
            return cls(
                torch.from_numpy(kept["pictures"]),
                tuple(kept["texts"].tolist()),
                torch.from_numpy(kept["tiers"]),
            )

    @staticmethod
    def _render(
        path: Path,
        material: Path,
        size: tuple[int, int],
        count: int,
        say: Callable[[str], None],
    ) -> None:
        pictures, texts, tiers = [], [], []
        for at, tier in enumerate(TIERS):
            say(f"rendering what the run is judged by, once: {count} pictures, {tier.name}")
            for shots, read in held_out(material, tier, count, _SEED):
                pictures.append((model_input(shots, size) * 255).round().to(torch.uint8))
                texts += read
                tiers += [at] * len(read)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, pictures=torch.cat(pictures).numpy(), texts=np.array(texts), tiers=tiers)
        # a stop in the middle must not leave a set that is cut short
        os.replace(part, path)

    def score(self, network: Network, device: torch.device) -> tuple[Score, ...]:
        """Read every picture; blanks count like all others."""
        read, aligned = predict(network, self.pictures, self.texts, device)
        scores = []
        for at, tier in enumerate(TIERS):
            rows = (self.tiers == at).nonzero()[:, 0].tolist()
            scores.append(
                Score(
                    tier.name,
                    sum(read[row] for row in rows) / len(rows),
                    sum(aligned[row] == self.texts[row] for row in rows) / len(rows),
                    len(rows),
                )
            )
        return tuple(scores)


def predict(
    network: Network, pictures: torch.Tensor, texts: Sequence[str], device: torch.device
) -> tuple[list[bool], list[str]]:
    """Whether greedy decoding gives each text exactly, and what the CTC head reads.

    One pass with the truth as input tells: greedy decoding gives the truth exactly where every
    step's best token, told the truth so far, is the truth.
    """
    network.eval()
    right: list[bool] = []
    aligned: list[str] = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        for start in range(0, len(pictures), _BATCH):
            tokens = encode_texts(texts[start : start + _BATCH], network.alphabet).to(device)
            seen = pictures[start : start + _BATCH].to(device).float() / 255
            said, heads = network(seen, tokens[:, :-1])
            wanted = tokens[:, 1:]
            right += ((said.argmax(-1) == wanted) | (wanted == PAD)).all(1).tolist()
            aligned += decode_ctc(heads, network.alphabet)
    return right, aligned


_PAINTED = 160
_BATCH = 128
_SEED = 20
