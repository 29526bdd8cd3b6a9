"""What every detector owes, whoever wrote it: run over each one that is installed."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points

import cv2
import numpy as np
import pytest

from stages.options import Options
from stages.records import Frame, ImageRef
from stages.transform import Transform

IMAGE = ImageRef("1", "a.png", "0" * 64, 1, "press", "a.png", datetime(2026, 1, 1, tzinfo=UTC))
# markwatch-faults breaks contracts on purpose, for the fault tests
POINTS = [
    point
    for point in entry_points(group="markwatch.detectors")
    if point.dist is None or point.dist.name != "markwatch-faults"
]


@pytest.fixture(scope="module", params=POINTS, ids=lambda point: point.name)
def detector(request):
    kind = request.param.load()
    with kind(kind.Options()) as opened:
        yield opened


def frame(*lines, shape=(240, 480, 3)):
    pixels = np.full(shape, 180, np.uint8)
    for number, text in enumerate(lines):
        place = (30, 70 + 90 * number)
        cv2.putText(pixels, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.2, (30, 30, 30), 3)
    return Frame(IMAGE, 1, pixels, Transform())


def test_detectors_when_markwatch_is_installed_then_its_own_are_among_them():
    assert {"boxes", "contours", "neural", "whole"} <= {point.name for point in POINTS}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_detector_when_imported_and_built_then_no_engine_is_loaded(point):
    module, name = point.value.split(":")
    script = f"""
import sys
from {module} import {name} as kind
kind(kind.Options())
print(sorted({{"torch", "onnxruntime", "rapidocr", "transformers"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_detector_when_options_are_read_then_frozen_documented_and_strict(point):
    options = point.load().Options

    assert issubclass(options, Options)
    assert options.model_config["frozen"]
    assert options.model_config["extra"] == "forbid"
    assert all(each.description for each in options.model_fields.values())
    assert isinstance(getattr(point.load(), "per_thread", False), bool)


def test_detector_when_no_frames_then_no_results(detector):
    assert detector.find([]) == []


def test_detector_when_text_then_outlines_lie_in_the_frame_and_scores_are_shares(detector):
    given = frame("LOT 4711", "SN 0042")

    (found,) = detector.find([given])

    assert found
    height, width = given.pixels.shape[:2]
    for each in found:
        assert len(each.outline) == 4
        assert 0 <= each.score <= 1
        x, y = np.array(each.outline).T
        assert x.min() >= 0
        assert y.min() >= 0
        assert x.max() <= width
        assert y.max() <= height


def test_detector_when_text_then_corners_run_clockwise_from_the_top_left(detector):
    for each in detector.find([frame("LOT 4711")])[0]:
        one, two, _, four = np.array(each.outline)
        along, down = two - one, four - one

        assert along[0] * down[1] - along[1] * down[0] > 0


@pytest.mark.parametrize("shape", [(240, 480), (240, 480, 3), (60, 900, 3)])
@pytest.mark.parametrize("level", [0, 180, 255])
def test_detector_when_the_frame_is_blank_then_nothing(detector, shape, level):
    blank = Frame(IMAGE, 1, np.full(shape, level, np.uint8), Transform())

    assert detector.find([blank]) == [[]]


def surfaces():
    rng = np.random.default_rng(3)
    streaks = cv2.blur(rng.normal(0, 60, (300, 480)), (61, 1))
    return {
        "noise": rng.normal(130, 12, (300, 480)),
        "strong noise": rng.normal(130, 40, (300, 480)),
        "gradient": np.tile(np.linspace(80, 180, 480), (300, 1)),
        "brushed metal": 130 + streaks + rng.normal(0, 3, (300, 480)),
        "upright grooves": np.rot90(130 + streaks + rng.normal(0, 3, (300, 480))),
    }


@pytest.mark.parametrize("lifted", [False, True])
@pytest.mark.parametrize("name", surfaces())
def test_detector_when_the_surface_is_bare_then_nothing(detector, name, lifted):
    pixels = np.ascontiguousarray(surfaces()[name]).clip(0, 255).astype(np.uint8)
    if lifted:
        pixels = cv2.createCLAHE(clipLimit=3).apply(pixels)

    assert detector.find([Frame(IMAGE, 1, pixels, Transform())]) == [[]]


def test_detector_when_several_frames_then_each_as_if_alone(detector):
    frames = [frame("LOT 4711"), frame(shape=(90, 300)), frame("A", "B", shape=(240, 240))]

    assert detector.find(frames) == [detector.find([each])[0] for each in frames]


@pytest.mark.parametrize("shape", [(1, 1), (3, 700), (700, 3, 3), (33, 31)])
def test_detector_when_the_frame_has_an_odd_size_then_no_error(detector, shape):
    pixels = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)

    assert len(detector.find([Frame(IMAGE, 1, pixels, Transform())])) == 1


def test_detector_when_used_then_the_pixels_stay_as_they_were(detector):
    given = frame("LOT 4711")
    before = given.pixels.copy()

    detector.find([given])

    assert np.array_equal(given.pixels, before)
    assert not given.pixels.flags.writeable
