"""The nouns: what flows from a file in a folder to a row in a table.

Frozen, slotted dataclasses, each lighter than the last: `Arrival`, `ImageRef`, `Frame`, `Region`,
`Reading`, `Mark`, `Report` (or `Failure`). Pixels end with `Region`.
Geometry is in continuous pixel coordinates: x right, y down, the first pixel covers the square
from (0, 0) to (1, 1), so a whole picture is the box (0, 0, width, height).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np

from stages.transform import Transform

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 of an upright rectangle."""

Outline = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""Four corners, clockwise as seen, from the text's own top left."""

Status = Literal["read", "unsure", "mismatch", "unread", "failed"]

Stage = Literal["decode", "preprocess", "detect", "recognise", "map"]
"""What a picture goes through, in this order; the names of the graph's tasks begin with it."""

Hint = Literal["seen", "changed", "closed", "renamed", "gone"]
"""How a source learnt of a file: a scan saw it, its content changed, a writer closed it, it was
renamed into the folder (so it is whole), or it left."""


Turned = Literal["never", "doubt", "always"]
"""Whether a line is also read turned by 180 degrees: when its reading is doubtful, or always."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a source saw: a file in an inbox that may or may not be whole yet.

    `path` is absolute; bytes that are no UTF-8 are kept by `surrogateescape`, so it opens the file.
    """

    path: str
    camera: str
    size: int
    mtime_ns: int
    hint: Hint = "seen"


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A claimed picture: it now belongs to markwatch and lies at `path`.

    `name` is the file's name as dropped, made printable (NFC, undecodable bytes as `\\xNN`);
    `sha256` is None when the file could not be read.
    """

    id: str
    path: str
    sha256: str | None
    size: int
    camera: str
    name: str
    arrived_at: datetime
    captured_at: datetime | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One page of a picture: read-only `pixels`, (H, W) grey or (H, W, 3) RGB, uint8.

    `transform` maps this frame's coordinates to those of the original page.
    """

    image: ImageRef
    page: int
    pixels: np.ndarray
    transform: Transform

    def __post_init__(self) -> None:
        self.pixels.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Detection:
    """Where a detector found a line of text: `outline` in the frame's pixels, `score` 0 to 1."""

    outline: Outline
    score: float


@dataclass(frozen=True, slots=True)
class Region:
    """A line of text to be read: geometry in original pixels, `crop` upright, (H, W[, 3]) uint8.

    `turned` says whether the line may stand on its head.
    """

    field: str
    page: int
    box: Box
    outline: Outline
    score: float
    crop: np.ndarray
    turned: Turned = "never"


@dataclass(frozen=True, slots=True)
class Character:
    """The evidence for one position; every probability is 0 to 1.

    `confidence` and `alternative` come from the unconstrained output, so a character that the
    format forbids still shows; `steered_confidence` is that of the code's own character there, told
    that the mark follows the format. `grade` is A to F where a code was expected.
    """

    char: str
    confidence: float
    steered_confidence: float | None = None
    alternative: str | None = None
    alternative_confidence: float | None = None
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A string that satisfies the field's constraint.

    `log_probability` is of the unconstrained output: renormalised over legal strings it would look
    falsely sure.
    """

    text: str
    log_probability: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recogniser says of one crop: unconstrained text and evidence, best legal strings.

    `characters` has one entry per character of `text`. `candidates` is likeliest first, and empty
    when no constraint was given or the engine cannot decode under one. `alone` is the engine's own
    probability of the text that it read, where another's opinion was weighed in after that.
    """

    text: str
    characters: tuple[Character, ...]
    candidates: tuple[Candidate, ...] = ()
    alone: float | None = None

    @property
    def probability(self) -> float:
        """The probability, 0 to 1, of the whole text: its characters taken as independent."""
        return math.prod(character.confidence for character in self.characters)


@dataclass(frozen=True, slots=True)
class Reading:
    """A region after recognition: the region's geometry without its crop, and the transcript."""

    field: str
    page: int
    box: Box
    outline: Outline
    transcript: Transcript
    model: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A decision about one reading; `code` is None unless `status` is `read`.

    `candidate` is the likeliest string even where it may not be trusted; `margin` is its
    log-probability over the runner-up. `reading` is None when the field held no text.
    """

    field: str
    page: int
    status: Status
    code: str | None = None
    candidate: str | None = None
    margin: float | None = None
    confidence: float | None = None
    reason: str | None = None
    expected: str | None = None
    match: bool | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a picture has no marks; `retryable` when the picture itself may be sound."""

    image: ImageRef
    stage: str
    reason: str
    retryable: bool
    recipe: str | None = None
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """One picture, read: at least one mark, recipe and model as name@hash, milliseconds a stage.

    `duplicate_hours` says by field within how many hours the same code is a duplicate.
    """

    image: ImageRef
    marks: tuple[Mark, ...]
    recipe: str
    model: str
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    duplicate_hours: Mapping[str, float] = field(default_factory=dict)
