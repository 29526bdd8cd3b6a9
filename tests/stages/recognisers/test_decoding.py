"""Evidence from CTC outputs and from tokens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recognisers.decoding import Step, TokenReader, ctc, transcript
from stages.records import Character

ALPHABET = ["", "A", "B", "8", ":", ":", "II", " "]


def row(**weights):
    """A distribution over ALPHABET; the rest of the mass is spread evenly."""
    names = ["blank", "A", "B", "eight", "colon", "wide_colon", "two", "space"]
    rest = (1 - sum(weights.values())) / (len(names) - len(weights) or 1)
    return [weights.get(name, rest) for name in names]


def test_ctc_when_runs_and_blanks_then_collapsed_with_the_peak_of_each_run():
    output = np.array(
        [row(blank=1.0), row(A=0.6), row(A=0.8), row(blank=1.0), row(A=0.7), row(B=0.9)]
    )

    read = ctc(output, ALPHABET)

    assert read.text == "AAB"
    assert [each.confidence for each in read.characters] == pytest.approx([0.8, 0.7, 0.9])


def test_ctc_when_the_blank_only_just_beats_a_character_then_its_neighbour_is_doubted():
    output = np.array([row(A=0.9), row(blank=0.51, B=0.49), row(A=0.9)])
    one, two = ctc(output, ALPHABET).characters
    assert (one.char, two.char) == ("A", "A")
    assert one.confidence == pytest.approx(0.9 * 0.51)
    assert two.confidence == pytest.approx(0.9)


def test_ctc_when_a_rival_is_close_then_it_is_the_alternative():
    (character,) = ctc(np.array([row(B=0.5, eight=0.4)]), ALPHABET).characters

    assert (character.char, character.alternative) == ("B", "8")
    assert character.alternative_confidence == pytest.approx(0.4)


def test_ctc_when_the_blank_is_second_then_the_alternative_is_the_best_character():
    (character,) = ctc(np.array([row(B=0.5, blank=0.3, A=0.1)]), ALPHABET).characters

    assert character.alternative == "A"


def test_ctc_when_two_classes_have_the_same_text_then_they_count_together():
    (character,) = ctc(np.array([row(colon=0.5, wide_colon=0.3, A=0.1)]), ALPHABET).characters

    assert character.confidence == pytest.approx(0.8)
    assert character.alternative == "A"


def test_ctc_when_one_class_spells_two_characters_then_two_characters():
    read = ctc(np.array([row(two=0.7)]), ALPHABET)

    assert read.text == "II"
    assert [each.confidence for each in read.characters] == pytest.approx([0.7, 0.7])


def test_ctc_when_only_blanks_or_spaces_then_empty():
    assert ctc(np.array([row(blank=0.9), row(space=0.9)]), ALPHABET).text == ""


@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_ctc_when_any_output_then_text_is_best_path_and_probabilities_are_probabilities(
    seed, steps
):
    logits = np.random.default_rng(seed).normal(0, 3, (steps, len(ALPHABET)))
    output = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    read = ctc(output, ALPHABET)

    best = output.argmax(axis=1).tolist()
    path = [this for this, before in zip(best, [0, *best], strict=False) if this != before]
    assert read.text == "".join(ALPHABET[each] for each in path).strip()
    for each in read.characters:
        assert 0 < each.confidence <= 1
        assert each.alternative != each.char
        if each.alternative is not None:
            assert 0 < each.alternative_confidence < 1


def test_transcript_when_spaces_outside_then_stripped_with_their_evidence():
    characters = [Character(char, 0.1 * place) for place, char in enumerate("  A B ", 1)]

    read = transcript(characters)

    assert read.text == "A B"
    assert [each.confidence for each in read.characters] == pytest.approx([0.3, 0.4, 0.5])


@pytest.fixture(scope="module")
def reader(random_bytes_trocr):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(random_bytes_trocr, local_files_only=True)
    return TokenReader(tokenizer), tokenizer


def test_token_reader_when_a_token_spells_several_characters_then_each_has_its_probability(reader):
    tokens, tokenizer = reader
    lot = tokenizer.convert_tokens_to_ids("LOT")

    read = tokens.transcript([Step(lot, 0.6)])

    assert read.text == "LOT"
    assert [each.confidence for each in read.characters] == [0.6, 0.6, 0.6]


def test_token_reader_when_the_best_rival_is_as_long_then_it_is_the_alternative(reader):
    tokens, tokenizer = reader
    a, b, lot, end = (tokenizer.convert_tokens_to_ids(each) for each in ("A", "B", "LOT", "</s>"))

    read = tokens.transcript([Step(a, 0.5, ((end, 0.2), (lot, 0.15), (b, 0.1)))])

    assert (read.characters[0].alternative, read.characters[0].alternative_confidence) == ("B", 0.1)


def test_token_reader_when_bytes_make_one_character_then_their_product_and_no_alternative(reader):
    tokens, tokenizer = reader
    spelling = tokenizer.encode("\u8a9e", add_special_tokens=False)
    a = tokenizer.convert_tokens_to_ids("A")
    assert len(spelling) == 3

    read = tokens.transcript([Step(token, 0.5, ((a, 0.4),)) for token in spelling])

    assert read.text == "\u8a9e"
    assert math.isclose(read.characters[0].confidence, 0.125)
    assert read.characters[0].alternative is None


@given(st.lists(st.integers(0, 319), max_size=12))
def test_token_reader_when_any_tokens_then_the_text_is_the_tokenizers(reader, ids):
    tokens, tokenizer = reader

    read = tokens.transcript([Step(each, 0.9) for each in ids])

    assert read.text == tokenizer.decode(ids, skip_special_tokens=True).strip()
    assert "".join(each.char for each in read.characters) == read.text
    assert all(0 < each.confidence <= 0.9 for each in read.characters)
