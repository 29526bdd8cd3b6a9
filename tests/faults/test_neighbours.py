"""The bad pictures of a block stand where they are followed by good ones."""

from __future__ import annotations

import itertools

import pytest
from faults.neighbours import _share


@pytest.mark.parametrize(("places", "others"), [(400, 1), (400, 4), (200, 61), (10, 10), (7, 3)])
def test_share_when_others_come_among_good_ones_then_each_once_and_the_first_at_once(
    places: int, others: int
) -> None:
    names = list(range(others))
    at = [names[_share(place, places, others)] for place in range(places)]
    assert list(itertools.chain.from_iterable(at)) == names
    assert at[0] == names[:1]
    last = max(place for place, found in enumerate(at) if found)
    assert places - last >= places // others
