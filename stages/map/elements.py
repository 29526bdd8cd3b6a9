"""GS1 element strings: application identifiers -> a format, its check digits and its dates.

`(01)09501101530003(17)261231(10)AB-12` as people read it, identifiers in parentheses. What stands
after each identifier comes from GS1's own table, which python-stdnum ships (GS1 General
Specifications, 3.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stdnum import numdb

from stages.map.checks import CheckDigit
from stages.map.dates import DateCheck
from stages.notation import MAX_LENGTH

_KEYS = frozenset(
    {"00", "01", "02", "03", "402", "8017", "8018", *(str(number) for number in range(410, 418))}
)
"""Identifiers whose value is a GS1 key that ends in a check digit (3.3 and 7.9)."""

_MADE = frozenset({"11", "13"})
_EXPIRES = frozenset({"15", "16", "17"})
_DATES = _MADE | _EXPIRES | {"12"}

_CHARS = r"[!\"%&'*+,\-./0-9:;<=>?A-Z_a-z]"
"""GS1's character set 82 (7.11), without the parentheses that part the elements."""

_PART = re.compile(r"([NXYZ])(\d*)(?:\.\.(\d+))?")


def element_format(identifiers: Sequence[str], case_changes: str = "") -> str:
    """The format of element strings with these identifiers, in this order.

    One that ends in `?` may be missing. `case_changes` are characters that no code has once its
    case is folded.

    Raises:
        ValueError: GS1 has no such identifier, or one is named twice.
    """
    if not identifiers:
        raise ValueError("name the application identifiers in their order, as in ['01', '17']")
    seen: set[str] = set()
    parts = []
    for written in identifiers:
        identifier = written.removesuffix("?")
        if identifier in seen:
            raise ValueError(f"identifier {identifier} is named twice")
        seen.add(identifier)
        part = rf"\({identifier}\)(?P<ai{identifier}>{_value(identifier, case_changes)})"
        parts.append(f"({part})?" if written.endswith("?") else part)
    return "".join(parts)


def element_checks(identifiers: Sequence[str]) -> tuple[CheckDigit, ...]:
    """The check digits of these identifiers' values."""
    return tuple(
        CheckDigit(scheme="gs1", over=(f"ai{each}",))
        for each in _plain(identifiers)
        if each in _KEYS
    )


def element_dates(identifiers: Sequence[str]) -> tuple[DateCheck, ...]:
    """The dates among these identifiers' values: 11 and 13 were, 15 to 17 will be."""
    return tuple(
        DateCheck(of=f"ai{each}", meaning="made" if each in _MADE else "expires")
        for each in _plain(identifiers)
        if each in _MADE | _EXPIRES
    )


def _plain(identifiers: Sequence[str]) -> list[str]:
    return [each.removesuffix("?") for each in identifiers]


def _value(identifier: str, case_changes: str) -> str:
    table = numdb.get("gs1_ai")
    # Of nothing the table knows nothing, where of an unknown identifier it knows a part.
    found, about = (table.info(identifier) or [("", {})])[0]
    if found != identifier or "format" not in about:
        raise ValueError(f"GS1 has no application identifier {identifier!r}")
    if identifier in _DATES:
        return r"\d{2}[01]\d[0-3]\d"
    chars = _CHARS
    if case_changes:
        chars = (
            "["
            + "".join(
                f"\\{char}" if not char.isalnum() else char
                for char in map(chr, range(0x21, 0x7F))
                if re.fullmatch(_CHARS, char) and char not in case_changes
            )
            + "]"
        )
    return "".join(_parts(about["format"], chars))


def _parts(written: str, chars: str) -> Iterator[str]:
    """The parts of GS1's own notation, such as N3+X..27; what stands in brackets may be missing."""
    for optional, plain in re.findall(r"\[\+?([^\]]*)\]|([^+\[\]]+)", written):
        part = _part(optional or plain, chars)
        yield f"(?:{part})?" if optional else part


def _part(part: str, chars: str) -> str:
    if part == "-":
        return part
    match = _PART.fullmatch(part)
    if match is None:
        raise ValueError(f"GS1's {part!r} is not supported; write a format instead")
    kind, count, most = match.groups()
    symbol = r"\d" if kind == "N" else chars
    if most is None:
        return f"{symbol}{{{count}}}"
    return f"{symbol}{{{count or 1},{min(int(most), MAX_LENGTH)}}}"
