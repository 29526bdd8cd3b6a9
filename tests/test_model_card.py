"""The shipped checkpoint does what its card says, by the stock classes and by markwatch."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import cv2
import pytest
import torch
from transformers import TrOCRProcessor, VisionEncoderDecoderModel

from stages.recognisers.checkpoint import EMBEDDED
from stages.recognisers.trocr import TrocrRecogniser

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "data" / "models" / EMBEDDED
EVALUATION = ROOT / "data" / "evaluation"
TIERS = ("clean", "plant", "hard")
EVERY = 6


@pytest.fixture(scope="module")
def crops() -> list[tuple[str, Path]]:
    """Every sixth crop of the evaluation set, and its text."""
    found = []
    for tier in TIERS:
        with (EVALUATION / tier / "labels.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        found += [(row["text"], EVALUATION / tier / row["file"]) for row in rows[::EVERY]]
    return found


def read(crops: list[tuple[str, Path]], **options: object) -> list[str]:
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for _, path in crops]
    with TrocrRecogniser(TrocrRecogniser.Options(threads=1, **options)) as recogniser:
        return [each.text for each in recogniser.read(pictures, [None] * len(pictures))]


@pytest.fixture(scope="module")
def exactly(crops: list[tuple[str, Path]]) -> list[str]:
    return read(crops, encoder_dtype="float32", min_contrast_grey_levels=0, second_look_nats=0)


def test_snippet_of_the_card_when_run_then_gives_the_text_that_markwatch_gives(
    crops: list[tuple[str, Path]], exactly: list[str], capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    (snippet,) = re.findall(
        r"^```python\n(.*?)^```$", (MODEL / "README.md").read_text(), re.M | re.S
    )
    exec(compile(snippet, "card", "exec"), {})
    assert crops[0][1] == EVALUATION / "clean" / "000.png"
    assert capsys.readouterr().out.strip() == exactly[0].strip()


def test_generate_when_compared_in_float32_then_agrees_on_every_crop(
    crops: list[tuple[str, Path]], exactly: list[str]
) -> None:
    processor = TrOCRProcessor.from_pretrained(MODEL)
    model = VisionEncoderDecoderModel.from_pretrained(MODEL)
    texts = []
    with torch.inference_mode():
        for start in range(0, len(crops), 25):
            pictures = [cv2.imread(str(path)) for _, path in crops[start : start + 25]]
            pixels = processor(pictures, return_tensors="pt").pixel_values
            texts += processor.batch_decode(model.generate(pixels), skip_special_tokens=True)
    assert [text.strip() for text in texts] == exactly


def test_encoder_type_when_not_chosen_then_the_texts_are_those_of_float32(
    crops: list[tuple[str, Path]], exactly: list[str]
) -> None:
    assert read(crops, min_contrast_grey_levels=0, second_look_nats=0) == exactly


def test_second_look_when_doubtful_lines_get_one_then_more_are_right(
    crops: list[tuple[str, Path]], exactly: list[str]
) -> None:
    texts = [text for text, _ in crops]
    again = read(crops, min_contrast_grey_levels=0)
    assert sum(map(str.__eq__, again, texts)) > sum(map(str.__eq__, exactly, texts))


def test_evaluation_set_when_read_then_mostly_right(
    crops: list[tuple[str, Path]], exactly: list[str]
) -> None:
    right = sum(text == read for (text, _), read in zip(crops, exactly, strict=True))
    assert right / len(crops) > 0.65


def test_checkpoint_when_shipped_then_small_and_readable_by_all() -> None:
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 15e6
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in MODEL.iterdir())
