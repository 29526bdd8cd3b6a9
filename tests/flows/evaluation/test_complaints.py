"""Complaints: a screenful in full, and how many more there are."""

from __future__ import annotations

import pytest

from flows.evaluation.complaints import SHOWN, Complaints, shortened


@pytest.mark.parametrize("many", [0, 1, SHOWN])
def test_complaints_when_few_then_all_are_said(many):
    words = [f"row {number}" for number in range(many)]
    assert shortened(words) == words


def test_complaints_when_many_then_the_first_and_the_number_of_the_others():
    said = shortened([f"row {number}" for number in range(SHOWN + 480)])
    assert said[:SHOWN] == [f"row {number}" for number in range(SHOWN)]
    assert said[SHOWN:] == [f"and 480 more like these, {SHOWN + 480} in all"]


def test_complaints_when_found_then_said_at_once_and_counted_to_the_end():
    said = []
    complain = Complaints(said.append)
    complain("one")
    assert said == ["one"]
    for _ in range(SHOWN):
        complain("more")
    assert (len(said), complain.count) == (SHOWN, SHOWN + 1)
