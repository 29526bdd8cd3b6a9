"""The CTC head: states of patches in, guesses and probabilities of texts out."""

import itertools

import pytest
import torch

from stages.recognisers.draft import CtcHead, CtcWeights

BLANK, END, A, B = 0, 1, 2, 3


def head(grid=(1, 4), weight=None, bias=None):
    weights = CtcWeights(
        torch.eye(4) if weight is None else weight, torch.zeros(4) if bias is None else bias
    )
    return CtcHead(weights, grid, BLANK, frozenset({END}), torch.device("cpu"))


def path(*classes):
    """States of a line whose columns are these classes, for a head that passes them through."""
    return 20.0 * torch.nn.functional.one_hot(torch.tensor([classes]), 4)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([A, A, B, B], [A, B]),
        ([A, BLANK, A, A], [A, A]),
        ([BLANK, BLANK, BLANK, BLANK], []),
        ([END, A, END, B], [A, B]),
        ([A, END, A, BLANK], [A, A]),
    ],
)
def test_drafts_when_runs_blanks_and_silent_tokens_then_only_the_text(classes, expected):
    reader = head()

    assert reader.drafts(reader.log_probabilities(path(*classes))) == [expected]


def test_log_probabilities_when_rows_of_patches_then_their_mean_and_class_tokens_are_left_out():
    weight, bias = torch.randn(4, 5), torch.randn(4)
    states = torch.randn(3, 2 + 6, 5)

    out = head((2, 3), weight, bias).log_probabilities(states)

    above, below = states[:, 2:5], states[:, 5:]
    expected = (((above + below) / 2) @ weight.T + bias).log_softmax(-1)
    torch.testing.assert_close(out, expected)


def test_probabilities_when_any_text_then_the_sum_over_its_paths():
    reader = head()
    chances = reader.log_probabilities(torch.randn(1, 4, 4) * 2)

    def collapsed(classes):
        return [each for each, _ in itertools.groupby(classes) if each != BLANK]

    for text in ([A], [A, A], [A, B], [], [A, B, A, B]):
        expected = sum(
            float(sum(chances[0, at, each] for at, each in enumerate(classes)).exp())
            for classes in itertools.product(range(4), repeat=4)
            if collapsed(classes) == text
        )
        assert reader.probabilities(chances, [text]) == [pytest.approx(expected, abs=1e-6)]


def test_probabilities_when_a_text_cannot_be_spelt_then_nothing():
    reader = head()
    chances = reader.log_probabilities(torch.randn(3, 4, 4))

    # three of one need five columns, and the blank is no text
    out = reader.probabilities(chances, [[A, A, A], [A, BLANK], [A]])

    assert out[:2] == [0.0, 0.0]
    assert 0 < out[2] < 1
