"""The `tesseract` recogniser: what it reads, its evidence, and what is said where it is missing."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.errors import PluginError
from stages.recognisers.tesseract import TesseractRecogniser

tesserocr = pytest.importorskip("tesserocr", reason="the extra `tesseract` is not installed")


@pytest.fixture(scope="module")
def engine():
    try:
        opened = TesseractRecogniser(TesseractRecogniser.Options()).__enter__()
    except PluginError as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def read(engine, *crops):
    return engine.read(crops, [None] * len(crops))


@pytest.mark.parametrize("text", ["LOT 4711", "BATCH 2026 09", "PART 83352"])
def test_tesseract_when_clear_print_then_read_with_confidence(engine, line, text):
    (transcript,) = read(engine, line(text, height=60))

    assert transcript.text == text
    assert all(0.3 < each.confidence <= 1 for each in transcript.characters)


def test_tesseract_when_words_are_apart_then_spaces_are_as_sure_as_what_follows(engine, line):
    (transcript,) = read(engine, line("LOT 4711"))

    at = transcript.text.index(" ")
    assert transcript.characters[at].confidence == transcript.characters[at + 1].confidence


def test_tesseract_when_read_by_its_own_call_then_the_text_is_the_same(engine, line):
    crop = line("LOT 4711 EXP 2027")
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    with tesserocr.PyTessBaseAPI(
        path=str(engine.tessdata), psm=tesserocr.PSM.SINGLE_LINE, oem=tesserocr.OEM.LSTM_ONLY
    ) as stock:
        stock.SetImageBytes(grey.tobytes(), width, height, 1, width)
        expected = stock.GetUTF8Text().strip()

    assert read(engine, crop)[0].text == expected


def test_tesseract_when_grey_or_coloured_then_read_the_same(engine, line):
    crop = line("LOT 4711")
    grey = np.ascontiguousarray(crop[..., 0])

    assert [each.text for each in read(engine, grey, crop)] == ["LOT 4711"] * 2


def test_tesseract_when_entered_then_the_model_names_version_language_and_weights(engine):
    weights = (engine.tessdata / "eng.traineddata").read_bytes()
    expected = hashlib.sha256(weights).hexdigest()[:8]

    assert re.fullmatch(rf"tesseract-5[.\d]+-eng@{expected}", engine.model)


def test_tesseract_when_the_crop_is_too_small_then_nothing_is_printed(engine, capfd):
    noise = np.random.default_rng(1)

    for shape in [(1, 9), (3, 3), (900, 3), (3, 900)]:
        read(engine, noise.integers(0, 256, shape).astype(np.uint8))

    assert capfd.readouterr() == ("", "")


def test_tesseract_when_the_language_is_not_there_then_the_error_says_how_to_get_it(tmp_path):
    for options in ({"tessdata": str(tmp_path)}, {"language": "nothing"}):
        with pytest.raises(PluginError, match=r"traineddata was not found; .*`tessdata`"):
            TesseractRecogniser(TesseractRecogniser.Options(**options)).__enter__()


def test_tesseract_when_the_language_file_is_damaged_then_one_line_says_so(tmp_path, capfd):
    (tmp_path / "eng.traineddata").write_bytes(b"no weights")
    options = TesseractRecogniser.Options(tessdata=str(tmp_path))

    with pytest.raises(PluginError, match="Tesseract does not open"):
        TesseractRecogniser(options).__enter__()


def test_tesseract_when_the_prefix_is_set_then_its_folder_comes_first(engine, tmp_path):
    (tmp_path / "eng.traineddata").symlink_to(engine.tessdata / "eng.traineddata")
    script = """
from stages.recognisers.tesseract import TesseractRecogniser
with TesseractRecogniser(TesseractRecogniser.Options()) as engine:
    print(engine.tessdata)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={"TESSDATA_PREFIX": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )

    assert (Path(done.stdout.strip()), done.stderr) == (tmp_path, "")


def test_tesseract_when_tesserocr_is_missing_then_the_error_says_how_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tesserocr", None)

    with pytest.raises(PluginError, match=r"pip install tesserocr"):
        TesseractRecogniser(TesseractRecogniser.Options()).__enter__()
