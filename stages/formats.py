"""A field's format, compiled: a `Constraint`, the automaton over characters that a code must obey.

It knows no tokenizer: a recogniser compiles its own token masks from it. A code has at most
`MAX_LENGTH` characters, so every language here is finite and its automaton has no cycles.
How a pattern becomes an automaton is in `stages/automaton.py`, the notation of patterns in
`stages/notation.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Protocol

from stages.automaton import Transitions, determinised
from stages.notation import MAX_LENGTH


class Check(Protocol):
    """What a text of the format must satisfy beside it, such as a check digit. Hashable."""

    def complaint(self, text: str, constraint: Constraint) -> str | None:
        """Why a text of the constraint's format is no code, in words; None where it may be one."""
        ...

    def covered(self, text: str, constraint: Constraint) -> frozenset[int]:
        """The places, from 0, of a legal text's characters in which it shows most misreadings."""
        ...


@dataclass(frozen=True, slots=True)
class Constraint:
    """A minimal deterministic automaton; states are integers, every state can reach an end.

    The automaton alone steers a decoder; `checks` hold of a whole text, and only `complaint` asks
    them. Pattern, lengths and checks determine what is a code, so they alone make equality and
    hash.
    """

    pattern: str
    min_length: int
    max_length: int
    transitions: Transitions = field(compare=False, repr=False)
    accepting: frozenset[int] = field(compare=False, repr=False)
    checks: tuple[Check, ...] = ()

    start: ClassVar[int] = 0

    @property
    def alphabet(self) -> frozenset[str]:
        """Every character that occurs in some legal text."""
        return frozenset().union(*(symbols for symbols, _ in self.transitions))

    def allowed(self, state: int) -> str:
        """The characters that may come next, sorted; empty where every text must end."""
        return self.transitions[state][0]

    def step(self, state: int, char: str) -> int | None:
        """The state after one character; None where the format forbids it."""
        symbols, targets = self.transitions[state]
        index = symbols.find(char) if len(char) == 1 else -1
        return None if index < 0 else targets[index]

    def is_accepting(self, state: int) -> bool:
        """Whether a text may end here."""
        return state in self.accepting

    def accepts(self, text: str) -> bool:
        """Whether the whole text is of the format; its checks are not asked."""
        state: int | None = self.start
        for char in text:
            state = self.step(state, char)
            if state is None:
                return False
        return self.is_accepting(state)

    def complaint(self, text: str) -> str | None:
        """The first of the checks that a text of the format does not pass, in words."""
        for check in self.checks:
            if words := check.complaint(text, self):
                return words
        return None

    def covered(self, text: str) -> frozenset[int]:
        """The places, from 0, of a legal text's characters that some check covers."""
        return frozenset().union(*(each.covered(text, self) for each in self.checks))

    def is_code(self, text: str) -> bool:
        """Whether the whole text is of the format and passes the checks."""
        return self.accepts(text) and self.complaint(text) is None

    def segments(self, text: str) -> dict[str, str]:
        """The named segments of a legal text, without those that took no part in the match.

        Raises:
            ValueError: the text is not legal.
        """
        return {name: text[first:end] for name, (first, end) in self.spans(text).items()}

    def spans(self, text: str) -> dict[str, tuple[int, int]]:
        """Where the named segments of a legal text begin and end, as for a slice; see `segments`.

        Raises:
            ValueError: the text is not legal.
        """
        match = self._match(text)
        return {name: match.span(name) for name in match.groupdict() if match[name] is not None}

    def segment_names(self, text: str) -> tuple[str | None, ...]:
        """For each character of a legal text the named segment that it stands in, the inmost.

        Raises:
            ValueError: the text is not legal.
        """
        spans = sorted(self.spans(text).items(), key=lambda each: each[1][0] - each[1][1])
        names: list[str | None] = [None] * len(text)
        for name, (first, end) in spans:
            # longest first, so that what stands inside another comes over it
            names[first:end] = [name] * (end - first)
        return tuple(names)

    def _match(self, text: str) -> re.Match[str]:
        match = re.fullmatch(self.pattern, text, re.ASCII) if self.accepts(text) else None
        if match is None:
            raise ValueError(f"{text!r} does not match the format '{self.pattern}'")
        return match


@lru_cache(maxsize=256)
def compile_format(
    pattern: str, length: tuple[int, int] | None = None, checks: tuple[Check, ...] = ()
) -> Constraint:
    """Compile a format, and optionally the least and the most characters, to a constraint.

    `checks` are kept with it; whether any text can pass them is not tried.

    Raises:
        ValueError: not in the notation, too complicated, or nothing can match; one line with the
            position (from 1) and what to write instead.
    """
    least, most = length or (0, MAX_LENGTH)
    most = min(most, MAX_LENGTH)
    transitions, accepting = determinised(pattern, least, most)
    lengths = _lengths(transitions, accepting)
    if max(lengths, default=0) == 0:
        span = f"{most}" if least == most else f"{max(least, 1)} to {most}"
        raise ValueError(f"format '{pattern}': no text of {span} characters can match it")
    return Constraint(pattern, min(lengths), max(lengths), transitions, accepting, checks)


def overlap(one: Constraint, other: Constraint, ignored: str = "") -> bool:
    """Whether a text of one format, without the `ignored` characters, is one of another."""
    seen = {(one.start, other.start)}
    stack = list(seen)
    while stack:
        here, there = stack.pop()
        if one.is_accepting(here) and other.is_accepting(there):
            return True
        for char in one.allowed(here):
            state = one.step(here, char)
            after = there if char in ignored else other.step(there, char)
            if state is not None and after is not None and (state, after) not in seen:
                seen.add((state, after))
                stack.append((state, after))
    return False


def character_set(chars: Iterable[str]) -> str:
    """Characters in the notation of a set: `[0-9A-F]`."""
    runs: list[str] = []
    for char in sorted(set(chars)):
        if runs and ord(char) == ord(runs[-1][-1]) + 1:
            runs[-1] += char
        else:
            runs.append(char)
    shown = []
    for run in runs:
        first, last = ("\\" + end if end in "[]\\^-" else end for end in (run[0], run[-1]))
        shown.append(first if len(run) == 1 else first + "-" * (len(run) > 2) + last)
    return f"[{''.join(shown)}]"


def _lengths(transitions: Transitions, accepting: frozenset[int]) -> list[int]:
    """The lengths that legal texts have."""
    found = []
    level, length = {0} if transitions else set(), 0
    while level:
        if level & accepting:
            found.append(length)
        level = {target for state in level for target in transitions[state][1]}
        length += 1
    return found
