"""A format's pattern -> the minimal deterministic automaton of the texts that it matches.

Method: Thompson's construction and the subset construction (Aho, Lam, Sethi, Ullman, Compilers,
2nd ed., 3.7), then minimisation of the acyclic automaton from its ends (Revuz, 1992).
"""

from __future__ import annotations

from collections.abc import Iterable

from stages.notation import Characters, Choice, Node, Repeat, Sequence, parse_format

Transitions = tuple[tuple[str, tuple[int, ...]], ...]
"""Per state the characters allowed there, sorted, and for each of them the next state."""

_MAX_STATES = 10_000


def determinised(pattern: str, least: int, most: int) -> tuple[Transitions, frozenset[int]]:
    """The states from 0, the start, with what leads on from each, and those where a text may end.

    Texts have `least` to `most` characters; without states, nothing matches.

    Raises:
        ValueError: the pattern is not in the notation, or too complicated.
    """
    automaton = _Nfa(pattern)
    final = automaton.add(parse_format(pattern), automaton.new())
    return _number(*_minimise(automaton, final, least, most))


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
