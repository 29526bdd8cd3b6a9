"""Blocks beside and below each other: RGB pictures in, one larger one out."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from flows.sheets.ink import LINE, PAPER, Colour


def column(blocks: Sequence[Image.Image], gap: int = 8) -> Image.Image:
    """Below each other, flush left; a blank pixel for no blocks."""
    width = max((block.width for block in blocks), default=1)
    height = sum(block.height for block in blocks) + gap * (len(blocks) - 1)
    sheet = Image.new("RGB", (width, max(1, height)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height + gap
    return sheet


def row(blocks: Sequence[Image.Image], gap: int = 12, *, middle: bool = False) -> Image.Image:
    """Beside each other, flush top or on one middle line; a blank pixel for no blocks."""
    height = max((block.height for block in blocks), default=1)
    width = sum(block.width for block in blocks) + gap * (len(blocks) - 1)
    sheet = Image.new("RGB", (max(1, width), height), PAPER)
    left = 0
    for block in blocks:
        sheet.paste(block, (left, (height - block.height) // 2 if middle else 0))
        left += block.width + gap
    return sheet


def flowing(blocks: Sequence[Image.Image], width: int, gap: int = 16) -> Image.Image:
    """In rows, as words are: a row takes as many blocks as `width` pixels hold, at least one."""
    rows: list[list[Image.Image]] = []
    used = 0
    for block in blocks:
        if rows and used + gap + block.width <= width:
            rows[-1].append(block)
            used += gap + block.width
        else:
            rows.append([block])
            used = block.width
    return column([row(each, gap) for each in rows], gap)


def padded(block: Image.Image, pad: int, *, width: int = 0) -> Image.Image:
    """With a white margin of `pad` pixels, and at least `width` wide."""
    size = (max(width, block.width + 2 * pad), block.height + 2 * pad)
    sheet = Image.new("RGB", size, PAPER)
    sheet.paste(block, (pad, pad))
    return sheet


def framed(block: Image.Image, width: int, colour: Colour = LINE, line: int = 2) -> Image.Image:
    """In a frame of exactly `width` pixels, or wider where the block is."""
    sheet = padded(block, 16, width=width)
    ImageDraw.Draw(sheet).rectangle((0, 0, sheet.width - 1, sheet.height - 1), None, colour, line)
    return sheet


def edged(block: Image.Image, width: int, colour: Colour) -> Image.Image:
    """In a thin frame with a thick left edge of this colour."""
    sheet = Image.new("RGB", (max(width, block.width + 44), block.height + 32), PAPER)
    sheet.paste(block, (28, 16))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, sheet.width - 1, sheet.height - 1), None, LINE, 2)
    draw.rectangle((0, 0, 11, sheet.height - 1), colour)
    return sheet
