"""What the evidence says of each character of a code: how sure, and how well it is printed.

`steered_confidence` is the probability of the character that the code has there, told that the mark
follows the format. `grade` is given where a code was expected: A to F, from how likely the engine
held the expected character before any format was imposed. The bounds are those of a symbol grade in
steps of a fifth (as ISO/IEC 15416 has five); they grade the print as this reader sees it, and are
no verification to a standard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from rapidfuzz.distance import Levenshtein

from stages.map.likelihood import Legal
from stages.records import Character, Reading

GRADES = (("A", 0.9), ("B", 0.7), ("C", 0.5), ("D", 0.25))
"""The least probability of each grade; what is under all of them is F."""


def graded(
    reading: Reading,
    clean: Callable[[str], str],
    legal: Sequence[Legal],
    expected: str | None,
) -> Reading:
    """The reading with steered confidences where `legal` texts are ranked, and grades.

    `legal` is likeliest first. A character that was stripped has neither; an expected character
    that was not read at all shows only in that the code does not match.
    """
    characters = reading.transcript.characters
    read = "".join(clean(each.char) or "\0" for each in characters)
    if len(read) != len(characters):
        return reading
    told = list(characters)
    if legal:
        best, total = legal[0].text, math.fsum(each.confidence for each in legal)
        for at, place in _aligned(read, best).items():
            same = math.fsum(
                each.confidence for each in legal if each.text[place : place + 1] == best[place]
            )
            told[at] = replace(told[at], steered_confidence=same / total if total else 0.0)
    if expected is not None:
        for at, place in _aligned(read, expected).items():
            chance = _chance(told[at], expected[place], clean)
            told[at] = replace(told[at], grade=grade(chance))
    transcript = replace(reading.transcript, characters=tuple(told))
    return replace(reading, transcript=transcript)


def grade(chance: float) -> str:
    """The letter of a probability."""
    return next((letter for letter, least in GRADES if chance >= least), "F")


def _aligned(read: str, text: str) -> dict[int, int]:
    """For each character as read its place in another text, where it has one."""
    places: dict[int, int] = {}
    for step in Levenshtein.opcodes(read, text):
        if step.tag in ("equal", "replace"):
            pairs = zip(
                range(step.src_start, step.src_end),
                range(step.dest_start, step.dest_end),
                strict=False,
            )
            places.update((at, place) for at, place in pairs if read[at] != "\0")
    return places


def _chance(character: Character, wanted: str, clean: Callable[[str], str]) -> float:
    chance = 0.0
    if clean(character.char) == wanted:
        chance += character.confidence
    other = character.alternative
    if other is not None and len(other) == 1 and clean(other) == wanted:
        chance += character.alternative_confidence or 0.0
    return min(1.0, chance)
