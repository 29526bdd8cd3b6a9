"""Golden pictures beside a checkpoint."""

import json

import numpy as np
import pytest
from PIL import Image

from stages.errors import PluginError
from stages.recognisers.selftest import misreading


def brightness(crops):
    return [str(int(crop.mean())) for crop in crops]


@pytest.fixture
def folder(tmp_path):
    for level in (10, 20):
        Image.fromarray(np.full((4, 9), level, np.uint8)).save(tmp_path / f"{level}.png")
    Image.fromarray(np.full((4, 9, 3), 30, np.uint8)).save(tmp_path / "30.png")
    return tmp_path


def listed(folder, *pairs):
    entries = [{"file": file, "text": text} for file, text in pairs]
    (folder / "golden.json").write_text(json.dumps(entries))
    return folder


def test_misreading_when_all_are_read_right_then_none(folder):
    listed(folder, ("10.png", "10"), ("20.png", "20"), ("30.png", "30"))

    assert misreading(folder, brightness) is None


def test_misreading_when_one_is_read_wrong_then_it_and_what_was_read(folder):
    listed(folder, ("10.png", "10"), ("20.png", "17"))

    wrong = misreading(folder, brightness)

    assert (wrong.golden.file, wrong.golden.text, wrong.read) == ("20.png", "17", "20")


def test_misreading_when_batches_are_asked_for_then_each_size_is_tried_with_all_pictures(folder):
    listed(folder, ("10.png", "10"), ("20.png", "20"))
    sizes = []

    def read(crops):
        sizes.append(len(crops))
        return brightness(crops)

    assert misreading(folder, read, 4) is None
    assert sizes == [1, 1, 2, 3, 4]


def test_misreading_when_only_a_batch_of_some_size_is_read_wrong_then_it_is_found(folder):
    listed(folder, ("10.png", "10"), ("20.png", "20"))

    wrong = misreading(folder, lambda crops: ["7"] * 3 if len(crops) == 3 else brightness(crops), 4)

    assert wrong.read == "7"


def test_misreading_when_there_is_no_list_then_none(folder):
    assert misreading(folder, brightness) is None


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        '[{"file": "10.png"}]',
        '[{"file": "absent.png", "text": "1"}]',
        '{"10.png": "1"}',
    ],
)
def test_misreading_when_the_list_is_damaged_then_one_line_says_so(folder, content):
    (folder / "golden.json").write_text(content)

    with pytest.raises(PluginError, match=r"golden\.json does not open") as caught:
        misreading(folder, brightness)

    assert "\n" not in str(caught.value)


def test_misreading_when_a_picture_is_damaged_then_one_line_says_so(folder):
    (folder / "10.png").write_bytes(b"no picture")

    with pytest.raises(PluginError, match="does not open"):
        misreading(listed(folder, ("10.png", "10")), brightness)
