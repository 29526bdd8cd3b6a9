"""The sheet of what a recipe did not get right: a row for each failure, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein

from flows.evaluation.judged import Judged
from flows.sheets.ink import (
    BLUE,
    FAINT,
    FALSE,
    GREEN,
    INK,
    PAPER,
    STATUS,
    VERMILION,
    Colour,
    chip,
    font,
    words,
    writable,
)
from flows.sheets.layout import column, edged, padded, row
from flows.sheets.pictures import Drawn, outlined, picture
from flows.sheets.seeing import Decided, Page
from flows.sheets.verdicts import down

_MARGIN = 40
_WIDTH = 1800
_PICTURE = (620, 460)
_TEXT = _WIDTH - _PICTURE[0] - 40 - 44
_CELL = 36


@dataclass(frozen=True, slots=True)
class Failing:
    """A failure, the page that it lies on and its mark; None where the picture has neither."""

    judged: Judged
    page: Page | None
    decided: Decided | None


def failures(title: str, score: str, failing: Sequence[Failing], left_out: int) -> Image.Image:
    """Draw them; 1880 pixels wide, as high as it needs. `left_out` are said, not drawn."""
    blocks = [words(title, 40, _WIDTH), words(score, 28, _WIDTH, FAINT)]
    if not failing:
        blocks.append(chip("NO FAILURES", 32, GREEN))
    several = len({each.judged.field for each in failing}) > 1
    blocks += [_failure(each, several_fields=several) for each in failing]
    if left_out:
        blocks.append(words(f"and {left_out} more, which are not drawn here", 26, _WIDTH))
    return padded(column(blocks, 20), _MARGIN, width=_WIDTH + 2 * _MARGIN)


def _failure(failing: Failing, *, several_fields: bool) -> Image.Image:
    judged = failing.judged
    is_false = judged.verdict == "wrong"
    colour = FALSE if is_false else STATUS[judged.status]
    tag = chip("FALSE READ" if is_false else judged.status.upper(), 28, colour)
    name = f"{judged.file}   {judged.field}" if several_fields else judged.file
    left_px = _TEXT - tag.width - 16
    blocks = [row([tag, words(name, 26, left_px)], 16, middle=True), _said(judged)]
    if failing.decided is not None:
        blocks += [picture(line.crop, _TEXT, 130) for line in failing.decided.lines]
    blocks.append(compared(judged.wanted, judged.read, _TEXT))
    left = _place(failing)
    return edged(row([left, column(blocks, 14)], 40), _WIDTH, colour)


def _said(judged: Judged) -> Image.Image:
    if judged.verdict == "wrong":
        sure = "" if judged.confidence is None else f", confidence {down(judged.confidence)}"
        text = f"Given out{sure}, but it is not what the label says ({judged.place})"
    else:
        text = f"Not given out: {judged.reason or judged.status}"
        if judged.read and judged.read == judged.wanted:
            text += ". What was read is right"
    return words(text, 22, _TEXT)


def _place(failing: Failing) -> Image.Image:
    page = failing.page
    if page is None:
        return padded(words("no picture", 24, _PICTURE[0], FAINT), 0, width=_PICTURE[0])
    own = {id(line) for line in failing.decided.lines} if failing.decided else set()
    colour = FALSE if failing.judged.verdict == "wrong" else STATUS[failing.judged.status]
    drawn = [
        Drawn(line.shape, str(line.number), colour if id(line) in own else BLUE)
        for line in page.lines
        if id(line) in own or line.field == failing.judged.field
    ]
    sheet = outlined(page.pixels, page.size, drawn, width=_PICTURE[0], height=_PICTURE[1])
    return padded(sheet, 0, width=_PICTURE[0])


def compared(wanted: str, read: str, width: int) -> Image.Image:
    """What was expected over what was read, character under character, differences on a ground.

    A character that is missing on one side leaves a gap there.
    """
    label = 130
    per_row = max(1, (width - label) // _CELL)
    pairs = _aligned(wanted, read)
    rows = [pairs[at : at + per_row] for at in range(0, len(pairs), per_row)] or [[]]
    return column([_compared_row(each, label, bool(wanted), bool(read)) for each in rows], 10)


def _compared_row(
    pairs: Sequence[tuple[str, str]], label: int, wanted: bool, read: bool
) -> Image.Image:
    block = Image.new("RGB", (label + max(_CELL * len(pairs), 260), 104), PAPER)
    draw = ImageDraw.Draw(block)
    draw.text((0, 26), "expected", FAINT, font(24), anchor="lm")
    draw.text((0, 78), "read", FAINT, font(24), anchor="lm")
    if not wanted:
        draw.text((label, 26), "(nothing)", FAINT, font(24), anchor="lm")
    if not read:
        draw.text((label, 78), "(nothing)", FAINT, font(24), anchor="lm")
    for number, (truth, got) in enumerate(pairs):
        left = label + number * _CELL
        differs = wanted and read and truth != got
        for text, top, ground in ((truth, 2, BLUE), (got, 54, VERMILION)):
            if differs:
                draw.rectangle((left + 1, top, left + _CELL - 2, top + 47), ground)
            if text:
                _letter(draw, (left + _CELL / 2, top + 24), text, PAPER if differs else INK)
    return block


def _letter(draw: ImageDraw.ImageDraw, at: tuple[float, float], char: str, tone: Colour) -> None:
    text, size = writable(char), 36
    while size > 10 and font(size).getlength(text) > _CELL - 4:
        size -= 2
    draw.text(at, text, tone, font(size), anchor="mm")


def _aligned(wanted: str, read: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for step in Levenshtein.opcodes(wanted, read):
        truth = wanted[step.src_start : step.src_end]
        got = read[step.dest_start : step.dest_end]
        length = max(len(truth), len(got))
        pairs += [(truth[at : at + 1], got[at : at + 1]) for at in range(length)]
    return pairs
