"""The characters of a reading, each over a bar of its confidence, with what else it may be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw

from flows.sheets.ink import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    LINE,
    ORANGE,
    PAPER,
    TINT,
    Colour,
    font,
    writable,
)
from flows.sheets.layout import column
from stages.records import Character

_WIDEST, _NARROWEST = 48, 38
_CHAR, _BAR, _FIGURES = 46, 74, 74
_DOUBTFUL = 0.9


def characters(shown: Sequence[Character], width: int) -> Image.Image:
    """A cell for each character, in as many rows as `width` pixels need.

    The wide bar is the confidence as read, orange under 0.9; the thin green one beside it that of
    the code's character, told the format, where it was reckoned.
    """
    cell = min(_WIDEST, max(_NARROWEST, width // max(1, len(shown))))
    per_row = max(1, width // cell)
    rows = [shown[at : at + per_row] for at in range(0, len(shown), per_row)]
    return column([_row(each, cell) for each in rows], 10)


def _row(shown: Sequence[Character], cell: int) -> Image.Image:
    graded = any(each.grade for each in shown)
    height = _CHAR + _BAR + _FIGURES + (24 if graded else 0)
    block = Image.new("RGB", (cell * len(shown), height), PAPER)
    draw = ImageDraw.Draw(block)
    for number, each in enumerate(shown):
        _cell(draw, number * cell, cell, each)
    return block


def _cell(draw: ImageDraw.ImageDraw, left: int, cell: int, character: Character) -> None:
    middle = left + cell / 2
    room = cell - 3
    _fitting(draw, (middle, _CHAR / 2), _visible(character.char), 36, INK, room)
    top, bottom = _CHAR, _CHAR + _BAR
    sure = _bounded(character.confidence)
    draw.rectangle((left + 7, top, left + 28, bottom), TINT, LINE)
    colour = ORANGE if sure < _DOUBTFUL else BLUE
    draw.rectangle((left + 7, bottom - sure * _BAR, left + 28, bottom), colour)
    if character.steered_confidence is not None:
        steered = _bounded(character.steered_confidence)
        draw.rectangle((left + 32, top, left + 39, bottom), TINT, LINE)
        draw.rectangle((left + 32, bottom - steered * _BAR, left + 39, bottom), GREEN)
    _fitting(draw, (middle, bottom + 14), _percent(sure), 17, INK, room)
    if character.alternative:
        chance = _bounded(character.alternative_confidence or 0.0)
        tone = INK if chance >= 1 - _DOUBTFUL else FAINT
        _fitting(draw, (middle, bottom + 38), _visible(character.alternative), 22, tone, room)
        _fitting(draw, (middle, bottom + 58), _percent(chance), 15, tone, room)
    if character.grade:
        at = (middle, bottom + _FIGURES + 12)
        draw.text(at, character.grade, INK, font(20), anchor="mm")


def _fitting(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    tone: Colour,
    room: int,
) -> None:
    length = font(size).getlength(text)
    if length > room:
        size = max(9, int(size * room / length))
    draw.text(at, text, tone, font(size), anchor="mm")


def _visible(char: str) -> str:
    return "space" if char.isspace() else writable(char)


def _percent(share: float) -> str:
    """Rounded down, so that 100 stands for a certainty only."""
    return f"{math.floor(share * 100)}%" if share >= 0.01 or share == 0 else "<1%"


def _bounded(share: float) -> float:
    return min(1.0, share) if share > 0 else 0.0


def gauge(confidence: float, threshold: float, width: int) -> Image.Image:
    """A bar of the whole code's confidence from 0 to 1, with the threshold as a line across it."""
    block = Image.new("RGB", (width, 40), PAPER)
    draw = ImageDraw.Draw(block)
    sure = _bounded(confidence)
    draw.rectangle((0, 10, width - 1, 30), TINT, LINE)
    draw.rectangle((0, 10, sure * (width - 1), 30), BLUE if sure >= threshold else ORANGE)
    at = threshold * (width - 1)
    draw.rectangle((at - 2, 2, at + 2, 38), INK)
    return block
