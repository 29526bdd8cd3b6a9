"""The rule that sizes chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from made import image

from flows.chunks import Waiting, chunk_size, light_enough


@given(st.integers(1, 10_000), st.integers(1, 64), st.integers(1, 64))
def test_chunk_size_when_asked_then_is_between_one_and_the_limit(waiting, slots, limit):
    assert 1 <= chunk_size(waiting, slots, limit) <= limit


def test_chunk_size_when_idle_then_is_one_and_when_behind_then_is_the_limit():
    assert chunk_size(1, 2, 8) == 1
    assert chunk_size(3, 2, 8) == 1
    assert chunk_size(16, 2, 8) == 4
    assert chunk_size(500, 2, 8) == 8


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20), st.integers(0, 300))
def test_light_enough_when_given_files_then_takes_the_first_that_fit_and_always_one(sizes, limit):
    waiting = [Waiting(image(number, size=size), 0) for number, size in enumerate(sizes)]
    taken = light_enough(waiting, limit)
    assert list(taken) == waiting[: len(taken)]
    assert len(taken) == 1 or sum(sizes[: len(taken)]) <= limit
    assert len(taken) == len(sizes) or sum(sizes[: len(taken) + 1]) > limit
