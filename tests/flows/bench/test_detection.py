"""The detectors' table: what counts as found, and that the figures add up on the samples."""

import cv2
import numpy as np
import pytest

from flows.bench import detection
from flows.bench.detection import Line, Picture, covers, main, measure, samples
from stages.detect import DetectOptions
from stages.records import Character, Detection, Transcript

LINE = np.array([(100, 100), (200, 100), (200, 120), (100, 120)], float)


def moved(x=0.0, y=0.0, grown=0.0):
    return LINE + (x, y) + grown * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        (moved(), True),
        (moved()[::-1], True),
        (np.roll(moved(), 2, axis=0), True),
        (moved(x=30), True),
        (moved(x=60), False),
        (moved(y=30), False),
        (moved(grown=8), True),
        (moved(grown=25), False),
        (moved(grown=-6), False),
    ],
)
def test_covers_when_regions_differ_then_only_what_holds_the_line_and_little_else(region, expected):
    assert covers(LINE, region) is expected


class Told:
    """A detector that finds what it is told, and a recogniser that reads a crop as its width."""

    model = "told@00000000"

    def __init__(self, *boxes):
        self.boxes = boxes

    def find(self, frames):
        return [
            [Detection(((a, b), (c, b), (c, d), (a, d)), 1.0) for a, b, c, d in self.boxes]
            for _ in frames
        ]

    def read(self, crops, constraints):
        texts = [str(crop.shape[1]) for crop in crops]
        return [Transcript(text, tuple(Character(char, 1.0) for char in text)) for text in texts]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((300, 400), 90, np.uint8))
    return path


def test_measure_when_places_are_known_then_by_place(picture):
    told = Told((100, 100, 200, 120), (102, 100, 203, 121), (0, 200, 90, 240))
    lines = (Line("100", LINE), Line("200", LINE + np.array([150, 0])))

    outcome = measure([Picture(picture, lines)], told, DetectOptions(), told)

    assert (outcome.lines, outcome.found, outcome.read) == (2, 1, 1)
    assert (outcome.regions, outcome.right, outcome.pictures) == (3, 2, 1)


def test_measure_when_only_the_text_is_known_then_by_reading(picture):
    told = Told((100, 100, 200, 120), (0, 200, 90, 240))

    outcome = measure([Picture(picture, (Line("1 0 0"),))], told, DetectOptions(), told)

    assert (outcome.lines, outcome.found, outcome.read) == (1, 1, 1)
    assert (outcome.regions, outcome.right) == (2, 1)


def test_samples_when_read_then_every_picture_has_its_code_within_it():
    found = samples()
    assert len(found) == 36
    assert sum(len(each.lines) for each in found) == 38
    for each in found:
        height, width = cv2.imread(str(each.path)).shape[:2]
        corners = np.concatenate([line.corners for line in each.lines])
        assert corners.min() >= 0
        assert (corners <= (width, height)).all()


def test_contours_when_run_on_the_samples_then_most_lines_are_found():
    from stages.detectors.contours import ContoursDetector

    with ContoursDetector(ContoursDetector.Options()) as detector:
        told = Told()
        outcome = measure(samples(), detector, DetectOptions(turned="never"), told)
    assert outcome.found >= 0.75 * outcome.lines
    assert outcome.right >= 0.5 * outcome.regions


def test_main_when_a_label_file_is_missing_then_one_line(capsys, tmp_path):
    assert main([str(tmp_path / "labels.csv")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "labels.csv" in line


def test_main_when_run_then_a_row_for_each_set_and_detector(capsys, monkeypatch, picture):
    (picture.parent / "labels.csv").write_text("file,text\na.png,LOT 4711\n")
    monkeypatch.setattr(detection, "samples", lambda folder: [])

    status = main(
        [str(picture.parent / "labels.csv"), "--detector", "whole", "--detector", "contours"]
    )

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert status == 0
    assert [row[1] for row in rows] == ["whole", "contours"] * 2
    # a blank picture: nothing found, nothing invented
    assert rows[2][2:7] == ["1", "1", "0.0%", "-", "0.0%"]
