"""Random texts of a format: a `Constraint` -> strings that it accepts, all lengths alike."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from stages.formats import Constraint, compile_format
from stages.notation import MAX_LENGTH

LOOK_ALIKES = frozenset("O0QDI1lS5B8Z2G6")
"""Characters that readers of industrial marks take for one another."""


class Language:
    """The texts that a constraint accepts, of the given characters and lengths.

    Raises:
        ValueError: no text of these characters and lengths is accepted.
    """

    def __init__(
        self, constraint: Constraint, alphabet: Collection[str], max_length: int = MAX_LENGTH
    ) -> None:
        self._start = constraint.start
        self._arcs = [
            [(char, to) for char, to in zip(chars, targets, strict=True) if char in alphabet]
            for chars, targets in constraint.transitions
        ]
        self._remaining = self._count(constraint)
        lengths = self._remaining[constraint.start]
        self._lengths = [
            length for length in range(1, min(max_length, MAX_LENGTH) + 1) if lengths >> length & 1
        ]
        if not self._lengths:
            raise ValueError(
                f"format '{constraint.pattern}': no text of 1 to {max_length} characters of the "
                "training alphabet matches it"
            )
        self._choices: dict[tuple[int, int], list[tuple[str, int]]] = {}

    @classmethod
    def of(cls, pattern: str, alphabet: Collection[str], max_length: int = MAX_LENGTH) -> Language:
        """The language of a pattern in the notation of `stages/notation.py`."""
        return cls(compile_format(pattern), alphabet, max_length)

    def _count(self, constraint: Constraint) -> list[int]:
        """Per state the lengths of texts from there to an end, as bits of an integer."""
        remaining = [0] * len(self._arcs)
        done: set[int] = set()
        stack = [(constraint.start, False)]
        while stack:
            state, is_after = stack.pop()
            if is_after:
                bits = int(constraint.is_accepting(state))
                for _, target in self._arcs[state]:
                    bits |= remaining[target] << 1
                remaining[state] = bits
            elif state not in done:
                done.add(state)
                stack.append((state, True))
                stack.extend((to, False) for _, to in self._arcs[state] if to not in done)
        return remaining

    def sample(self, rng: np.random.Generator, look_alikes: float = 0.0) -> str:
        """A text; `look_alikes` is how often a character is drawn again to be such a one."""
        random = rng.random
        length = self._lengths[int(random() * len(self._lengths))]
        state = self._start
        text = []
        for left in range(length, 0, -1):
            choices = self._choices.get((state, left))
            if choices is None:
                choices = self._choices[state, left] = [
                    arc for arc in self._arcs[state] if self._remaining[arc[1]] >> (left - 1) & 1
                ]
            char, target = choices[int(random() * len(choices))]
            if look_alikes and char not in LOOK_ALIKES and random() < look_alikes:
                char, target = choices[int(random() * len(choices))]
            text.append(char)
            state = target
        return "".join(text)
