"""The likeliest texts of a format: against trying every one, for character and for BPE tokens."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats import compile_format
from stages.map.checks import CheckDigit
from stages.recognisers import beams
from stages.recognisers.beams import Legal, is_settled, search, with_candidates
from stages.recognisers.checkpoint import open_checkpoint
from stages.recognisers.reader import LineReader
from stages.recognisers.steering import Masks, Steering, Vocabulary
from stages.records import Character, Transcript

pytestmark = pytest.mark.usefixtures("one_thread")


class Listed:
    """A tokenizer with the tokens of a list; special ones are 0 (start) and 1 (end)."""

    all_special_ids = (0, 1)

    def __init__(self, pieces):
        self.pieces = ["", "", *pieces]

    def __len__(self):
        return len(self.pieces)

    def encode(self, text, add_special_tokens=False):
        return [self.pieces.index(text)] if text in self.pieces else []

    def decode(self, tokens, skip_special_tokens=True):
        return "".join(self.pieces[token] for token in tokens)

    def batch_decode(self, rows, skip_special_tokens=True):
        return [self.decode(row) for row in rows]


class Table:
    """Branches of a network whose next token depends on the last one only."""

    start, ends, max_tokens = 0, frozenset({1}), 12

    def __init__(self, logits):
        self.logs = torch.tensor(logits).log_softmax(-1)

    def feed(self, parents, tokens):
        return self.logs[list(tokens)]

    def log_probability(self, tokens):
        steps = zip((0, *tokens), (*tokens, 1), strict=True)
        return float(sum(self.logs[one, other] for one, other in steps))


FORMATS = ["[AB]{2}1?", "A|AB|B1", "[AB1]{1,3}", "(A1){1,2}B?", "A( B)?1"]
PIECES = {
    "characters": ["0", "A", "B", "1", " "],
    "pieces": ["0", "A", "B", "1", "AB", "A1", " A", "B1", "ABA", " B1"],
}


@pytest.fixture(scope="module", autouse=True)
def nothing_is_too_unlikely():
    """Random networks find everything unlikely."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beams, "_LEAST_LOG", -100.0)
        yield


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(FORMATS), st.sampled_from(sorted(PIECES)), st.integers(0, 999))
def test_search_when_the_format_is_small_then_agrees_with_trying_every_spelling(
    pattern, pieces, seed
):
    tokenizer = Listed(PIECES[pieces])
    constraint = compile_format(pattern)
    table = Table(np.random.default_rng(seed).normal(0, 1.5, (len(tokenizer),) * 2))
    expected: dict[str, float] = {}
    for length in range(1, constraint.max_length + 1):
        for tokens in product(range(2, len(tokenizer)), repeat=length):
            # the space that a first token of BPE begins with is not kept, as in a transcript
            text = tokenizer.decode(tokens).removeprefix(" ")
            if constraint.accepts(text) and tokenizer.pieces[tokens[0]] != " ":
                log = table.log_probability(tokens)
                expected[text] = np.logaddexp(expected.get(text, -math.inf), log)
    found = search(table, constraint, Masks(Vocabulary(tokenizer), constraint), width=4000)
    assert {each.text: each.log_probability for each in found} == pytest.approx(expected, abs=1e-4)
    logs = [each.log_probability for each in found]
    assert logs == sorted(logs, reverse=True)


def test_search_when_more_is_legal_than_the_width_then_the_likeliest_are_kept():
    tokenizer = Listed(PIECES["characters"])
    table = Table(np.random.default_rng(3).normal(0, 1, (len(tokenizer),) * 2))
    constraint = compile_format("[AB1]{4}")
    masks = Masks(Vocabulary(tokenizer), constraint)
    every = search(table, constraint, masks, width=100)
    assert len(every) == 81
    few = search(table, constraint, masks, width=9)
    assert len(few) == 9
    assert few[0] == every[0]
    assert set(few) <= set(every)


@pytest.fixture(scope="module", params=["random_trocr", "random_bytes_trocr"])
def reader(request):
    checkpoint = open_checkpoint(Path(request.getfixturevalue(request.param)), "random")
    made = LineReader(checkpoint, torch.device("cpu"), torch.float32, None)
    tokenizer = checkpoint.processor.tokenizer
    return made, Steering(tokenizer), tokenizer, request.param


def test_legal_when_a_network_reads_then_every_text_has_the_networks_own_probability(reader):
    made, steering, tokenizer, reader_name = reader
    pixels = np.random.default_rng(5).normal(0, 1, (1, 3, 16, 64)).astype(np.float32)
    constraint = compile_format("[A-C4]{1,2}")
    found = made.view(pixels).legal(constraint, steering.masks(constraint))
    assert found
    assert all(constraint.accepts(each.text) for each in found)
    encoded = made._exact(torch.from_numpy(pixels))
    for each in found[:4]:
        branches = made._decoder.branches(encoded, 1)
        total, fed = 0.0, branches.start
        for token in each.tokens:
            total += float(branches.feed([0], [fed])[0, token])
            fed = token
        ending = branches.feed([0], [fed])[0, sorted(branches.ends)]
        total += float(torch.logsumexp(ending, 0))
        assert tokenizer.decode(each.tokens, skip_special_tokens=True).strip() == each.text
        # several spellings of a text add up, and a text of single characters has one
        assert each.log_probability >= total - 1e-3
        if "bytes" not in reader_name:
            assert each.log_probability == pytest.approx(total, abs=1e-3)


def test_legal_when_asked_twice_or_with_more_looks_then_the_same_again(reader):
    made, steering, *_ = reader
    pixels = np.random.default_rng(6).normal(0, 1, (1, 3, 16, 64)).astype(np.float32)
    constraint = compile_format("[A-Z0-9]{3}")
    masks = steering.masks(constraint)
    once = made.view(pixels).legal(constraint, masks)
    again = made.view(np.repeat(pixels, 3, 0)).legal(constraint, steering.masks(constraint))
    assert steering.masks(constraint) is masks
    assert [each.text for each in once] == [each.text for each in again]
    assert [each.log_probability for each in once] == pytest.approx(
        [each.log_probability for each in again], abs=1e-3
    )


def _read(text, confidence=0.99):
    return Transcript(text, tuple(Character(char, confidence) for char in text))


def test_settled_when_the_text_is_surely_a_code_then_nothing_is_searched():
    luhn = compile_format(r"\d{4}", None, (CheckDigit(scheme="luhn"),))
    assert is_settled(_read("1230"), luhn)
    assert not is_settled(_read("1234"), luhn)
    assert not is_settled(_read("1230", 0.9), luhn)
    assert not is_settled(_read("123A"), luhn)
    assert is_settled(_read(""), luhn)


def test_candidates_when_experience_trusts_the_text_less_then_the_others_more():
    legal = [Legal("AB", (1, 2), math.log(0.9)), Legal("A8", (1, 3), math.log(0.05))]
    read = with_candidates(_read("AB", math.sqrt(0.8)), 0.9, legal)
    assert [each.text for each in read.candidates] == ["AB", "A8"]
    assert math.exp(read.candidates[0].log_probability) == pytest.approx(0.8)
    assert math.exp(read.candidates[1].log_probability) == pytest.approx(0.1)
    assert read.characters == _read("AB", math.sqrt(0.8)).characters


@pytest.mark.parametrize("chance", [0.0, 1.0])
@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_candidates_when_probabilities_are_extreme_then_they_stay_such(chance, confidence):
    legal = [Legal("AB", (1, 2), 0.0), Legal("A8", (1, 3), -13.0)]
    for each in with_candidates(_read("AX", confidence), chance, legal).candidates:
        assert math.isfinite(each.log_probability)
        assert each.log_probability <= 0.0
