"""What a published checkpoint carries beside its weights: golden pictures and a calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from flows.evaluation.calibration import Reliability, fit, reliability
from stages.recognisers import calibration
from stages.recognisers.trocr import SECOND_LOOK_NATS, TrocrRecogniser
from stages.records import Transcript

GOLDEN = "golden.json"
GOLDEN_PICTURES = 4


def complete(
    folder: Path, pictures: Sequence[np.ndarray], texts: Sequence[str], fitted_on: str
) -> None:
    """Fit the calibration of the checkpoint in `folder`, and keep golden pictures beside it.

    `pictures` are (H, W) uint8 crops that it was not trained on, `texts` what they read.
    A golden picture is one that it reads right, the surest ones of different lengths. Nothing is
    kept of a checkpoint that reads nothing.
    """
    for stale in (calibration.FILE, GOLDEN):
        (folder / stale).unlink(missing_ok=True)
    options = TrocrRecogniser.Options(
        checkpoint=str(folder), threads=1, second_look_nats=SECOND_LOOK_NATS
    )
    with TrocrRecogniser(options) as recogniser:
        lines = recogniser.lines(pictures)
        transcripts = recogniser.read(pictures, [None] * len(pictures))
        model = recogniser.model
    read = [
        (calibration.evidence_of(transcript, line.draft_agrees), transcript.text == text)
        for transcript, line, text in zip(transcripts, lines, texts, strict=True)
        if line is not None and transcript.text
    ]
    if not read:
        return
    fitted = fit(
        [evidence for evidence, _ in read],
        [right for _, right in read],
        model=model,
        fitted_on=fitted_on,
    )
    fitted.save(folder)
    _keep_golden(folder, pictures, texts, transcripts)


def reliability_of(
    folder: Path, pictures: Sequence[np.ndarray], texts: Sequence[str], bins: int = 10
) -> Reliability:
    """How far the calibrated confidence of the checkpoint in `folder` can be trusted."""
    with TrocrRecogniser(TrocrRecogniser.Options(checkpoint=str(folder), threads=1)) as recogniser:
        transcripts = recogniser.read(pictures, [None] * len(pictures))
    read = [
        (
            float(np.prod([each.confidence for each in transcript.characters])),
            transcript.text == text,
        )
        for transcript, text in zip(transcripts, texts, strict=True)
        if transcript.text
    ]
    return reliability([chance for chance, _ in read], [right for _, right in read], bins)


def _keep_golden(
    folder: Path,
    pictures: Sequence[np.ndarray],
    texts: Sequence[str],
    transcripts: Sequence[Transcript],
) -> None:
    right = [
        (min(each.confidence for each in transcript.characters), at)
        for at, (transcript, text) in enumerate(zip(transcripts, texts, strict=True))
        if text and transcript.text == text
    ]
    chosen: dict[int, int] = {}
    for _, at in sorted(right, reverse=True):
        chosen.setdefault(len(texts[at]), at)
    longest = sorted(chosen, reverse=True)[:GOLDEN_PICTURES]
    listed = []
    for number, length in enumerate(longest):
        name = f"golden-{number}.png"
        cv2.imwrite(str(folder / name), pictures[chosen[length]])
        listed.append({"file": name, "text": texts[chosen[length]]})
    (folder / GOLDEN).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
