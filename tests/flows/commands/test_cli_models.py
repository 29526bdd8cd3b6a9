"""The commands that measure and train: options that would count for nothing are refused."""

from __future__ import annotations

import pytest
from commands import invoke


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "run", "--font", "mine.ttf"), "go with `--labels`; add `--labels LABELS.csv`"),
    ],
)
def test_command_when_an_option_would_count_for_nothing_then_refused_in_one_line(arguments, words):
    done = invoke(*arguments)

    assert done.returncode == 78
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
