"""A field's format, compiled: a `Constraint`, the automaton over characters that a code must obey.

Placeholder until written.
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Constraint:
    pattern: str
