"""The automaton of a format: it agrees with Python's `re`, is minimal, finite and portable."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.formats import MAX_LENGTH, Constraint, character_set, compile_format, overlap

ATOMS = st.one_of(
    st.sampled_from(["A", "B", "0", "7", "-", r"\.", r"\d", r"\\", " ", "é"]),
    st.sampled_from(["[A-C]", "[AB0-3]", r"[\d-]", r"[-.\]]", "[B]", "[!-~]"]),
)


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    quantifiers = st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{,2}", "{1,}", "{0}"])
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.tuples(inner, quantifiers).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        inner.map(lambda part: f"({part}|)"),
    )


PATTERNS = st.recursive(ATOMS, _larger, max_leaves=6)


def _compiled(pattern: str) -> Constraint | None:
    try:
        return compile_format(pattern)
    except ValueError as error:
        assert "can match it" in str(error)
        return None


@settings(deadline=None)
@given(PATTERNS, st.lists(st.text(alphabet="ABC037-.]\\ é", max_size=6), max_size=8), st.data())
def test_constraint_when_any_pattern_then_agrees_with_re_fullmatch(pattern, texts, data):
    constraint = _compiled(pattern)
    legal = data.draw(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    for text in [*texts, legal]:
        expected = bool(re.fullmatch(pattern, text, re.ASCII)) and len(text) <= MAX_LENGTH
        assert (constraint is not None and constraint.accepts(text)) == (
            expected and (constraint is not None or text != "")
        )


@settings(deadline=None)
@given(PATTERNS)
def test_constraint_when_compiled_then_has_no_dead_end_and_no_cycle(pattern):
    constraint = _compiled(pattern)
    if constraint is None:
        return
    # A walk of the breadth-first numbering: every state is reached and every state can end.
    states = range(len(constraint.transitions))
    reached = {constraint.start}.union(*(targets for _, targets in constraint.transitions))
    assert reached == set(states)
    longest: dict[int, int] = {}

    def longest_from(state: int) -> int:
        if state not in longest:
            ends = [1 + longest_from(target) for target in constraint.transitions[state][1]]
            assert ends or constraint.is_accepting(state)
            longest[state] = max(ends, default=0)
        return longest[state]

    assert longest_from(constraint.start) == constraint.max_length <= MAX_LENGTH
    signatures = {
        (constraint.is_accepting(state), constraint.transitions[state]) for state in states
    }
    assert len(signatures) == len(states)


@settings(deadline=None)
@given(PATTERNS, st.text(alphabet="ABC037-. ", max_size=5))
def test_constraint_when_stepped_then_allows_exactly_the_characters_that_lead_on(pattern, text):
    constraint = _compiled(pattern)
    state = constraint.start if constraint else None
    for char in text:
        if state is None:
            break
        allowed = constraint.allowed(state)
        assert sorted(allowed) == list(allowed)
        following = constraint.step(state, char)
        assert (following is not None) == (char in allowed)
        state = following


@settings(deadline=None)
@given(st.integers(0, 5), st.integers(0, 5), st.text(alphabet="AB", max_size=7))
def test_constraint_when_length_is_given_then_it_is_intersected(first, second, text):
    low, high = sorted((first, second))
    try:
        constraint = compile_format("A*B?", (low, high))
    except ValueError:
        assert high == 0
        return
    assert constraint.accepts(text) == (
        bool(re.fullmatch("A*B?", text)) and low <= len(text) <= high
    )
    assert (constraint.min_length, constraint.max_length) == (low, high)


@pytest.mark.parametrize(
    ("pattern", "states", "shortest", "longest"),
    [
        ("[A-Z]{2}-\\d{4}", 8, 7, 7),
        ("^MW(-\\d{4}){1,2}$", 13, 7, 12),
        ("A|B|C", 2, 1, 1),
        ("(AX|BX|CX)Y?", 4, 2, 3),
        ("A+", MAX_LENGTH + 1, 1, MAX_LENGTH),
        ("(A?){64}", MAX_LENGTH + 1, 0, MAX_LENGTH),
    ],
)
def test_constraint_when_compiled_then_is_minimal(pattern, states, shortest, longest):
    constraint = compile_format(pattern)
    assert len(constraint.transitions) == states
    assert (constraint.min_length, constraint.max_length) == (shortest, longest)


@pytest.mark.parametrize("pattern", ["()", "A{0}", "A{40}B{40}"])
def test_compile_format_when_no_code_can_match_then_refused(pattern):
    with pytest.raises(ValueError, match="no text of 1 to 64 characters can match it"):
        compile_format(pattern)


def test_compile_format_when_length_excludes_all_then_refused():
    with pytest.raises(ValueError, match=r"'A\{3\}': no text of 5 characters can match it"):
        compile_format("A{3}", (5, 5))


@pytest.mark.parametrize("pattern", ["(A|B)*A(A|B){14}", "((A{64}){64}){64}"])
def test_compile_format_when_automaton_explodes_then_refused(pattern):
    with pytest.raises(ValueError, match="too complicated"):
        compile_format(pattern)


def test_digits_when_not_ascii_then_illegal():
    assert compile_format(r"\d").accepts("7")
    assert not compile_format(r"\d").accepts("\N{ARABIC-INDIC DIGIT SEVEN}")


def test_step_when_given_no_single_character_then_none():
    constraint = compile_format("[AB]C")
    assert constraint.step(constraint.start, "") is None
    assert constraint.step(constraint.start, "AB") is None


def test_segments_when_named_then_split_and_absent_ones_left_out():
    constraint = compile_format(r"(?P<line>[A-Z]{2})(?P<lot>\d+)(-(?P<shift>[12]))?")
    assert constraint.segments("KX204-1") == {"line": "KX", "lot": "204", "shift": "1"}
    assert constraint.segments("KX204") == {"line": "KX", "lot": "204"}


def test_segments_when_illegal_then_value_error():
    with pytest.raises(ValueError, match="'K204' does not match"):
        compile_format(r"(?P<line>[A-Z]{2})\d+").segments("K204")


def test_constraint_when_pickled_then_equal_and_hashes_alike():
    constraint = compile_format(r"[A-Z]{2}\d{3}", (5, 5))
    copy = pickle.loads(pickle.dumps(constraint))
    assert copy == constraint
    assert hash(copy) == hash(constraint)
    assert copy.accepts("KX204")
    assert copy != compile_format(r"[A-Z]{2}\d{4}")


def test_alphabet_when_asked_then_only_characters_of_legal_texts():
    assert compile_format("[A-C]D?", (1, 1)).alphabet == frozenset("ABC")


@settings(deadline=None)
@given(st.sets(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_character_set_when_compiled_then_gives_the_characters_back(chars):
    assert compile_format(character_set(chars)).alphabet == chars


def test_character_set_when_shown_then_has_ranges():
    assert character_set("0123456789ABZ-") == r"[\-0-9ABZ]"


class NoSevens:
    """A check that knows its constraint."""

    def complaint(self, text, constraint):
        return f"{text} of {constraint.pattern} has a 7" if "7" in text else None


def test_check_when_a_text_does_not_pass_then_it_is_of_the_format_but_no_code():
    checked = compile_format(r"\d{2}", None, (NoSevens(),))
    assert checked.accepts("17")
    assert checked.complaint("17") == r"17 of \d{2} has a 7"
    assert not checked.is_code("17")
    assert checked.is_code("18")
    assert not checked.is_code("1")
    assert compile_format(r"\d{2}").is_code("17")
    assert checked != compile_format(r"\d{2}")


@pytest.mark.parametrize(
    ("pattern", "text", "names"),
    [
        (r"(?P<a>[A-Z]{2})-(?P<n>\d)", "KX-1", ["a", "a", None, "n"]),
        (r"(?P<all>K(?P<in>\d{2})X)", "K12X", ["all", "in", "in", "all"]),
        (r"K(?P<end>\d)?", "K", [None]),
        (r"KX", "KX", [None, None]),
    ],
)
def test_segment_names_when_segments_nest_then_the_inmost_counts(pattern, text, names):
    assert list(compile_format(pattern).segment_names(text)) == names


@settings(deadline=None)
@given(PATTERNS, PATTERNS, st.sampled_from(["", "-", "-."]))
def test_overlap_when_two_formats_then_as_their_texts_say(first, second, ignored):
    one, other = _compiled(first), _compiled(second)
    if one is None or other is None:
        return
    short = [text for text in _texts_of(one) if len(text) <= 6]
    meet = any(other.accepts("".join(c for c in text if c not in ignored)) for text in short)
    if meet:
        assert overlap(one, other, ignored)
    elif one.max_length <= 6 and len(short) < _MOST_TEXTS:
        assert not overlap(one, other, ignored)


_MOST_TEXTS = 3000


def _texts_of(constraint: Constraint) -> list[str]:
    """The shortest legal texts."""
    level, found = [("", constraint.start)], []
    for _ in range(7):
        found += [text for text, state in level if constraint.is_accepting(state)]
        level = [
            (text + char, target)
            for text, state in level
            for char, target in zip(*constraint.transitions[state], strict=True)
        ][:_MOST_TEXTS]
    return found[:_MOST_TEXTS]
