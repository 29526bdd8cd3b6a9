"""Look-alikes: pairs of characters that share a shape, and the legal texts nearest to a text.

Only the format can tell an O from a 0 in many of the faces that marks are made with, so a
character that the format forbids may stand for its look-alike. As few as possible are replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stages.formats import Constraint
from stages.map.clean import Glyph

# fmt: off
PAIRS = (
    "O0", "o0", "i1", "I1", "L1", "l1", "Z2", "z2", "R2", "A4", "S5", "s5", "b6", "G6", "/7", "B8",
    "g9",
)
# fmt: on
"""The pairs that `lookalikes: true` stands for; each works in both directions."""

_MOST_TIES = 8

Permits = Callable[[Sequence[Glyph], str], bool]

_Reached = dict[tuple[int, int], tuple[str, ...]]
"""The texts so far, at most eight, by the automaton's state and how many were replaced."""


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """The pairs in force: those of named segments of the format, and those of all else."""

    pairs: tuple[str, ...]
    by_segment: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def table(self) -> Mapping[str, str]:
        """Each character with all its look-alikes, wherever it stands."""
        every = [*self.pairs, *(pair for _, pairs in self.by_segment for pair in pairs)]
        return table(dict.fromkeys(every))

    def permitted(self, constraint: Constraint, clean: Callable[[str], str]) -> Permits | None:
        """Whether glyphs may stand for a legal text's characters; None where all of them may."""
        if not self.by_segment:
            return None
        named = {name: table(pairs) for name, pairs in self.by_segment}
        elsewhere = table(self.pairs)

        def permits(glyphs: Sequence[Glyph], text: str) -> bool:
            places = zip(glyphs, text, constraint.segment_names(text), strict=True)
            return all(
                char == glyph.char
                or any(
                    char == clean(twin)
                    for shape in glyph.shapes
                    for twin in named.get(segment or "", elsewhere).get(shape, "")
                )
                for glyph, char, segment in places
            )

        return permits


def table(pairs: Iterable[str]) -> Mapping[str, str]:
    """Each character with all its look-alikes."""
    twins: dict[str, str] = {}
    for first, second in pairs:
        twins[first] = twins.get(first, "") + second
        twins[second] = twins.get(second, "") + first
    return twins


def nearest_legal(
    glyphs: Sequence[Glyph], constraint: Constraint, permits: Permits | None = None
) -> tuple[int, tuple[str, ...]]:
    """The legal texts with the fewest glyphs replaced by a look-alike; see `NearestLegal`."""
    return NearestLegal(constraint, permits)(glyphs)


class NearestLegal:
    """From glyphs to the legal texts with the fewest replaced by a look-alike, and how many.

    No text is returned where none is legal, and at most eight of those that tie. `permits` tells
    whether the glyphs may stand for a text, where that depends on the segments.
    Method: dynamic programming over the automaton's states, one step per position; texts that begin
    with the same glyphs share these steps.
    """

    def __init__(self, constraint: Constraint, permits: Permits | None = None) -> None:
        self._constraint, self._permits = constraint, permits
        self._root = _Node(None, Glyph("", 1.0), constraint.start, {(constraint.start, 0): ("",)})

    def __call__(self, glyphs: Sequence[Glyph]) -> tuple[int, tuple[str, ...]]:
        """How many of the glyphs are replaced at least, and the legal texts with so many."""
        node = self._root
        for glyph in glyphs:
            # by identity: hashing what a glyph holds costs more than the step
            node = node.below.get(id(glyph)) or self._after(node, glyph)
        state = node.state
        if state is not None and self._constraint.is_accepting(state):
            return 0, ("".join(glyph.char for glyph in glyphs),)
        ends: dict[int, tuple[str, ...]] = {}
        for (state, replaced), texts in self._reached(node).items():
            if self._constraint.is_accepting(state):
                ends[replaced] = ends.get(replaced, ()) + texts
        for replaced in sorted(ends):
            permitted = tuple(
                text
                for text in ends[replaced]
                if self._permits is None or self._permits(glyphs, text)
            )
            if permitted:
                return replaced, permitted[:_MOST_TIES]
        return 0, ()

    def _after(self, node: _Node, glyph: Glyph) -> _Node:
        state = None if node.state is None else self._constraint.step(node.state, glyph.char)
        node.below[id(glyph)] = after = _Node(node, glyph, state)
        return after

    def _reached(self, node: _Node) -> _Reached:
        """What the look-alikes of the text that ends here lead to."""
        missing = []
        while node.reached is None and node.before is not None:
            missing.append(node)
            node = node.before
        reached = node.reached or {}
        for each in reversed(missing):
            each.reached = reached = self._step(reached, each.glyph)
        return reached

    def _step(self, before: _Reached, glyph: Glyph) -> _Reached:
        following: _Reached = {}
        for char in (glyph.char, *sorted(glyph.lookalikes)):
            more = int(char != glyph.char)
            for (state, replaced), texts in before.items():
                target = self._constraint.step(state, char)
                if target is not None:
                    key = (target, replaced + more)
                    known = following.get(key, ())
                    following[key] = (known + tuple(text + char for text in texts))[:_MOST_TIES]
        # where segments differ, a text with more replaced may be the only one that is permitted
        return _fewest(following) if self._permits is None else following


@dataclass(slots=True, eq=False)
class _Node:
    """A beginning: its last glyph, which it keeps alive, the state that it leads to, if any."""

    before: _Node | None
    glyph: Glyph
    state: int | None
    reached: _Reached | None = None
    below: dict[int, _Node] = field(default_factory=dict)


def _fewest(reached: _Reached) -> _Reached:
    """Of each state only what was reached with the fewest replaced."""
    least: dict[int, int] = {}
    for state, replaced in reached:
        least[state] = min(replaced, least.get(state, replaced))
    return {key: texts for key, texts in reached.items() if least[key[0]] == key[1]}
