"""`trocr` with `opinion: rapidocr`, on the embedded checkpoint and on random ones."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.errors import RecogniserError
from stages.formats import compile_format
from stages.recognisers import advisor
from stages.recognisers.opinion import Opinion
from stages.recognisers.trocr import TrocrRecogniser

pytestmark = pytest.mark.usefixtures("one_thread")

HARD = Path(__file__).parents[3] / "data" / "evaluation" / "hard"
DOUBTED = 5


@pytest.fixture(scope="module")
def plain():
    with TrocrRecogniser(TrocrRecogniser.Options(encoder_dtype="float32")) as opened:
        yield opened


@pytest.fixture(scope="module")
def advised():
    options = TrocrRecogniser.Options(encoder_dtype="float32", opinion="rapidocr")
    with TrocrRecogniser(options) as opened:
        yield opened


@pytest.fixture(scope="module")
def crops():
    return [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(HARD.glob("*.png"))[:40]]


@pytest.fixture(scope="module")
def doubted(plain, crops):
    """Crops that are read again."""
    lines = plain.lines(crops)
    found = [crop for crop, line in zip(crops, lines, strict=True) if line and line.doubtful]
    assert len(found) >= DOUBTED
    return found[:DOUBTED]


def read(engine, crops, constraint=None):
    return engine.read(crops, [constraint] * len(crops))


def product(transcript):
    return math.prod(each.confidence for each in transcript.characters)


def test_opinion_when_a_line_is_sure_then_nobody_is_asked(plain, advised, crops, monkeypatch):
    lines = plain.lines(crops)
    sure = [crop for crop, line in zip(crops, lines, strict=True) if line and not line.doubtful]
    assert len(sure) > DOUBTED

    def never(*_):
        raise AssertionError("asked about a line that is sure")

    monkeypatch.setattr(Opinion, "of", never)

    assert read(advised, sure) == read(plain, sure)


def test_opinion_when_lines_are_doubtful_then_each_is_the_same_in_any_batch(advised, doubted):
    together = read(advised, doubted)

    alone = [read(advised, [crop])[0] for crop in doubted]
    assert [each.text for each in together] == [each.text for each in alone]
    for one, other in zip(together, alone, strict=True):
        assert product(one) == pytest.approx(product(other), abs=1e-3)


def test_opinion_when_given_then_the_confidence_is_that_of_the_pool(advised, doubted, monkeypatch):
    given = []
    first = advisor.Advisor.advise
    monkeypatch.setattr(
        advisor.Advisor, "advise", lambda *about: given.append(first(*about)) or given[-1]
    )

    transcripts = read(advised, doubted)

    assert len(given) == len(doubted)
    for transcript, advice in zip(transcripts, given, strict=True):
        assert product(transcript) == pytest.approx(advice.probability, rel=1e-3)
        assert all(
            each.confidence + (each.alternative_confidence or 0) <= 1 + 1e-9
            for each in transcript.characters
        )


def test_opinion_when_it_favours_a_rival_then_the_rival_is_read(advised, doubted, monkeypatch):
    """An engine that is sure of what TrOCR holds for second best turns a near tie round."""
    kept, texts = advisor.Pool, set()
    for favourite in range(2):

        def biased(own, other, favourite=favourite):
            return kept(own, np.where(np.arange(len(own)) == favourite, 0.0, -1e4))

        monkeypatch.setattr(advisor, "Pool", biased)
        texts.add(read(advised, doubted[:1])[0].text)

    assert len(texts) == 2


def test_opinion_when_a_format_is_given_then_the_free_text_stays_and_candidates_are_legal(
    advised, doubted
):
    constraint = compile_format("[A-Z0-9]{2,24}")

    for free, bound in zip(read(advised, doubted), read(advised, doubted, constraint), strict=True):
        assert (bound.text, bound.characters) == (free.text, free.characters)
        logs = [each.log_probability for each in bound.candidates]
        assert logs == sorted(logs, reverse=True)
        assert sum(map(math.exp, logs)) <= 1 + 1e-6
        assert all(constraint.is_code(each.text) for each in bound.candidates)
        own = [each for each in bound.candidates if each.text == bound.text]
        assert all(
            math.exp(each.log_probability) == pytest.approx(product(bound), rel=0.01)
            for each in own
        )


def test_opinion_when_there_is_no_second_look_then_doubtful_lines_are_judged_all_the_same(
    plain, doubted
):
    options = {"encoder_dtype": "float32", "second_look_nats": 0}
    with TrocrRecogniser(TrocrRecogniser.Options(**options, opinion="rapidocr")) as opened:
        judged = read(opened, doubted)
    with TrocrRecogniser(TrocrRecogniser.Options(**options)) as opened:
        alone = read(opened, doubted)

    assert all(one != other for one, other in zip(judged, alone, strict=True))


@pytest.mark.parametrize("fixture", ["random_trocr", "random_bytes_trocr"])
def test_opinion_when_the_tokens_are_others_then_it_reads(request, line, fixture, monkeypatch):
    folder = str(request.getfixturevalue(fixture))
    asked = []
    first = advisor.Advisor.advise
    monkeypatch.setattr(
        advisor.Advisor, "advise", lambda *about: asked.append(first(*about)) or asked[-1]
    )
    options = TrocrRecogniser.Options(
        checkpoint=folder, encoder_dtype="float32", opinion="rapidocr", second_look_nats=9
    )

    with TrocrRecogniser(options) as opened:
        transcripts = read(
            opened, [line(word) for word in ("LOT 4711", "A", "00123456", "EXP 31.12.27", "x:y")]
        )

    assert asked
    for each in transcripts:
        assert each.text == "".join(one.char for one in each.characters)
        assert 0 <= product(each) <= 1


def test_opinion_when_pp_ocr_fails_then_a_known_error(advised, doubted, monkeypatch):
    def fail(*_):
        raise RecogniserError("onnxruntime failed on (1, 3, 48, 320): out of memory")

    monkeypatch.setattr(Opinion, "of", fail)

    with pytest.raises(RecogniserError, match="out of memory"):
        read(advised, doubted[:1])


def test_opinion_when_open_then_both_models_are_named(plain, advised):
    own, _, other = advised.model.partition("+")

    assert own == plain.model
    assert other.startswith("PP-OCRv6-small@")
