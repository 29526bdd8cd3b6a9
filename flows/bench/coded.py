"""Marks that carry a check digit, rendered from typefaces that are never trained with.

A folder `<scheme>/<tier>/` with `labels.csv` (`file,text`) and crops as a camera would give them.
The schemes are those that plants use; each has the map options that a line engineer would write.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from flows.training.camera.photograph import crops
from flows.training.drawing.strips import Strip, StripMaker
from flows.training.marking.surfaces import Surfaces
from flows.training.material.fonts import faces
from flows.training.stream import Strips, shoot
from flows.training.validation import TIERS
from flows.training.wording.languages import Language
from flows.training.wording.texts import ALPHABET, Texts
from stages.map import MapOptions

_PAINTED = 160
_BATCH = 64
_TRIES = 50


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of code: its name and what a recipe says of it."""

    name: str
    options: MapOptions


def _scheme(name: str, pattern: str, **check: object) -> Scheme:
    return Scheme(name, MapOptions(case="upper", format=pattern, check_digits=(check,)))


SCHEMES: tuple[Scheme, ...] = (
    _scheme("serial", r"[A-HJ-NP-Z]{2}(?P<number>\d{7})", scheme="luhn", over=("number",)),
    _scheme("gtin", r"\d{13}", scheme="gs1"),
    _scheme("iso7064", r"[A-HJ-NP-Z]{3}\d{5}-\d{2}", scheme="iso7064-mod-97-10"),
    _scheme("container", r"[A-Z]{3}[UJZ]\d{7}", scheme="iso6346"),
    _scheme("vin", r"[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{4}\d{4}", scheme="vin"),
    _scheme(
        "mod-11", r"[A-Z]\d{2}-(?P<number>\d{6}[\dX])", scheme="iso7064-mod-11-2", over=("number",)
    ),
)


class Codes:
    """Random codes of a scheme, with the right check digit."""

    def __init__(self, scheme: Scheme) -> None:
        constraint = scheme.options.constraint
        if constraint is None:
            raise ValueError(f"scheme {scheme.name} has no format")
        self._constraint = constraint
        self._language = Language(constraint, ALPHABET)

    def sample(self, rng: np.random.Generator) -> str:
        """One code."""
        while True:
            text = self._language.sample(rng)
            if self._constraint.complaint(text) is None:
                return text


def render(material: Path, out: Path, count: int, seed: int) -> None:
    """Write `count` crops of each scheme and tier below `out`; what lies there is kept.

    The same numbers give the same pictures on the same machine.

    Raises:
        ConfigError: the folder of material holds no faces.
    """
    maker = StripMaker(faces(material).held_out, Texts())
    surfaces = Surfaces.procedural(_PAINTED, seed)
    for at, scheme in enumerate(SCHEMES):
        codes = Codes(scheme)
        for tier in TIERS:
            folder = out / scheme.name / tier.name
            if (folder / "labels.csv").exists():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            rng = np.random.default_rng((seed, at, TIERS.index(tier)))
            rows: list[tuple[str, str]] = []
            while len(rows) < count:
                batch = min(_BATCH, count - len(rows))
                severity = rng.uniform(tier.least, tier.most, batch)
                strips = [_strip(maker, codes, rng, float(each)) for each in severity]
                generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
                shots = shoot(Strips.of(strips, severity), surfaces, generator)
                for picture, strip in zip(crops(shots), strips, strict=True):
                    name = f"{len(rows):04}.png"
                    cv2.imwrite(str(folder / name), picture)
                    rows.append((name, strip.text))
            with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["file", "text"])
                writer.writerows(rows)


def _strip(maker: StripMaker, codes: Codes, rng: np.random.Generator, severity: float) -> Strip:
    for _ in range(_TRIES):
        try:
            return maker.strip(rng, codes.sample(rng), severity)
        except ValueError:
            continue
    raise RuntimeError("no face draws these codes")


def labelled(folder: Path) -> Mapping[tuple[str, str], list[tuple[Path, str]]]:
    """The pictures and codes that `render` wrote, by scheme and tier."""
    found = {}
    for scheme in SCHEMES:
        for tier in TIERS:
            path = folder / scheme.name / tier.name
            with (path / "labels.csv").open(newline="", encoding="utf-8") as file:
                found[scheme.name, tier.name] = [
                    (path / row["file"], row["text"]) for row in csv.DictReader(file)
                ]
    return found
