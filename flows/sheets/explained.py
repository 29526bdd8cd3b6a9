"""The sheet of one picture: on the left what was done to it, on the right what was read in it."""

from __future__ import annotations

import math

from PIL import Image

from flows.sheets.ink import BLUE, FAINT, INK, STATUS, chip, words
from flows.sheets.layout import column, flowing, framed, padded, row
from flows.sheets.pictures import Drawn, outlined, picture
from flows.sheets.seeing import Line, Page, Seen, Stepped
from flows.sheets.verdicts import card, down, headline
from stages.records import Failure

_MARGIN = 40
_LEFT, _GAP, _RIGHT = 1120, 40, 800
_WHOLE = _LEFT + _GAP + _RIGHT
_MOST_PAGES = 6
_MOST_CARDS = 12
_MOST_LINES = 24
_WIDE, _SLIM = 3.6, 2.0


def explained(seen: Seen) -> Image.Image:
    """Draw it; 2040 pixels wide, as high as it needs."""
    blocks = [_head(seen)]
    for page in seen.pages[:_MOST_PAGES]:
        if len(seen.pages) > 1:
            blocks.append(words(f"Page {page.number} of {len(seen.pages)}", 34, _WHOLE))
        blocks.append(_page(page, seen))
    if len(seen.pages) > _MOST_PAGES:
        left = len(seen.pages) - _MOST_PAGES
        blocks.append(words(f"and {left} more pages, which are not drawn here", 26, _WHOLE))
    return padded(column(blocks, 28), _MARGIN, width=_WHOLE + 2 * _MARGIN)


def _head(seen: Seen) -> Image.Image:
    outcome = seen.outcome
    spent = sum(outcome.timings_ms.values())
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in outcome.timings_ms.items())
    facts = [f"{_bytes(outcome.image.size)}", f"recipe {seen.recipe.version}"]
    if not isinstance(outcome, Failure):
        facts.append(f"model {outcome.model}")
    facts.append(f"{spent:.0f} ms in all" + (f" ({stages})" if stages else ""))
    blocks = [
        words(outcome.image.name, 40, _WHOLE),
        words("   |   ".join(facts), 20, _WHOLE, FAINT),
    ]
    if isinstance(outcome, Failure):
        said = words(f"in {outcome.stage}: {outcome.reason}", 28, _WHOLE - 200)
        blocks.append(row([chip("FAILED", 28, STATUS["failed"]), said], 16))
        return column(blocks, 12)
    several = len({mark.field for mark in outcome.marks}) > 1
    said = []
    for mark in outcome.marks[:12]:
        tag = chip(mark.status.upper(), 28, STATUS[mark.status])
        name = f"{mark.field}: " if several else ""
        shown = words(name + headline(mark), 40, _WHOLE - 220, INK if mark.code else FAINT)
        said.append(padded(row([tag, shown], 14, middle=True), 0))
    return column([*blocks, flowing(said, _WHOLE, 40)], 12)


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _page(page: Page, seen: Seen) -> Image.Image:
    """The steps under the picture, or across the sheet: whichever makes it lower."""
    start, read = _picture(page, seen), _read(page, seen)
    layouts = [row([column([start, *_steps(page, seen, _LEFT)], 14), read], _GAP)]
    if page.steps:
        layouts.append(column([row([start, read], _GAP), *_steps(page, seen, _WHOLE)], 14))
    return min(layouts, key=lambda layout: layout.height)


def _picture(page: Page, seen: Seen) -> Image.Image:
    width, height = page.size
    steps = seen.recipe.preprocess
    words_of = f"The picture, {width} x {height} pixels"
    title = _title(f"1  {words_of}" if steps else f"{words_of}, without preprocessing")
    sheet = outlined(page.pixels, page.size, _outlines(page, ready=False), width=_LEFT, height=800)
    return padded(column([title, sheet], 14), 0, width=_LEFT)


def _steps(page: Page, seen: Seen, width: int) -> list[Image.Image]:
    if not seen.recipe.preprocess:
        return []
    steps = [_step(number, step) for number, step in enumerate(page.steps, 1)]
    if len(page.steps) < len(seen.recipe.preprocess):
        steps.append(_stopped(seen, len(page.steps)))
    blocks = [_title("2  Preprocess"), flowing(steps, width)]
    if page.ready is not None:
        drawn = _outlines(page, ready=True)
        blocks.append(_title("3  Detect: the lines found in what the steps gave"))
        blocks.append(outlined(page.ready, page.ready_size, drawn, width=_LEFT, height=500))
    return blocks


def _title(text: str) -> Image.Image:
    return words(text, 26, _LEFT)


def _outlines(page: Page, *, ready: bool) -> list[Drawn]:
    worst_last = sorted(page.decided, key=lambda each: list(STATUS).index(each.mark.status))
    chosen = {
        line.number: STATUS[decided.mark.status] for decided in worst_last for line in decided.lines
    }
    drawn = {
        line.number: Drawn(
            line.shape_ready if ready else line.shape,
            str(line.number),
            chosen.get(line.number, BLUE),
        )
        for line in page.lines
    }
    return list(drawn.values())


def _step(number: int, step: Stepped) -> Image.Image:
    aspect = step.size[0] / step.size[1]
    width = 972 if aspect > _WIDE else 552 if aspect > _SLIM else 362
    size = f"{step.size[0]} x {step.size[1]}"
    label = f"{number}. {step.name}" + (f"  {step.options}" if step.options else "")
    return column(
        [
            words(label, 20, width),
            words(f"{step.ms:.0f} ms, then {size} pixels", 17, width, FAINT),
            padded(picture(step.pixels, width, 272), 0, width=width),
        ],
        4,
    )


def _stopped(seen: Seen, number: int) -> Image.Image:
    step = seen.recipe.preprocess[number]
    reason = seen.outcome.reason if isinstance(seen.outcome, Failure) else ""
    blocks = [
        words(f"{number + 1}. {step.name}", 22, 500),
        row([chip("FAILED HERE", 22, STATUS["failed"])]),
        words(reason, 20, 500),
    ]
    return framed(column(blocks, 10), 552, STATUS["failed"], 4)


def _read(page: Page, seen: Seen) -> Image.Image:
    if isinstance(seen.outcome, Failure):
        said = words(f"Nothing was read, since {seen.outcome.stage} failed.", 24, 740)
        return framed(said, _RIGHT, STATUS["failed"], 4)
    several = len(seen.recipe.fields) > 1
    blocks = [words("4  What was read" if seen.recipe.preprocess else "What was read", 26, _RIGHT)]
    most = max(2, _MOST_CARDS // len(seen.pages))
    for each in page.decided[:most]:
        found = sum(line.field == each.mark.field for line in page.lines)
        blocks.append(card(each, _RIGHT, found=found, several_fields=several))
    if len(page.decided) > most:
        left = len(page.decided) - most
        blocks.append(words(f"and {left} more marks, which are not drawn here", 24, _RIGHT))
    used = {id(line) for decided in page.decided for line in decided.lines}
    others = [line for line in page.lines if id(line) not in used]
    if others:
        title = f"Other lines found ({len(others)}), of which no code was made"
        blocks.append(words(title, 24, _RIGHT))
        blocks += [_other(line, several_fields=several) for line in others[:_MOST_LINES]]
        if len(others) > _MOST_LINES:
            blocks.append(words(f"and {len(others) - _MOST_LINES} more", 20, _RIGHT, FAINT))
    return padded(column(blocks, 14), 0, width=_RIGHT)


def _other(line: Line, *, several_fields: bool) -> Image.Image:
    transcript = line.reading.transcript
    sure = math.prod(each.confidence for each in transcript.characters) if transcript.text else 0.0
    text = f"'{transcript.text}'  {down(sure)}" if transcript.text else "nothing was read"
    if several_fields:
        text = f"{line.field}: {text}"
    crop = picture(line.crop, 340, 64)
    return row([chip(str(line.number), 20, BLUE), crop, words(text, 20, 380)], 12, middle=True)
