"""What the options of the map say against each other, refused in words while a recipe loads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stages.formats import Constraint, character_set, compile_format
from stages.map.clean import Case, cleaner
from stages.map.trim import Anchor
from stages.notation import segment_patterns

_PRINTABLE_ASCII = [chr(code) for code in range(0x20, 0x7F)]

Length = int | tuple[int, int]


def limits(length: Length) -> tuple[int, int]:
    """The least and the most characters."""
    return (length, length) if isinstance(length, int) else length


def changed(strip: str, case: Case) -> str:
    """The printable characters that no cleaned text holds."""
    clean = cleaner(strip, case)
    return "".join(char for char in _PRINTABLE_ASCII if clean(char) != char)


def refuse_unclean(what: str, text: Iterable[str], strip: str, case: Case) -> None:
    """Refuse characters that no cleaned text holds; `what` names where they stand."""
    clean = cleaner(strip, case)
    for char in text:
        if clean(char) != char:
            cause = f"case: {case} changes" if clean(char) else "strip removes"
            raise ValueError(f"{what} '{char}', which {cause}; change either")


def refuse_unnamed(constraint: Constraint, names: Iterable[str]) -> None:
    """Refuse names of segments that the format does not have."""
    segments = segment_patterns(constraint.pattern)
    for name in names:
        if name not in segments:
            there = f"it has {', '.join(segments)}" if segments else "it has none"
            raise ValueError(
                f"the format has no segment '{name}', {there}; name one like (?P<{name}>...)"
            )


def refuse_impossible(
    constraint: Constraint, trim: Sequence[Anchor], segments: Iterable[str]
) -> None:
    """Refuse anchors that no code has, and look-alikes for `segments` that the format lacks."""
    for each in trim:
        if not each.can_occur(constraint):
            raise ValueError(
                f"format '{constraint.pattern}': no code has '{each.anchor}' at position "
                f"{each.position}; change it or trim"
            )
    refuse_unnamed(constraint, segments)


def compiled(
    pattern: str | None, strip: str, case: Case, length: Length | None
) -> Constraint | None:
    """Compile what a code looks like; None where it may be any text.

    Raises:
        ValueError: the format is impossible, alone or with the other options.
    """
    if pattern is None and length is None:
        return None
    span = None if length is None else limits(length)
    if pattern is None:
        clean = cleaner(strip, case)
        kept = [char for char in _PRINTABLE_ASCII if clean(char) == char]
        if not kept:
            raise ValueError("strip removes every printable character; take some out of it")
        return compile_format(f"{character_set(kept)}{{{span[0]},{span[1]}}}")
    constraint = compile_format(pattern, span)
    refuse_unclean(f"format '{pattern}' allows", sorted(constraint.alphabet), strip, case)
    return constraint
