"""What the notation of formats refuses: every refusal names its position and the way out."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats import compile_format
from stages.notation import parse_format, segment_patterns


@pytest.mark.parametrize(
    ("pattern", "position", "remedy"),
    [
        ("AB.", 3, r"write \."),
        ("[^A]", 2, r"write \^"),
        (r"\w{3}", 2, "as in [A-Z0-9]"),
        (r"(A)\1", 5, "as in [A-Z0-9]"),
        ("A\\", 2, r"write \\"),
        ("(AB", 1, r"write \("),
        ("AB)", 3, r"write \)"),
        ("[AB", 1, r"write \["),
        ("A[]", 2, "the set is empty"),
        ("[A-", 1, "is not closed"),
        ("[9-0]", 2, "runs backwards"),
        (r"[\d-A]", 2, "end of a range"),
        ("[[A]", 2, r"write \["),
        ("[A--]", 4, r"write \-"),
        ("[A&&B]", 3, r"write \&"),
        ("AB]", 3, r"write \]"),
        ("A{x}", 2, r"write \{"),
        ("A{3,2}", 2, "3 is more than 2"),
        ("A{65}", 2, "at most 64 characters"),
        ("A**", 3, "put the first in a group"),
        ("A+?", 3, "put the first in a group"),
        ("*A", 1, r"write \*"),
        ("(+A)", 2, r"write \+"),
        ("A^", 2, r"write \^"),
        ("A$B", 2, r"write \$"),
        ("(A$)", 3, r"write \$"),
        ("(?=A)", 1, "(?P<name>...)"),
        ("(?P<lot A)", 5, "(?P<lot>...)"),
        ("(?P<1>A)", 5, "(?P<lot>...)"),
        ("(?P<a>A)(?P<a>B)", 13, "second segment is named 'a'"),
        ("AB\n", 3, "U+000A cannot be printed"),
        ("[\x01-\x7f]", 2, "cannot be printed"),
        ("[!-\N{MATHEMATICAL BOLD CAPITAL A}]", 2, "more than 1000 characters"),
        ("(" * 51 + "A" + ")" * 51, 51, "inside each other"),
    ],
)
def test_notation_when_unsupported_then_says_where_and_what_instead(pattern, position, remedy):
    with pytest.raises(ValueError, match="format") as caught:
        parse_format(pattern)
    message = str(caught.value)
    assert f"position {position}:" in message
    assert remedy in message
    assert "\n" not in message


def test_notation_when_empty_then_refused():
    with pytest.raises(ValueError, match="leave it out"):
        parse_format("")


@settings(deadline=None)
@given(
    st.text(alphabet="AB09[](){}|?*+\\d,-^$&~:P<>a ", max_size=12),
    st.lists(st.text(alphabet="AB09-d,", max_size=5), max_size=5),
)
def test_notation_when_accepted_then_means_what_python_means(pattern, texts):
    try:
        parse_format(pattern)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = re.compile(pattern, re.ASCII)
    try:
        constraint = compile_format(pattern)
    except ValueError:
        assert not any(compiled.fullmatch(text) for text in texts if text)
        return
    for text in texts:
        assert constraint.accepts(text) == bool(compiled.fullmatch(text))


def test_segment_patterns_when_named_then_each_is_a_format_of_its_own():
    pattern = r"(?P<maker>[A-Z]{2}|X)-(?P<number>\d(?P<last>[AB])?)"
    assert segment_patterns(pattern) == {
        "maker": "[A-Z]{2}|X",
        "number": r"\d(?P<last>[AB])?",
        "last": "[AB]",
    }
    assert compile_format(segment_patterns(pattern)["maker"]).accepts("X")
    assert segment_patterns("AB") == {}
