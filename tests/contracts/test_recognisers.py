"""What every recogniser owes, whoever wrote it: run over each one that is installed."""

import re
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import entry_points

import cv2
import numpy as np
import pytest
import trocr_checkpoint

from stages.errors import PluginError
from stages.formats import compile_format
from stages.options import Options

# markwatch-faults breaks contracts on purpose, for the fault tests
POINTS = [
    point
    for point in entry_points(group="markwatch.recognisers")
    if point.dist is None or point.dist.name != "markwatch-faults"
]


PEERS = {"tesseract"}
"""Recognisers to measure against, whose engine is not among markwatch's own dependencies."""


@pytest.fixture(scope="module")
def needed(tmp_path_factory):
    """Options that a recogniser cannot do without: weights that come from elsewhere."""
    folder = trocr_checkpoint.make(tmp_path_factory.mktemp("contract") / "checkpoint")
    # in bfloat16 random weights come too close to a tie to be the same in any batch
    return {"trocr": {"checkpoint": str(folder), "encoder_dtype": "float32"}}


@pytest.fixture(scope="module", params=POINTS, ids=lambda point: point.name)
def recogniser(request, needed):
    kind = request.param.load()
    plugin = kind(kind.Options(**needed.get(request.param.name, {})))
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(plugin)
        except PluginError as error:
            if request.param.name not in PEERS:
                raise
            pytest.skip(str(error))
        yield opened


def line(text, width=300, grey=False):
    crop = np.full((44, width, 3), 190, np.uint8)
    cv2.putText(crop, text, (10, 33), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (30, 60, 30), 2)
    crop = np.ascontiguousarray(crop[..., 0]) if grey else crop
    crop.flags.writeable = False
    return crop


def read(recogniser, *crops):
    return recogniser.read(crops, [None] * len(crops))


def test_recognisers_when_markwatch_is_installed_then_its_own_are_among_them():
    assert {"rapidocr", "trocr"} <= {point.name for point in POINTS}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_recogniser_when_imported_and_built_then_no_engine_is_loaded(point):
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
def test_recogniser_when_options_are_read_then_frozen_documented_and_strict(point):
    options = point.load().Options

    assert issubclass(options, Options)
    assert options.model_config["frozen"]
    assert options.model_config["extra"] == "forbid"
    assert all(each.description for each in options.model_fields.values())
    assert isinstance(getattr(point.load(), "per_thread", False), bool)


def test_recogniser_when_open_then_it_names_its_weights(recogniser):
    assert re.fullmatch(r"[^@\s]+@[0-9a-f]{8,}", recogniser.model)


def test_recogniser_when_no_crops_then_no_transcripts(recogniser):
    assert recogniser.read([], []) == []


def test_recogniser_when_text_then_one_character_of_evidence_for_each(recogniser):
    crops = [line("LOT 4711"), line("A1B2", grey=True), line("7", width=40)]

    transcripts = read(recogniser, *crops)

    assert len(transcripts) == len(crops)
    for transcript in transcripts:
        assert transcript.text == transcript.text.strip()
        assert transcript.text == "".join(each.char for each in transcript.characters)
        assert transcript.candidates == ()
        for each in transcript.characters:
            assert len(each.char) == 1
            assert 0 <= each.confidence <= 1
            assert (each.alternative is None) == (each.alternative_confidence is None)
            if each.alternative is not None:
                assert each.alternative != each.char
                assert 0 <= each.alternative_confidence <= 1


@pytest.mark.parametrize("shape", [(44, 300), (44, 300, 3), (1, 1)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_recogniser_when_the_crop_is_blank_then_nothing_is_invented(recogniser, shape, level):
    (transcript,) = read(recogniser, np.full(shape, level, np.uint8))

    assert (transcript.text, transcript.characters, transcript.candidates) == ("", (), ())


def test_recogniser_when_neighbours_change_then_a_crop_reads_the_same(recogniser):
    crops = [line("4711"), line("LOT 00112233445566 EXP 2027", width=900), line("7", width=40)]
    crops = [*crops, np.full((44, 300), 128, np.uint8), *crops[::-1]]

    together = read(recogniser, *crops)

    alone = [read(recogniser, crop)[0] for crop in crops]
    assert [each.text for each in together] == [each.text for each in alone]
    for one, other in zip(together, alone, strict=True):
        assert [each.confidence for each in one.characters] == pytest.approx(
            [each.confidence for each in other.characters], abs=1e-3
        )


def test_recogniser_when_a_format_is_given_then_the_evidence_stays_unconstrained(recogniser):
    crop, constraint = line("LOT 4711"), compile_format("[0-9]{4}")

    (free,), (bound,) = read(recogniser, crop), recogniser.read([crop], [constraint])

    assert bound.text == free.text
    assert all(constraint.accepts(each.text) for each in bound.candidates)
    chances = [each.log_probability for each in bound.candidates]
    assert chances == sorted(chances, reverse=True)
    assert all(chance <= 0 for chance in chances)


@pytest.mark.parametrize("shape", [(1, 2), (2, 900), (900, 2, 3), (33, 31, 3)])
def test_recogniser_when_the_crop_has_an_odd_size_then_no_error(recogniser, shape):
    crop = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)

    assert len(read(recogniser, crop)) == 1


def test_recogniser_when_used_then_the_pixels_stay_as_they_were(recogniser):
    crop = line("LOT 4711")
    before = crop.copy()

    read(recogniser, crop)

    assert np.array_equal(crop, before)
    assert not crop.flags.writeable
