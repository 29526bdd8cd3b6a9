"""A draft on a picture: what every stage makes of it, as the editor shows it.

Runs beside the flow (`aside`), by the flow's own graph; nothing of it reaches a ledger or a sink.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np

from flows import vocabulary
from flows.engines import ENGINES, warm
from flows.serve.editor.drafts import Ground, compiled
from flows.sheets import seeing
from flows.sheets.seeing import PICTURE_PX, Decided, Likely, Line, Page, Seen
from stages.records import Failure, ImageRef

_QUALITY = 82
_CROP_PX = (900, 160)


def previewed(ground: Ground, camera: str, text: str, image: ImageRef, page: int) -> dict[str, Any]:
    """What becomes of one page (from 1) of a picture under a draft, as JSON has it.

    `frames` are the picture as it came and after each step, as far as they went; outlines of
    `lines` are in its original pixels (`shape`) and in those of the last frame (`shape_ready`).

    Raises:
        ComplaintsError: the draft is wrong.
        PluginError: an engine cannot be loaded.
    """
    recipe = compiled(ground, camera, text)
    # A person who turns a knob of a detector makes a new one each time.
    ENGINES.keep(recipe.engines)
    # Before the first step, so that the milliseconds are those of the work.
    warm(recipe.engines)
    seen = seeing.see(image, recipe, ground.decode, step_px=PICTURE_PX)
    outcome = seen.outcome
    failed = outcome if isinstance(outcome, Failure) else None
    shown = next((each for each in seen.pages if each.number == page), None)
    return {
        "name": image.name,
        "pages": len(seen.pages),
        "page": page,
        "failure": failed and {"stage": failed.stage, "reason": failed.reason},
        "frames": [] if shown is None else _frames(shown),
        "lines": [] if shown is None else [_line(each) for each in shown.lines],
        "marks": [] if shown is None or failed else _marks(seen, shown),
        "recipe": recipe.version,
        "model": None if isinstance(outcome, Failure) else outcome.model,
        "timings_ms": dict(outcome.timings_ms),
    }


def _frames(page: Page) -> list[dict[str, Any]]:
    first = {"name": None, "ms": None, "size": page.size, "jpeg": jpeg(page.pixels)}
    steps = (
        {"name": step.name, "ms": step.ms, "size": step.size, "jpeg": jpeg(step.pixels)}
        for step in page.steps
    )
    return [first, *steps]


def _line(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        "field": line.field,
        "text": line.reading.transcript.text,
        "crop": jpeg(_within(line.crop)),
        "shape": _points(line.shape),
        "shape_ready": _points(line.shape_ready),
    }


def _marks(seen: Seen, page: Page) -> list[dict[str, Any]]:
    now = datetime.now(UTC)
    rows = vocabulary.rows(seen.outcome, station="preview", first_seq=1, read_at=now)
    own = [row for row in rows if row["page"] == page.number]
    return [_mark(each, row) for each, row in zip(page.decided, own, strict=True)]


def _mark(decided: Decided, row: vocabulary.Row) -> dict[str, Any]:
    return {
        "reading": json.loads(vocabulary.to_json(row)),
        "lines": [line.number for line in decided.lines],
        "threshold": decided.plan.threshold,
        "min_margin": decided.plan.map.min_margin,
        "way": [list(each) for each in decided.stages],
        "likely": [_likely(each) for each in decided.likely],
        "legal": [_likely(each) for each in decided.legal],
    }


def _likely(likely: Likely) -> dict[str, Any]:
    return {"text": likely.text, "probability": likely.probability, "fits": likely.fits}


def _points(shape: np.ndarray) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in shape.tolist()]


def _within(crop: np.ndarray) -> np.ndarray:
    width, height = _CROP_PX
    scale = min(1.0, width / crop.shape[1], height / crop.shape[0])
    if scale == 1.0:
        return crop
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    return cv2.resize(crop, size, interpolation=cv2.INTER_AREA)


def jpeg(pixels: np.ndarray) -> str:
    """The (H, W[, 3]) RGB or grey picture as JPEG, in base64."""
    ordered = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    _, written = cv2.imencode(
        ".jpg", np.ascontiguousarray(ordered), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    return base64.b64encode(written.tobytes()).decode("ascii")
