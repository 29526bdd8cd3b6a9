"""Times and ranges that people type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from made import MORNING

from flows.commands.moments import moment, span
from stages.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T08:00", MORNING),
        ("2026-11-20T08:00Z", MORNING),
        ("2026-11-20T09:00+01:00", MORNING),
        ("90m", MORNING - timedelta(minutes=90)),
        ("1.5h", MORNING - timedelta(minutes=90)),
        ("2d", MORNING - timedelta(days=2)),
    ],
)
def test_moment_when_written_in_a_known_way_then_is_in_utc(text, expected):
    assert moment(text, MORNING) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "90", "5 minutes", "99999999999999d", "2026-13-01"]
)
def test_moment_when_it_is_no_time_then_says_how_to_write_one(text):
    with pytest.raises(ConfigError, match="is no time: write"):
        moment(text, MORNING)


def test_span_when_given_then_includes_both_ends():
    assert span("3-7") == (2, 7)
    assert span(" 5 ") == (4, 5)


@pytest.mark.parametrize("text", ["", "0", "7-3", "-3", "a-b", "1-"])
def test_span_when_it_is_none_then_says_how_to_write_one(text):
    with pytest.raises(ConfigError, match="is no range of seq: write"):
        span(text)
