"""Figures: their peers, ratios and targets; turns."""

from __future__ import annotations

import pytest

from flows.bench.figure import Figure, Target, interleaved, ratio, verdict


def figure(series: str, *samples: float, **more) -> Figure:
    return Figure("part", series, "ms", samples, **more)


def test_ratio_when_samples_were_taken_in_pairs_then_is_the_median_of_theirs():
    peer = figure("peer", 1, 10, 100)
    mine = figure("mine", 2, 30, 100, peer="peer", paired=True)

    found = ratio(mine, [peer, mine])

    assert (found.median, found.low, found.high) == (2, 1.5, 2.5)


def test_ratio_when_not_in_pairs_then_is_that_of_the_medians():
    peer = figure("peer", 1, 10, 100, 5)
    mine = figure("mine", 15, 30, 60, peer="peer", paired=True)

    assert ratio(mine, [peer, mine]).median == 30 / 7.5


def test_ratio_when_figures_lie_along_an_axis_then_the_peer_at_that_place_is_taken():
    peers = [figure("peer", 10 * at, axis="rows", at=at) for at in (1, 2)]
    level = figure("peer", 5)
    here = figure("mine", 60, axis="rows", at=2, peer="peer")
    first = figure("peer", 30, axis="rows", at=3, peer="peer", peer_at=1)

    assert ratio(here, [level, *peers, here]).median == 3
    assert ratio(here, [level, peers[0], here]).median == 12
    assert ratio(first, [*peers, first]).median == 3
    assert ratio(here, [here]) is None


def test_ratio_when_the_unit_or_the_part_is_another_then_there_is_none():
    mine = figure("mine", 1, peer="peer")
    assert (
        ratio(mine, [Figure("part", "peer", "s", (1,)), Figure("other", "peer", "ms", (1,))])
        is None
    )


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("ratio", at_least=2), True),
        (Target("ratio", at_least=2.1), False),
        (Target("ratio", at_most=1.9), False),
        (Target("value", at_most=8), True),
        (Target("value", at_most=7.9), False),
        (None, None),
    ],
)
def test_verdict_when_asked_then_ratio_or_value_is_held_to_the_target(target, met):
    peer, mine = figure("peer", 4), figure("mine", 8, peer="peer", target=target)
    assert verdict(mine, [peer, mine]) is met


def test_verdict_when_the_peer_was_not_measured_then_says_nothing():
    mine = figure("mine", 8, peer="peer", target=Target("ratio", at_most=1))
    assert verdict(mine, [mine]) is None


def test_figure_when_nothing_was_measured_then_is_refused():
    with pytest.raises(ValueError, match="part, mine: nothing was measured"):
        figure("mine")


def test_interleaved_when_measured_then_all_take_turns_and_the_first_round_is_left_out():
    calls = []

    def contender(name):
        def measure() -> float:
            calls.append(name)
            return len(calls)

        return measure

    taken = interleaved(2, {"a": contender("a"), "b": contender("b")})

    assert calls == ["a", "b"] * 3
    assert taken == {"a": (3, 5), "b": (4, 6)}
