"""Evidence from CTC outputs and from tokens."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.recognisers.decoding import Line, Step, TokenReader, ctc, transcript
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


ENDED = Step(2, 1.0)
"""A sure end: `</s>` of the random checkpoints."""


def line(*steps, end=ENDED):
    return Line(tuple(steps), end)


def test_token_reader_when_a_token_spells_several_characters_then_each_has_its_probability(reader):
    tokens, tokenizer = reader
    lot = tokenizer.convert_tokens_to_ids("LOT")

    read = tokens.transcript(line(Step(lot, 0.6)))

    assert read.text == "LOT"
    assert [each.confidence for each in read.characters] == [0.6, 0.6, 0.6]


def test_token_reader_when_the_best_rival_is_as_long_then_it_is_the_alternative(reader):
    tokens, tokenizer = reader
    a, b, lot, end = (tokenizer.convert_tokens_to_ids(each) for each in ("A", "B", "LOT", "</s>"))

    read = tokens.transcript(line(Step(a, 0.5, ((end, 0.2), (lot, 0.15), (b, 0.1)))))

    assert (read.characters[0].alternative, read.characters[0].alternative_confidence) == ("B", 0.1)


def test_token_reader_when_bytes_make_one_character_then_their_product_and_no_alternative(reader):
    tokens, tokenizer = reader
    spelling = tokenizer.encode("\u8a9e", add_special_tokens=False)
    a = tokenizer.convert_tokens_to_ids("A")
    assert len(spelling) == 3

    read = tokens.transcript(line(*(Step(token, 0.5, ((a, 0.4),)) for token in spelling)))

    assert read.text == "\u8a9e"
    assert math.isclose(read.characters[0].confidence, 0.125)
    assert read.characters[0].alternative is None


@given(st.lists(st.integers(0, 319), max_size=12))
def test_token_reader_when_any_tokens_then_the_text_is_the_tokenizers(reader, ids):
    tokens, tokenizer = reader

    read = tokens.transcript(line(*(Step(each, 0.9) for each in ids)))

    assert read.text == tokenizer.decode(ids, skip_special_tokens=True).strip()
    assert "".join(each.char for each in read.characters) == read.text
    assert all(0 < each.confidence <= 0.9 for each in read.characters)


@pytest.fixture(scope="module")
def spelling(random_trocr):
    """A reader with one token per character, and a way to name tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(random_trocr, local_files_only=True)
    return TokenReader(tokenizer), tokenizer.convert_tokens_to_ids


def confidences(read):
    return [each.confidence for each in read.characters]


def test_token_reader_when_the_end_nearly_lost_to_a_character_then_the_last_one_is_doubted(
    spelling,
):
    tokens, named = spelling
    a, b, c = map(named, "ABC")
    end = Step(named("</s>"), 0.55, ((c, 0.4), (named("<pad>"), 0.03)))

    read = tokens.transcript(line(Step(a, 0.9), Step(b, 0.8), end=end))

    assert read.text == "AB"
    assert confidences(read) == pytest.approx([0.9, 0.8 * 0.58])


def test_token_reader_when_a_space_nearly_stood_at_the_end_then_text_may_be_missing(spelling):
    tokens, named = spelling
    end = Step(named("</s>"), 0.7, ((named(" "), 0.3),))

    read = tokens.transcript(line(Step(named("A"), 0.9), end=end))

    assert confidences(read) == pytest.approx([0.9 * 0.7])


def test_token_reader_when_the_end_nearly_won_before_then_what_won_is_doubted_by_itself(spelling):
    tokens, named = spelling
    b = Step(named("B"), 0.52, ((named("</s>"), 0.47),), end=0.47)

    read = tokens.transcript(line(Step(named("A"), 0.9), b))

    assert confidences(read) == pytest.approx([0.9, 0.52])
    assert read.characters[1].alternative is None


def test_token_reader_when_the_text_was_cut_then_the_last_character_has_no_confidence(spelling):
    tokens, named = spelling
    a, space = Step(named("A"), 0.9), Step(named(" "), 0.9)

    assert confidences(tokens.transcript(line(a, a, end=None))) == [0.9, 0.0]
    assert confidences(tokens.transcript(line(a, space, end=None))) == [0.0]
    assert tokens.transcript(line(end=None)).text == ""


def test_token_reader_when_a_special_token_hides_a_character_then_its_neighbour_is_doubted(
    spelling,
):
    tokens, named = spelling
    a, b = Step(named("A"), 0.9), Step(named("B"), 0.8)
    hidden = Step(named("<pad>"), 0.6, ((named("C"), 0.3), (named("</s>"), 0.1)))
    unknown = Step(named("<unk>"), 0.7, ((named("C"), 0.3),))

    assert confidences(tokens.transcript(line(a, hidden, b))) == pytest.approx([0.9 * 0.7, 0.8])
    assert confidences(tokens.transcript(line(hidden, a, b))) == pytest.approx([0.9 * 0.7, 0.8])
    assert confidences(tokens.transcript(line(a, unknown, b))) == pytest.approx([0.9 * 0.3, 0.8])


def test_token_reader_when_outer_spaces_nearly_were_characters_then_their_neighbours_are_doubted(
    spelling,
):
    tokens, named = spelling
    a, b = Step(named("A"), 0.9), Step(named("B"), 0.8)
    space = Step(named(" "), 0.6, ((named("C"), 0.4),))

    assert confidences(tokens.transcript(line(space, a, b))) == pytest.approx([0.9 * 0.6, 0.8])
    assert confidences(tokens.transcript(line(a, b, space))) == pytest.approx([0.9, 0.8 * 0.6])
    assert confidences(tokens.transcript(line(a, space, b))) == pytest.approx([0.9, 0.6, 0.8])


def test_line_when_asked_for_its_margin_then_that_of_the_closest_call():
    steps = (Step(5, 0.6, ((6, 0.3),)), Step(7, 0.4, ((8, 0.35), (9, 0.2))))

    assert Line(steps, Step(2, 0.9, ((5, 0.1),))).margin == pytest.approx(math.log(0.4 / 0.35))
    assert Line(steps[:1], Step(2, 0.5, ((5, 0.5),))).margin == 0
    assert Line((Step(5, 1.0),), None).margin == math.inf
