"""What may be read, before it is cleaned: the format with stripped characters and cases let in.

A recogniser sees `kx 204` where the code is `KX204`. Its automaton takes every character whose
clean form the format takes, and one stripped character between two others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from stages.formats import Constraint
from stages.map.clean import Case, cleaner


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The checks of a constraint, asked of the text once it is cleaned."""

    strip: str
    case: Case
    constraint: Constraint

    def complaint(self, text: str, _: Constraint) -> str | None:
        """Why the cleaned text is no code, in words; None where it is one."""
        return self.constraint.complaint("".join(map(cleaner(self.strip, self.case), text)))

    def covered(self, text: str, _: Constraint) -> frozenset[int]:
        """The places of the text whose clean characters some check covers."""
        clean = list(map(cleaner(self.strip, self.case), text))
        kept = [at for at, char in enumerate(clean) if char]
        return frozenset(kept[at] for at in self.constraint.covered("".join(clean)))


@lru_cache(maxsize=256)
def steering(constraint: Constraint, strip: str, case: Case) -> Constraint:
    """Widen a constraint over cleaned texts to one over texts as they are read.

    Its pattern is that of the code, for its name only: it has no segments.
    """
    clean = cleaner(strip, case)
    between = "".join(sorted(char for char in set(strip) if not clean(char)))
    states = len(constraint.transitions)
    transitions: list[tuple[str, tuple[int, ...]]] = []
    for after_stripped in (False, True):
        for state, (chars, targets) in enumerate(constraint.transitions):
            arcs = {
                variant: target
                for char, target in zip(chars, targets, strict=True)
                for variant in {char, char.lower(), char.upper()}
                if clean(variant) == char
            }
            if arcs and not after_stripped and state != constraint.start:
                arcs.update(dict.fromkeys(between, state + states))
            ordered = sorted(arcs.items())
            transitions.append(
                ("".join(char for char, _ in ordered), tuple(target for _, target in ordered))
            )
    return Constraint(
        pattern=constraint.pattern,
        min_length=constraint.min_length,
        max_length=constraint.max_length * 2 - 1,
        transitions=tuple(transitions),
        accepting=constraint.accepting,
        checks=(Cleaned(strip, case, constraint),),
    )
