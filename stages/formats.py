"""A field's format, compiled: a `Constraint`, the automaton over characters that a code must obey.

It knows no tokenizer: a recogniser compiles its own token masks from it. A code has at most
`MAX_LENGTH` characters, so every language here is finite and its automaton has no cycles.
Method: Thompson's construction and the subset construction (Aho, Lam, Sethi, Ullman, Compilers,
2nd ed., 3.7), then minimisation of the acyclic automaton from its ends (Revuz, 1992). The
notation of patterns is in `stages/notation.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Protocol

from stages.notation import MAX_LENGTH, Characters, Choice, Node, Repeat, Sequence, parse_format

Transitions = tuple[tuple[str, tuple[int, ...]], ...]
"""Per state the characters allowed there, sorted, and for each of them the next state."""

_MAX_STATES = 10_000


class Check(Protocol):
    """What a text of the format must satisfy beside it, such as a check digit. Hashable."""

    def complaint(self, text: str, constraint: Constraint) -> str | None:
        """Why a text of the constraint's format is no code, in words; None where it may be one."""
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

    def is_code(self, text: str) -> bool:
        """Whether the whole text is of the format and passes the checks."""
        return self.accepts(text) and self.complaint(text) is None

    def segments(self, text: str) -> dict[str, str]:
        """The named segments of a legal text, without those that took no part in the match.

        Raises:
            ValueError: the text is not legal.
        """
        found = self._match(text).groupdict().items()
        return {name: part for name, part in found if part is not None}

    def segment_names(self, text: str) -> tuple[str | None, ...]:
        """For each character of a legal text the named segment that it stands in, the inmost.

        Raises:
            ValueError: the text is not legal.
        """
        match = self._match(text)
        spans = sorted(
            ((match.span(name), name) for name in match.groupdict()),
            key=lambda each: each[0][0] - each[0][1],
        )
        names: list[str | None] = [None] * len(text)
        for (first, end), name in spans:
            # longest first, so that what stands inside another comes over it
            names[max(first, 0) : max(end, 0)] = [name] * (end - first)
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
    automaton = _Nfa(pattern)
    final = automaton.add(parse_format(pattern), automaton.new())
    transitions, accepting = _number(*_minimise(automaton, final, least, most))
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


class _Nfa:
    """Thompson's automaton: per state its edges on sets of characters, and its empty moves."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.edges: list[list[tuple[frozenset[str], int]]] = []
        self.empty: list[list[int]] = []

    def limit(self, states: int) -> None:
        if states > _MAX_STATES:
            raise ValueError(f"format '{self.pattern}' is too complicated; repeat or choose less")

    def new(self) -> int:
        self.edges.append([])
        self.empty.append([])
        self.limit(len(self.edges))
        return len(self.edges) - 1

    def add(self, node: Node, start: int) -> int:
        """Append what `node` matches after `start`; return the state where it ends."""
        match node:
            case Characters(chars):
                end = self.new()
                self.edges[start].append((chars, end))
                return end
            case Sequence(parts):
                for part in parts:
                    start = self.add(part, start)
                return start
            case Choice(parts):
                ends = [self.add(part, start) for part in parts]
            case Repeat(part, low, high):
                for _ in range(low):
                    start = self.add(part, start)
                if high is None:
                    loop = self.new()
                    self.empty[start].append(loop)
                    self.empty[self.add(part, loop)].append(loop)
                    return loop
                ends = [start]
                for _ in range(high - low):
                    ends.append(self.add(part, ends[-1]))
        end = self.new()
        for each in ends:
            self.empty[each].append(end)
        return end

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        seen = set(states)
        stack = list(seen)
        while stack:
            for state in self.empty[stack.pop()]:
                if state not in seen:
                    seen.add(state)
                    stack.append(state)
        return frozenset(seen)

    def moves(self, states: frozenset[int]) -> dict[str, frozenset[int]]:
        targets: dict[str, set[int]] = {}
        for state in states:
            for chars, target in self.edges[state]:
                for char in chars:
                    targets.setdefault(char, set()).add(target)
        frozen = {char: frozenset(each) for char, each in targets.items()}
        closures = {each: self.closure(each) for each in set(frozen.values())}
        return {char: closures[each] for char, each in frozen.items()}


_State = tuple[bool, str, tuple[int, ...]]
"""Whether a text may end here, the characters that may follow, and where they lead."""


def _minimise(automaton: _Nfa, final: int, least: int, most: int) -> tuple[list[_State], int]:
    """Determinise, counting characters, and merge equal states from the ends; states and start.

    The start is -1 where nothing matches.
    """
    start = automaton.closure([0])
    levels: list[set[frozenset[int]]] = [{start}]
    moves: dict[frozenset[int], dict[str, frozenset[int]]] = {}
    size = 1
    for _ in range(most):
        level: set[frozenset[int]] = set()
        for subset in levels[-1]:
            if subset not in moves:
                moves[subset] = automaton.moves(subset)
            level.update(moves[subset].values())
        levels.append(level)
        size += len(level)
        automaton.limit(size)
    numbers: dict[_State, int] = {}
    after: dict[frozenset[int], int] = {}
    for length in range(most, -1, -1):
        here: dict[frozenset[int], int] = {}
        for subset in levels[length]:
            arcs = moves[subset] if length < most else {}
            alive = sorted((char, after[to]) for char, to in arcs.items() if to in after)
            ends = length >= least and final in subset
            if alive or ends:
                symbols = "".join(char for char, _ in alive)
                state = (ends, symbols, tuple(target for _, target in alive))
                here[subset] = numbers.setdefault(state, len(numbers))
        after = here
    return list(numbers), after.get(start, -1)


def _number(states: list[_State], start: int) -> tuple[Transitions, frozenset[int]]:
    """Keep what the start reaches, numbered from 0 in the order of a breadth-first walk."""
    order = [start] if start >= 0 else []
    numbers = {state: index for index, state in enumerate(order)}
    for state in order:
        for target in states[state][2]:
            if target not in numbers:
                numbers[target] = len(order)
                order.append(target)
    transitions = tuple(
        (states[state][1], tuple(numbers[target] for target in states[state][2])) for state in order
    )
    return transitions, frozenset(numbers[state] for state in order if states[state][0])


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
