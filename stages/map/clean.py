"""A transcript -> the evidence for each position of the code, after strip and case.

Each position keeps the engine's choices as `Glyph`s: what the character becomes, how probable the
engine held it, and its look-alikes. Look-alikes belong to the shape as read, so they are found
before the case is folded: a `b` looks like a 6, the `B` that it becomes looks like an 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from stages.records import Character, Transcript

Case = Literal["upper", "lower", "keep"]


@dataclass(frozen=True, slots=True)
class Glyph:
    """One thing that a position may be: a character, its probability 0 to 1, its look-alikes.

    `shapes` are the characters as the engine read them, before case was folded.
    """

    char: str
    probability: float
    lookalikes: frozenset[str] = frozenset()
    shapes: str = field(default="", compare=False)


Position = tuple[Glyph, ...]
"""What the engine held possible at one place, the character it read first."""


def cleaner(strip: str, case: Case) -> Callable[[str], str]:
    """The function that maps a character to its clean form, which is empty if it is stripped."""
    fold = {"upper": str.upper, "lower": str.lower, "keep": str}[case]

    def clean(char: str) -> str:
        folded = fold(char)
        # A few letters become two ("ß"): one position must stay one character.
        folded = folded if len(folded) == 1 else char
        return "" if char in strip or folded in strip else folded

    return clean


def positions(
    transcript: Transcript,
    clean: Callable[[str], str],
    lookalikes: Mapping[str, str],
) -> tuple[Position, ...]:
    """The cleaned positions of a transcript; stripped characters are gone.

    Where an engine broke its promise of one `Character` per character of the text, each
    character gets the confidence 0.
    """
    characters = transcript.characters
    if "".join(each.char for each in characters) != transcript.text or any(
        len(each.char) != 1 for each in characters
    ):
        characters = tuple(Character(char, 0.0) for char in transcript.text)
    found: list[Position] = []
    doubt = 0.0
    for character in characters:
        position = _position(character, clean, lookalikes)
        if position:
            found.append(_doubted(position, doubt))
            doubt = 0.0
            continue
        # What is stripped may have been a character: then it is missing, and its neighbour tells.
        missed = _missed(character, clean)
        if found:
            found[-1] = _doubted(found[-1], missed)
        else:
            doubt = max(doubt, missed)
    return tuple(found)


def _missed(character: Character, clean: Callable[[str], str]) -> float:
    other = character.alternative
    kept = other is not None and len(other) == 1 and clean(other)
    return _probability(character.alternative_confidence or 0.0) if kept else 0.0


def _doubted(position: Position, doubt: float) -> Position:
    if not doubt:
        return position
    return tuple(replace(glyph, probability=glyph.probability * (1 - doubt)) for glyph in position)


def _position(
    character: Character, clean: Callable[[str], str], lookalikes: Mapping[str, str]
) -> Position:
    read = clean(character.char)
    if not read:
        return ()
    choices = {read: _probability(character.confidence)}
    shapes = {read: character.char}
    other = character.alternative
    if other is not None and len(other) == 1 and clean(other):
        folded = clean(other)
        choices[folded] = choices.get(folded, 0.0) + _probability(
            character.alternative_confidence or 0.0
        )
        shapes[folded] = shapes.get(folded, "") + other
    return tuple(
        Glyph(
            char,
            min(1.0, probability),
            frozenset(clean(twin) for shape in shapes[char] for twin in lookalikes.get(shape, ""))
            - {char, ""},
            shapes[char],
        )
        for char, probability in choices.items()
        if char == read or probability > 0.0
    )


def _probability(value: float) -> float:
    # NaN compares false, so it becomes 0.
    return min(1.0, value) if value > 0.0 else 0.0
