"""The `rapidocr` recogniser: what it reads, and that it does so offline and in silence."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stages.recognisers.rapidocr import RapidocrRecogniser, fold, line_tensor


@pytest.fixture(scope="module")
def engine():
    with RapidocrRecogniser(RapidocrRecogniser.Options()) as opened:
        yield opened


def read(engine, *crops):
    return engine.read(crops, [None] * len(crops))


@pytest.mark.parametrize("text", ["LOT 4711-B", "SN:00123456", "(01)95012345678903", "2026.11.20"])
def test_rapidocr_when_clear_print_then_read_with_confidence(engine, line, text):
    (transcript,) = read(engine, line(text))

    assert transcript.text == text
    assert all(each.confidence > 0.5 for each in transcript.characters)
    assert all(each.alternative != each.char for each in transcript.characters)


def test_rapidocr_when_grey_or_inverted_then_read(engine, line):
    crop = line("LOT 4711")
    grey = np.ascontiguousarray(crop[..., 0])

    assert [each.text for each in read(engine, grey, 255 - grey)] == ["LOT 4711", "LOT 4711"]


def test_rapidocr_when_ink_and_metal_differ_in_colour_alone_then_channels_are_told_apart(line):
    crop = line("A", ink=(200, 40, 10), paper=(10, 40, 200))

    red, blue = line_tensor(crop, 3200)[0, [2, 0], 0, 0]

    assert (red, blue) == pytest.approx((10 / 127.5 - 1, 200 / 127.5 - 1))


@pytest.mark.parametrize("shape", [(40, 200), (40, 200, 3), (1, 1), (300, 4)])
def test_rapidocr_when_blank_then_empty(engine, shape):
    (transcript,) = read(engine, np.full(shape, 90, np.uint8))

    assert (transcript.text, transcript.characters) == ("", ())


def test_rapidocr_when_a_crop_has_wider_neighbours_then_it_reads_the_same(engine, line):
    crops = [line("4711"), line("LOT 00112233445566778899 EXP 2027.12.31"), line("B")]

    assert read(engine, *crops) == [read(engine, crop)[0] for crop in crops]


def test_probabilities_when_read_then_a_distribution_over_the_alphabet_at_each_step(engine, line):
    steps = engine.probabilities(line("LOT 4711"))

    assert steps.shape[1] == len(engine.alphabet)
    assert steps.sum(1) == pytest.approx(1, abs=1e-3)


def test_line_tensor_when_very_wide_then_squeezed_to_the_limit():
    assert line_tensor(np.zeros((10, 5000), np.uint8), 3200).shape == (1, 3, 48, 3200)


def test_line_tensor_when_narrow_then_padded_with_zeros():
    tensor = line_tensor(np.full((48, 20), 255, np.uint8), 3200)

    assert tensor.shape == (1, 3, 48, 320)
    assert np.all(tensor[..., :20] == 1)
    assert np.all(tensor[..., 20:] == 0)


@pytest.mark.parametrize(
    ("char", "plain"),
    [
        ("\N{FULLWIDTH COLON}", ":"),
        ("\N{FULLWIDTH LEFT PARENTHESIS}", "("),
        ("\N{FULLWIDTH HYPHEN-MINUS}", "-"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER A}", "A"),
        ("\N{FULLWIDTH DIGIT NINE}", "9"),
        ("\N{IDEOGRAPHIC SPACE}", " "),
        ("\N{ROMAN NUMERAL TWO}", "II"),
        ("\N{ACUTE ACCENT}", "\N{ACUTE ACCENT}"),
    ],
)
def test_fold_when_a_compatibility_character_then_plain_unless_a_space_comes_in(char, plain):
    assert fold(char) == plain


def test_rapidocr_when_entered_then_the_model_names_the_file(engine):
    import rapidocr

    path = Path(rapidocr.__file__).parent / "models" / "PP-OCRv6_rec_small.onnx"
    expected = hashlib.sha256(path.read_bytes()).hexdigest()[:8]

    assert engine.model == f"PP-OCRv6-small@{expected}"
    assert re.fullmatch(r"[0-9a-f]{8}", expected)


def test_rapidocr_when_loaded_with_no_network_then_works_and_prints_nothing():
    script = """
import socket
def refuse(*_, **__):
    raise AssertionError("a network attempt")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from stages.recognisers.rapidocr import RapidocrRecogniser
with RapidocrRecogniser(RapidocrRecogniser.Options()):
    pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
