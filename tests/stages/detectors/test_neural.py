"""The `neural` detector: where it finds text, and that it does so offline and in silence."""

import subprocess
import sys
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest

from stages.detectors.layout import size
from stages.detectors.neural import NeuralDetector, network_size
from stages.records import Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def detector():
    with NeuralDetector(NeuralDetector.Options()) as opened:
        yield opened


def picture(*lines, shape=(300, 480, 3)):
    """Grey metal with lines of dark text: (text, x, baseline y)."""
    pixels = np.full(shape, 170, np.uint8)
    for text, x, y in lines:
        cv2.putText(pixels, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (40, 40, 40), 3)
    return pixels


def find(detector, pixels):
    return detector.find([Frame(IMAGE, 1, pixels, Transform())])[0]


def test_neural_when_one_line_then_its_box(detector):
    (found,) = find(detector, picture(("LOT 4711", 100, 160)))

    (left, top), (right, _), (_, bottom), _ = found.outline
    assert 80 <= left <= 105
    assert 250 <= right <= 330
    assert 110 <= top <= 140
    assert 155 <= bottom <= 180
    assert 0.5 <= found.score <= 1


def test_neural_when_grey_then_as_in_colour(detector):
    colour = picture(("LOT 4711", 100, 160))

    assert find(detector, np.ascontiguousarray(colour[..., 0])) == find(detector, colour)


def test_neural_when_several_lines_then_in_reading_order(detector):
    found = find(detector, picture(("SECOND", 40, 220), ("FIRST", 40, 80), ("RIGHT", 290, 78)))

    starts = [each.outline[0] for each in found]
    assert len(starts) == 3
    assert starts[0][0] < 100 < starts[1][0]
    assert starts[2][1] > 150


def test_neural_when_the_text_runs_down_then_its_top_left_is_the_boxs_top_right(detector):
    upright = picture(("LOT 4711", 100, 160))

    (found,) = find(detector, np.rot90(upright, -1).copy())

    width, height = size(found.outline)
    (x, y), (_, along_y) = found.outline[:2]
    assert width > 2 * height
    assert y < along_y
    assert x == max(corner[0] for corner in found.outline)


def test_neural_when_the_picture_is_a_bare_strip_then_found(detector):
    strip = picture(("LOT 4711-B 2026", 10, 40), shape=(50, 420, 3))

    assert len(find(detector, strip)) == 1


@pytest.mark.parametrize("shape", [(300, 480), (300, 480, 3), (40, 900)])
def test_neural_when_blank_then_nothing(detector, shape):
    assert find(detector, np.full(shape, 128, np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 5000), (5000, 2), (31, 33)])
def test_neural_when_the_picture_is_tiny_or_a_thread_then_no_error(detector, shape):
    find(detector, np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (1500, 2000, (704, 960)),
        (480, 640, (480, 640)),
        (60, 240, (192, 768)),
        (1, 1, (192, 192)),
    ],
)
def test_network_size_when_large_or_small_then_within_the_limits(height, width, expected):
    assert network_size(height, width, 192, 960) == expected


def test_neural_when_loaded_with_no_network_then_works_and_prints_nothing():
    script = """
import socket
def refuse(*_, **__):
    raise AssertionError("a network attempt")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from stages.detectors.neural import NeuralDetector
with NeuralDetector(NeuralDetector.Options()):
    pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
