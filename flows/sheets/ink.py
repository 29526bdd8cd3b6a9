"""Colours and letters of a sheet.

The colours are of Okabe and Ito's palette (2008), which colour-blind people can tell apart; a
status is always written in words too. The typeface is the one inside Pillow, Aileron, so a sheet
looks the same on every machine; what it lacks (it has ASCII and typographic marks) is written as
`\\xNN` or `\\uNNNN`.
"""

from __future__ import annotations

from functools import cache

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
INK: Colour = (25, 25, 25)
FAINT: Colour = (95, 95, 95)
LINE: Colour = (205, 205, 205)
TINT: Colour = (240, 242, 245)

BLUE: Colour = (0, 114, 178)
GREEN: Colour = (0, 130, 95)
ORANGE: Colour = (205, 130, 0)
VERMILION: Colour = (190, 70, 0)
PURPLE: Colour = (150, 75, 125)
FALSE: Colour = (140, 0, 40)
"""A code that was given out and is wrong."""

STATUS: dict[str, Colour] = {
    "read": GREEN,
    "unsure": ORANGE,
    "mismatch": VERMILION,
    "unread": PURPLE,
    "failed": INK,
}
"""Darkened where white letters stand on them."""

_ABSENT = "\U0010ffff"


@cache
def font(size_px: int) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface."""
    return ImageFont.load_default(size_px)


def writable(text: str) -> str:
    """The text with what the typeface lacks written as an escape, and spaces kept."""
    return "".join(char if _has(char) else _escaped(char) for char in text)


@cache
def _has(char: str) -> bool:
    if char == " ":
        return True
    mask, absent = font(20).getmask(char), font(20).getmask(_ABSENT)
    return mask.size[0] > 0 and (mask.size != absent.size or bytes(mask) != bytes(absent))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def lines_of(text: str, size_px: int, width: int) -> list[str]:
    """The writable text in lines of at most `width` pixels, broken at spaces where it can be."""
    letters, lines = font(size_px), []
    for paragraph in text.split("\n"):
        line = ""
        for word in writable(paragraph).split(" "):
            longer = f"{line} {word}" if line else word
            if letters.getlength(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while letters.getlength(word) > width and len(word) > 1:
                kept = next(
                    at
                    for at in range(len(word) - 1, 0, -1)
                    if at == 1 or letters.getlength(word[:at]) <= width
                )
                lines.append(word[:kept])
                word = word[kept:]
            line = word
        lines.append(line)
    return lines


def words(text: str, size_px: int, width: int, colour: Colour = INK) -> Image.Image:
    """A block of text, as wide as it needs and at most `width` pixels."""
    lines = lines_of(text, size_px, width)
    letters, pitch = font(size_px), round(size_px * 1.3)
    needed = max(1, *(round(letters.getlength(line) + 0.5) for line in lines))
    block = Image.new("RGB", (needed, pitch * len(lines)), PAPER)
    draw = ImageDraw.Draw(block)
    for number, line in enumerate(lines):
        draw.text((0, pitch * (number + 0.5)), line, colour, letters, anchor="lm")
    return block


def chip(text: str, size_px: int, colour: Colour) -> Image.Image:
    """White words on a rounded ground of this colour."""
    letters, shown = font(size_px), writable(text)
    width, height = round(letters.getlength(shown) + 1.2 * size_px), round(1.6 * size_px)
    block = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(block)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), height // 4, fill=colour)
    draw.text((width / 2, height / 2), shown, PAPER, letters, anchor="mm")
    return block
