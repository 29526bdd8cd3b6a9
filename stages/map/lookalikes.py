"""Look-alikes: pairs of characters that share a shape, and the legal texts nearest to a text.

Only the format can tell an O from a 0 in many of the faces that marks are made with, so a
character that the format forbids may stand for its look-alike. As few as possible are replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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


def table(pairs: Iterable[str]) -> Mapping[str, str]:
    """Each character with all its look-alikes."""
    twins: dict[str, str] = {}
    for first, second in pairs:
        twins[first] = twins.get(first, "") + second
        twins[second] = twins.get(second, "") + first
    return twins


def nearest_legal(glyphs: Sequence[Glyph], constraint: Constraint) -> tuple[int, tuple[str, ...]]:
    """The legal texts with the fewest glyphs replaced by a look-alike, and how many those are.

    No text is returned where none is legal, and at most eight of those that tie. Method: dynamic
    programming over the automaton's states, one step per position.
    """
    text = "".join(glyph.char for glyph in glyphs)
    if constraint.accepts(text):
        return 0, (text,)
    reached: dict[int, tuple[int, tuple[str, ...]]] = {constraint.start: (0, ("",))}
    for glyph in glyphs:
        following: dict[int, tuple[int, tuple[str, ...]]] = {}
        for state, (replaced, texts) in reached.items():
            for char in (glyph.char, *sorted(glyph.lookalikes)):
                target = constraint.step(state, char)
                if target is not None:
                    cost = replaced + (char != glyph.char)
                    longer = tuple(text + char for text in texts)
                    following[target] = _fewer(following.get(target), (cost, longer))
        reached = following
    best: tuple[int, tuple[str, ...]] | None = None
    for state, found in reached.items():
        if constraint.is_accepting(state):
            best = _fewer(best, found)
    return best or (0, ())


def _fewer(
    known: tuple[int, tuple[str, ...]] | None, new: tuple[int, tuple[str, ...]]
) -> tuple[int, tuple[str, ...]]:
    if known is None or new[0] < known[0]:
        return new
    if new[0] > known[0]:
        return known
    return known[0], (known[1] + new[1])[:_MOST_TIES]
