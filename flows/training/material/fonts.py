"""Typefaces: a folder of training material -> faces to train with, and faces held out to judge.

Which characters a face truly draws is measured once (`coverage.py`) and kept beside the fonts.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from flows.training.material.coverage import MEASURE, bitmap_size, measure_coverage
from flows.training.material.families import Kind
from flows.training.material.fetch import MANIFEST, TEXTURE, Piece, manifest
from flows.training.wording.texts import ALPHABET
from stages.errors import ConfigError

COVERAGE = "coverage.json"

_HELD_OUT = """
    archivo archivo-narrow asap asap-condensed hind public-sans signika work-sans
    fjalla-one khand pragati-narrow
    anonymous-pro azeret-mono jetbrains-mono pt-mono sometype-mono
    chakra-petch oxanium saira saira-condensed saira-extra-condensed saira-semi-condensed
    tomorrow turret-road open-din national-park
    saira-stencil-one sirin-stencil stardos-stencil
    dseg7-modern dseg7-modern-mini dseg14-modern dseg14-modern-mini
    pixelify-sans press-start-2p x11-clean
    ocr-b cutive cutive-mono gnu-typewriter
    bitter podkova merriweather neuton patrick-hand
"""
HELD_OUT = frozenset(_HELD_OUT.split())
"""Families that are never trained with: the evaluation's typefaces, some of every kind.

Kin go together, so that no trained face is a held-out one in another width.
"""

WEIGHTS: Mapping[Kind, float] = {
    Kind.SANS: 16,
    Kind.CONDENSED: 13,
    Kind.MONO: 16,
    Kind.TECHNICAL: 10,
    Kind.DRAFTING: 10,
    Kind.STENCIL: 6,
    Kind.SEGMENTS: 4,
    Kind.PIXEL: 5,
    Kind.OCR: 3,
    Kind.TYPEWRITER: 4,
    Kind.SLAB: 4,
    Kind.SERIF: 3,
    Kind.HAND: 3,
}
"""How often a kind is chosen; bitmap faces only where they are asked for."""

_SEVEN_SEGMENTS = "dseg7"
_READABLE_ON_SEVEN = frozenset("0123456789ACEFHJLPU-.: ")
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Face:
    """One style of a family.

    `key` names it whatever the folder; `coverage` has the characters that it draws and that can be
    told apart; `size_px` is the only size of a bitmap face, None for outlines.
    """

    key: str
    family: str
    path: Path
    kind: Kind
    licence: str
    coverage: frozenset[str] = field(repr=False)
    size_px: int | None = None

    def covers(self, text: str) -> bool:
        """Whether every character of the text can be drawn and read."""
        return self.coverage.issuperset(text)


@dataclass(frozen=True)
class FaceSet:
    """Faces to choose from: kinds by `WEIGHTS`, a kind's families alike, a family's faces alike."""

    faces: tuple[Face, ...]

    def __len__(self) -> int:
        return len(self.faces)

    @cached_property
    def _families(self) -> dict[Kind, list[list[Face]]]:
        kinds: dict[Kind, dict[str, list[Face]]] = {}
        for face in self.faces:
            kinds.setdefault(face.kind, {}).setdefault(face.family, []).append(face)
        return {kind: list(families.values()) for kind, families in kinds.items()}

    @cached_property
    def _cumulative(self) -> dict[tuple[Kind, ...], np.ndarray]:
        return {}

    def choose(
        self, rng: np.random.Generator, text: str, kinds: Collection[Kind] = tuple(WEIGHTS)
    ) -> Face | None:
        """A face of these kinds that covers the text; None where there is none."""
        present = tuple(kind for kind in kinds if kind in self._families)
        if not present:
            return None
        if present not in self._cumulative:
            weights = np.array([WEIGHTS.get(kind, 1.0) for kind in present])
            self._cumulative[present] = np.cumsum(weights / weights.sum())
        for _ in range(_TRIES):
            at = np.searchsorted(self._cumulative[present], rng.random(), side="right")
            families = self._families[present[min(int(at), len(present) - 1)]]
            family = families[int(rng.random() * len(families))]
            face = family[int(rng.random() * len(family))]
            if face.covers(text):
                return face
        able = [face for face in self.faces if face.kind in present and face.covers(text)]
        return able[int(rng.random() * len(able))] if able else None


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of a folder: to train with, and to judge with."""

    training: FaceSet
    held_out: FaceSet


def faces(folder: Path) -> Faces:
    """The faces of a folder that `flows.training.material.fetch` filled.

    Raises:
        ConfigError: there are no fonts in it.
    """
    pieces = [piece for piece in manifest(folder) if piece.kind != TEXTURE]
    if not pieces:
        raise ConfigError(
            f"{folder / MANIFEST}: lists no fonts; "
            f"run `python -m flows.training.material.fetch {folder}`"
        )
    coverage = _measured(folder, pieces)
    found = [
        Face(
            key=f"{piece.family}/{Path(piece.file).name}",
            family=piece.family,
            path=folder / piece.file,
            kind=Kind(piece.kind),
            licence=piece.licence,
            coverage=coverage[piece.file],
            size_px=bitmap_size(folder / piece.file) if piece.kind == Kind.BITMAP else None,
        )
        for piece in pieces
        if coverage[piece.file] >= set("0123456789")
    ]
    return Faces(
        training=FaceSet(tuple(face for face in found if face.family not in HELD_OUT)),
        held_out=FaceSet(tuple(face for face in found if face.family in HELD_OUT)),
    )


def face_of(path: Path) -> Face:
    """A user's own font file as a face.

    Raises:
        ConfigError: it cannot be opened or draws none of the digits and letters.
    """
    try:
        coverage = measure_coverage(path)
    except OSError as error:
        raise ConfigError(f"{path}: not a font that can be opened ({error})") from error
    if not coverage & set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
        raise ConfigError(f"{path}: the font draws no digit and no letter")
    return Face(path.name, path.stem, path, Kind.SANS, "the user's own", coverage)


def _measured(folder: Path, pieces: Iterable[Piece]) -> dict[str, frozenset[str]]:
    """The coverage of each file, from the record beside the fonts as far as that holds it."""
    record = folder / COVERAGE
    known: dict[str, str] = {}
    if record.is_file():
        stored = json.loads(record.read_text("utf-8"))
        known = stored["faces"] if stored.get("measure") == [MEASURE, ALPHABET] else {}
    fresh = {}
    for piece in pieces:
        if piece.file not in known:
            drawn = measure_coverage(folder / piece.file)
            if piece.family.startswith(_SEVEN_SEGMENTS):
                drawn &= _READABLE_ON_SEVEN
            fresh[piece.file] = "".join(sorted(drawn))
    if fresh:
        known = known | fresh
        partial = record.with_suffix(".partial")
        partial.write_text(json.dumps({"measure": [MEASURE, ALPHABET], "faces": known}), "utf-8")
        partial.replace(record)
    return {piece.file: frozenset(known[piece.file]) for piece in pieces}
