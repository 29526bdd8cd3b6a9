"""Check digits: what a code's characters owe each other, so that most misreadings show.

The schemes are those of python-stdnum; VIN and the weighted sum are computed here. A check digit
is part of a field's `Constraint` (`stages/formats.py`), so a recogniser knows as well when what it
read cannot be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator
from stdnum import ean, iso6346, luhn
from stdnum.iso7064 import mod_11_2, mod_11_10, mod_37_2, mod_37_36, mod_97_10

from stages.formats import Constraint, compile_format, overlap
from stages.notation import segment_patterns
from stages.options import Options

Scheme = Literal[
    "luhn",
    "gs1",
    "iso7064-mod-11-2",
    "iso7064-mod-11-10",
    "iso7064-mod-37-2",
    "iso7064-mod-37-36",
    "iso7064-mod-97-10",
    "vin",
    "iso6346",
    "weighted-sum",
]

_VIN_CHARS = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES = dict(zip(_VIN_CHARS, map(int, "123456781234579234567890123456789"), strict=True))
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_CHECK = 8
"""Index of a vehicle's check digit (49 CFR 565.15, tables III to V)."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a scheme is written with, and whether a text of such characters is right."""

    shape: str
    is_right: Callable[[str], bool]
    words: str


def _vin(text: str) -> bool:
    weighted = zip(text, _VIN_WEIGHTS, strict=True)
    rest = sum(_VIN_VALUES[char] * weight for char, weight in weighted) % 11
    return text[_VIN_CHECK] == "0123456789X"[rest]


_KINDS: Mapping[str, _Kind] = {
    "luhn": _Kind(r"\d{2,}", luhn.is_valid, "digits"),
    "gs1": _Kind(r"\d{2,}", lambda text: ean.calc_check_digit(text[:-1]) == text[-1], "digits"),
    "iso7064-mod-11-2": _Kind(r"\d+[\dX]", mod_11_2.is_valid, "digits, and X at the end"),
    "iso7064-mod-11-10": _Kind(r"\d{2,}", mod_11_10.is_valid, "digits"),
    "iso7064-mod-37-2": _Kind(
        r"[A-Z0-9]+[A-Z0-9*]", mod_37_2.is_valid, "capitals and digits, and * at the end"
    ),
    "iso7064-mod-37-36": _Kind(r"[A-Z0-9]{2,}", mod_37_36.is_valid, "capitals and digits"),
    "iso7064-mod-97-10": _Kind(r"[A-Z0-9]+\d{2}", mod_97_10.is_valid, "capitals and digits"),
    "vin": _Kind(f"[{_VIN_CHARS}]{{8}}[0-9X][{_VIN_CHARS}]{{8}}", _vin, "17 characters"),
    "iso6346": _Kind(r"[A-Z]{3}[UJZR]\d{7}", iso6346.is_valid, "four letters and seven digits"),
}


class CheckDigit(Options):
    """One check over the code, or over named segments of it, joined in the order given.

    Where a segment did not take part in a code, there is nothing to check. Only letters, digits
    and `*` count, so separators may stand between them.
    """

    scheme: Scheme = Field(description="how the check digit is computed")
    over: tuple[str, ...] = Field(
        default=(),
        description="names of the format's segments that it is computed over, the check digit's "
        "own included; the whole code when empty",
    )
    weights: tuple[int, ...] = Field(
        default=(),
        description="weighted-sum: a factor for each character from the right, the check digit "
        "first, repeated as needed",
    )
    modulus: int = Field(default=10, ge=2, description="weighted-sum: what the sum is divided by")
    remainder: int = Field(default=0, ge=0, description="weighted-sum: what must be left over")
    values: str = Field(
        default="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        min_length=2,
        description="weighted-sum: the characters worth 0, 1, 2 ...",
    )

    @model_validator(mode="after")
    def _meaningful(self) -> CheckDigit:
        if self.scheme != "weighted-sum":
            own = {"weights", "modulus", "remainder", "values"} & self.model_fields_set
            if own:
                raise ValueError(f"{', '.join(sorted(own))}: only for scheme weighted-sum")
            return self
        if not self.weights or all(each % self.modulus == 0 for each in self.weights):
            raise ValueError("weighted-sum needs weights, such as [1, 3]")
        if self.remainder >= self.modulus:
            raise ValueError(f"remainder {self.remainder} never is left over by {self.modulus}")
        if len(set(self.values)) != len(self.values):
            raise ValueError("values has a character twice")
        return self

    def complaint(self, text: str, constraint: Constraint) -> str | None:
        """Why a text of the constraint's format is wrong, in words; None where it is right."""
        segments = constraint.segments(text) if self.over else {}
        if any(name not in segments for name in self.over):
            return None
        checked = _counted("".join(segments[name] for name in self.over) or text)
        if self._is_right(checked):
            return None
        return f"the check digit of {checked!r} is wrong ({self.scheme})"

    def covered(self, text: str, constraint: Constraint) -> frozenset[int]:
        """The places, from 0, of a legal text's characters that the check is computed over."""
        spans = constraint.spans(text) if self.over else {"": (0, len(text))}
        names = self.over or ("",)
        if any(name not in spans for name in names):
            return frozenset()
        places = (at for name in names for at in range(*spans[name]))
        return frozenset(at for at in places if _counted(text[at]))

    def can_hold(self, constraint: Constraint) -> bool:
        """Whether any text of a format can be right: whether its characters and lengths suit."""
        shape = compile_format(self._shape())
        checked = constraint
        if self.over:
            parts = segment_patterns(constraint.pattern)
            checked = compile_format("".join(f"(?:{parts[name]})" for name in self.over))
        separators = "".join(char for char in checked.alphabet if not _counted(char))
        return overlap(checked, shape, separators)

    @property
    def characters(self) -> str:
        """What the scheme is written with, in words."""
        if self.scheme == "weighted-sum":
            return f"characters of {self.values}"
        return _KINDS[self.scheme].words

    def _shape(self) -> str:
        if self.scheme != "weighted-sum":
            return _KINDS[self.scheme].shape
        escaped = "".join(f"\\{char}" if not char.isalnum() else char for char in self.values)
        return f"[{escaped}]{{2,}}"

    def _is_right(self, text: str) -> bool:
        if self.scheme != "weighted-sum":
            kind = _KINDS[self.scheme]
            return bool(re.fullmatch(kind.shape, text, re.ASCII)) and kind.is_right(text)
        if any(char not in self.values for char in text):
            return False
        worth = map(self.values.index, reversed(text))
        total = sum(value * self.weights[at % len(self.weights)] for at, value in enumerate(worth))
        return total % self.modulus == self.remainder


def _counted(text: str) -> str:
    return "".join(char for char in text if char.isalnum() or char == "*")
