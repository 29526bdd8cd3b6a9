"""A mark as a card: what was given out or not, why, and everything that it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image

from flows.configuration.recipes import FieldPlan
from flows.sheets import evidence
from flows.sheets.ink import FAINT, INK, STATUS, chip, words
from flows.sheets.layout import column, edged, row
from flows.sheets.pictures import picture
from flows.sheets.seeing import Decided, Likely
from stages.records import Character, Mark

_CROP_HEIGHT = 150
_LEGEND = "Bar: how sure each character is. Below it: what else it may be, and how likely that is."
_STEERED = " Thin green bar: how sure it is, told that the mark follows the format."
_GRADED = " Letter: print quality of the expected character, A to F."


def card(decided: Decided, width: int, *, found: int, several_fields: bool) -> Image.Image:
    """The card of one mark, `width` pixels wide; `found` lines were found for its field."""
    mark, plan = decided.mark, decided.plan
    inner = width - 48
    blocks = [_headline(mark, inner, several_fields=several_fields)]
    if mark.reason:
        blocks.append(words(_sentence(mark.reason), 24, inner))
    if not found:
        blocks.append(
            words(f"The detector `{plan.detector.name}` found no line of text here.", 20, inner)
        )
    blocks += [
        row(
            [_number(line.number), picture(line.crop, inner - 60, _CROP_HEIGHT)],
            middle=True,
        )
        for line in decided.lines
    ]
    if mark.reading is not None and mark.reading.transcript.characters:
        blocks.append(evidence.characters(mark.reading.transcript.characters, inner))
        blocks.append(words(_legend(mark.reading.transcript.characters), 16, inner, FAINT))
    if mark.confidence is not None:
        blocks.append(_trust(mark, plan, inner))
    if decided.stages:
        blocks.append(_way(decided, inner))
    blocks += [words(line, 20, inner) for line in _rules(mark, plan)]
    if len(decided.likely) > 1:
        blocks.append(_texts("Likeliest as read", decided.likely, plan, inner))
    if decided.legal:
        blocks.append(_texts("Likeliest that fit", decided.legal, plan, inner))
    return edged(column(blocks, 12), width, STATUS[mark.status])


def headline(mark: Mark) -> str:
    """The code, or in brackets what it may be but was not given out as."""
    if mark.code is not None:
        return mark.code
    return f"({mark.candidate})" if mark.candidate else "no text"


def _headline(mark: Mark, width: int, *, several_fields: bool) -> Image.Image:
    tag = chip(mark.status.upper(), 26, STATUS[mark.status])
    name = [words(f"{mark.field}:", 30, width // 3, FAINT)] if several_fields else []
    left = width - tag.width - sum(each.width + 12 for each in name) - 12
    size = next((size for size in (44, 36, 30, 24) if _fits(headline(mark), size, left)), 20)
    code = words(headline(mark), size, left, INK if mark.code is not None else FAINT)
    line = row([tag, *name, code], middle=True)
    if mark.code is not None or not mark.candidate:
        return line
    return column([line, words("in brackets: not given out as a code", 18, width, FAINT)], 4)


def _legend(characters: Sequence[Character]) -> str:
    steered = any(each.steered_confidence is not None for each in characters)
    graded = any(each.grade for each in characters)
    return _LEGEND + (_STEERED if steered else "") + (_GRADED if graded else "")


def _fits(text: str, size: int, width: int) -> bool:
    return words(text, size, 10 * width).width <= width


def _number(number: int) -> Image.Image:
    return chip(str(number), 22, INK)


def _trust(mark: Mark, plan: FieldPlan, width: int) -> Image.Image:
    confidence = mark.confidence or 0.0
    over = "reaches" if confidence >= plan.threshold else "is under"
    said = f"Confidence {down(confidence)} {over} the threshold {plan.threshold:g} (the black line)"
    if mark.margin is not None:
        said += f". Margin over the runner-up {down(mark.margin)}, at least {plan.map.min_margin:g}"
    blocks = [words(said, 20, width), evidence.gauge(confidence, plan.threshold, width)]
    return column(blocks, 4)


def _way(decided: Decided, width: int) -> Image.Image:
    stages = decided.stages
    if len(stages) == 1:
        text = f"As read: {_quote(stages[0][1])} (nothing was stripped, trimmed or replaced)"
    else:
        text = "\n".join(f"{name[0].upper()}{name[1:]}: {_quote(value)}" for name, value in stages)
    return words(text, 20, width)


def _rules(mark: Mark, plan: FieldPlan) -> list[str]:
    lines = []
    if plan.map.format is not None:
        lines.append(f"Format: {plan.map.format}")
    elif plan.map.gs1:
        lines.append(f"GS1 identifiers: {' '.join(plan.map.gs1)}")
    elif plan.constraint is None and plan.lexicon is None:
        lines.append("No format: any text may be a code.")
    if plan.map.check_digits:
        lines.append(f"Check digits: {len(plan.map.check_digits)}")
    if plan.lexicon is not None:
        lines.append(f"Lexicon: {len(plan.lexicon.codes)} codes")
    if mark.expected is not None:
        lines.append(f"Expected: {mark.expected} - {'match' if mark.match else 'NO MATCH'}")
    return lines


def _texts(title: str, texts: Sequence[Likely], plan: FieldPlan, width: int) -> Image.Image:
    blocks = [words(title, 18, width, FAINT)]
    for each in texts:
        note = "" if plan.constraint is None or each.fits else "  does not fit the format"
        share = f"{100 * each.probability:.3g} %" if each.probability >= 1e-4 else "under 0.01 %"
        colour = INK if each.fits else FAINT
        blocks.append(words(f"{each.text}   {share}{note}", 20, width, colour))
    return column(blocks, 2)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _quote(text: str) -> str:
    return f"'{text}'"


def down(value: float) -> str:
    """Two digits, never rounded up over a threshold."""
    return f"{math.floor(value * 100) / 100:.2f}"
