"""The rule that sizes chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flows.chunks import chunk_size


@given(st.integers(1, 10_000), st.integers(1, 64), st.integers(1, 64))
def test_chunk_size_when_asked_then_is_between_one_and_the_limit(waiting, slots, limit):
    assert 1 <= chunk_size(waiting, slots, limit) <= limit


def test_chunk_size_when_idle_then_is_one_and_when_behind_then_is_the_limit():
    assert chunk_size(1, 2, 8) == 1
    assert chunk_size(3, 2, 8) == 1
    assert chunk_size(16, 2, 8) == 4
    assert chunk_size(500, 2, 8) == 8
