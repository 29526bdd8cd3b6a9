"""What the sheets show, made without an engine: a page with a line, a mark on it, a recipe."""

from __future__ import annotations

import numpy as np
from made import image

from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import Layout
from flows.sheets.seeing import Decided, Likely, Line, Page, Seen, Stepped
from stages.records import Character, Mark, Reading, Report, Transcript

OUTLINE = ((100.0, 50.0), (300.0, 50.0), (300.0, 90.0), (100.0, 90.0))
PIXELS = np.full((200, 400), 120, np.uint8)


def recipe(tmp_path, text="fields: [{map: {format: '[A-Z]{2}\\d{2}'}}]\n"):
    """A recipe, compiled from a file."""
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return recipes.load_files(Layout(tmp_path), "mine", [path], RecogniserChoice(use="trocr"))


def reading(text="KX20", confidences=(0.99, 0.99, 0.5, 0.99)):
    """A reading with an alternative for each character."""
    characters = tuple(
        Character(char, sure, alternative="O", alternative_confidence=1 - sure)
        for char, sure in zip(text, confidences, strict=True)
    )
    transcript = Transcript(text, characters)
    return Reading("code", 1, (100.0, 50.0, 300.0, 90.0), OUTLINE, transcript, "model@1")


def decided(plan, status="read", **changes):
    """A mark of the given status, with its line."""
    code = "KX20" if status == "read" else None
    reason = None if status == "read" else f"because of {status}"
    values = {"code": code, "candidate": "KX20", "confidence": 0.9, "reason": reason}
    mark = Mark(plan.name, 1, status, reading=reading(), **(values | changes))
    corners = np.array(OUTLINE)
    line = Line(1, plan.name, PIXELS[50:90, 100:300], corners, corners, mark.reading)
    likely = (Likely("KX20", 0.5, True), Likely("KXO0", 0.4, False))
    return Decided(mark, plan, (line,), (("as read", "KX 20"), ("cleaned", "KX20")), likely, ())


def page(of, *, steps=(), ready=PIXELS, number=1):
    """A page with these decisions."""
    lines = tuple(line for each in of for line in each.lines)
    return Page(number, PIXELS, (400, 200), steps, ready, (400, 200), lines, tuple(of))


def step(name="contrast", options="factor 3"):
    """The picture after a step."""
    return Stepped(1, name, options, 1.5, np.repeat(PIXELS[..., None], 3, axis=2), (400, 200))


def seen(plan, pages):
    """A report of what these pages hold."""
    marks = tuple(each.mark for one in pages for each in one.decided)
    report = Report(image(), marks, plan.version, "model@1", {"map": 0.5})
    return Seen(report, plan, tuple(pages))
