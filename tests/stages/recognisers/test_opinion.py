"""The pool of two engines' probabilities, and what PP-OCR gives to a text that it is shown."""

import itertools
import math

import numpy as np
import pytest

from stages.recognisers.opinion import Opinion, Pool, Seen, anything, right

ALPHABET = ["", "A", "a", "B", " ", "II"]
CLASSES = {"": [0, 4], "a": [1, 2], "b": [3], "ii": [5]}


@pytest.fixture(scope="module")
def opinion():
    with Opinion() as opened:
        yield opened


def steps(count, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(len(ALPHABET)), count)


def by_paths(probabilities, text):
    """The probability of a text as the sum over every path that collapses to it."""
    merged = {"": [0, 4], "a": [1, 2], "b": [3]}
    total = 0.0
    for path in itertools.product(merged, repeat=len(probabilities)):
        if "".join(char for char, _ in itertools.groupby(path)) == text:
            chances = [
                row[merged[char]].sum() for row, char in zip(probabilities, path, strict=True)
            ]
            total += math.prod(chances)
    return total


@pytest.mark.parametrize("text", ["A", "ab", "B A", "aa", "bab"])
def test_log_probabilities_when_shown_a_text_then_the_sum_over_its_paths(text):
    probabilities = steps(5)

    (log,) = Seen(probabilities, ALPHABET, CLASSES).log_probabilities([text])

    expected = by_paths(probabilities, text.replace(" ", "").lower())
    assert 0 < expected < 1
    assert math.exp(log) == pytest.approx(expected)


def test_log_probabilities_when_texts_stand_together_then_each_is_as_alone():
    seen = Seen(steps(6), ALPHABET, CLASSES)
    texts = ["A", "ABBA", "?", "b a"]

    together = seen.log_probabilities(texts)

    alone = [seen.log_probabilities([text])[0] for text in texts]
    assert together == pytest.approx(alone)


def test_log_probabilities_when_a_text_has_more_characters_than_steps_then_finite_and_least():
    long, short = Seen(steps(2), ALPHABET, CLASSES).log_probabilities(["ABABAB", "A"])

    assert np.isfinite(long)
    assert long < short - 1000


def test_opinion_when_clear_print_then_the_truth_is_the_likeliest(opinion, line):
    seen = opinion.of(line("LOT 4711"))

    assert seen.text == "LOT 4711"
    logs = seen.log_probabilities(["LOT 4711", "LOT 4717", "LQT 4711", "L0T 4711", "LOT 411"])
    assert logs.argmax() == 0
    assert -0.5 < logs[0] <= 0
    assert max(logs[1:]) < -2


def test_opinion_when_case_or_spaces_differ_then_it_does_not_care(opinion, line):
    one, other = opinion.of(line("LOT 4711")).log_probabilities(["LOT 4711", "lot4711"])

    assert one == other


def test_pool_when_posteriors_are_taken_then_they_add_up_to_one():
    pool = Pool(np.array([-0.4, -1.2, -9.0]), np.array([-8.0, -0.1, -3.0]))

    assert np.exp(pool.log_posteriors()).sum() == pytest.approx(1)


def test_pool_when_the_other_is_sure_then_a_near_tie_is_settled_its_way():
    pool = Pool(np.log([0.5, 0.45]), np.log([1e-6, 0.9]))

    assert np.log([0.5, 0.45]).argmax() == 0
    assert pool.log_posteriors().argmax() == 1


def test_pool_when_the_other_rules_a_text_out_then_what_is_sure_still_stands():
    """An engine that does not know this kind of mark says so of everything."""
    for denied in (-20.0, -200.0, -1e4):
        pool = Pool(np.log([0.99, 0.01]), np.array([denied, -0.1]))

        assert pool.log_posteriors().argmax() == 0


def test_pool_when_the_other_is_indifferent_then_the_order_stays():
    own = np.log([0.2, 0.5, 0.3])

    logs = Pool(own, np.full(3, -4.0)).log_posteriors()

    assert list(np.argsort(logs)) == list(np.argsort(own))


def test_pool_when_asked_about_one_of_its_own_texts_then_the_same_posterior():
    own, other = np.array([-0.4, -1.2, -9.0]), np.array([-8.0, -0.1, -3.0])
    pool = Pool(own, other)

    assert pool.log_posteriors(own[1:], other[1:]) == pytest.approx(pool.log_posteriors()[1:])


def test_right_when_the_posterior_rises_then_it_rises_and_stays_below_it_where_likely():
    posteriors = [0.0, 0.01, 0.3, 0.5, 0.9, 0.999, 1.0]

    chances = [right(each) for each in posteriors]

    assert chances == sorted(set(chances))
    assert 0 < chances[0] < chances[-1] < 1
    assert all(one < other for one, other in zip(chances[2:], posteriors[2:], strict=True))


def test_anything_when_a_tokenizer_is_given_then_all_that_it_spells_is_legal(random_trocr):
    from transformers import AutoTokenizer

    constraint = anything(AutoTokenizer.from_pretrained(random_trocr))

    assert constraint.is_code("LOT 4711")
    assert not constraint.is_code("\N{SNOWMAN}")
