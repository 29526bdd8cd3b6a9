"""Trim: characters are dropped from one end until an anchor stands where it must.

A frame or a scratch beside a mark is read as characters. Where a code has a part that never changes
at a known place, such as the `25` at position -11 of a turned part's number, it tells where the
code ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, field_validator

from stages.formats import Constraint
from stages.map.clean import Position
from stages.notation import MAX_LENGTH
from stages.options import Options


class Anchor(Options):
    """A part that never changes, and where it stands."""

    anchor: str = Field(
        min_length=1, max_length=MAX_LENGTH, description="the characters, after strip and case"
    )
    position: int = Field(
        ge=-MAX_LENGTH,
        le=MAX_LENGTH,
        description="where its first character stands: 1 is the code's first character, and "
        "characters are dropped from the start; -1 its last, and they are dropped from the end",
    )

    @field_validator("position")
    @classmethod
    def _within(cls, position: int) -> int:
        if position == 0:
            raise ValueError("positions count from 1, or from -1 at the end")
        return position

    def can_occur(self, constraint: Constraint) -> bool:
        """Whether a code of the format has the anchor there."""
        if self.position > 0:
            states = _after({constraint.start}, self.position - 1, constraint)
            return bool(self._walk(states, constraint))
        states = self._walk(set(range(len(constraint.transitions))), constraint)
        ends = _after(states, -self.position - len(self.anchor), constraint)
        return any(map(constraint.is_accepting, ends))

    def _walk(self, states: set[int], constraint: Constraint) -> set[int]:
        """Where the anchor leads from any of these states."""
        for char in self.anchor:
            states = {to for state in states if (to := constraint.step(state, char)) is not None}
        return states

    def fits_before_the_end(self) -> bool:
        """Whether the anchor's last character still lies within the code."""
        return self.position > 0 or len(self.anchor) <= -self.position


def trimmed(positions: Sequence[Position], anchor: Anchor) -> tuple[Position, ...]:
    """Drop as few positions as possible; all are kept where the anchor is not found.

    A character that was read as the anchor's goes before one that the engine only held possible or
    that looks like it, so a misread anchor is found as well.
    """
    for matches in (_reads, _may_read):
        for dropped in range(len(positions)):
            if anchor.position > 0:
                left = positions[dropped:]
                start = anchor.position - 1
            else:
                left = positions[: len(positions) - dropped]
                start = len(left) + anchor.position
            place = left[start : start + len(anchor.anchor)] if start >= 0 else ()
            if len(place) == len(anchor.anchor) and all(
                matches(position, char) for position, char in zip(place, anchor.anchor, strict=True)
            ):
                return tuple(left)
    return tuple(positions)


def _after(states: set[int], count: int, constraint: Constraint) -> set[int]:
    """The states so many characters later."""
    for _ in range(count):
        states = {to for state in states for to in constraint.transitions[state][1]}
    return states


def _reads(position: Position, char: str) -> bool:
    return position[0].char == char


def _may_read(position: Position, char: str) -> bool:
    return any(char == glyph.char or char in glyph.lookalikes for glyph in position)
