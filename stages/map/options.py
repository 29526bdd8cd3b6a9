"""The options of the map stage, whose format is compiled while a recipe loads."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from stages.formats import Constraint, character_set, compile_format
from stages.map.clean import Case, cleaner
from stages.map.lookalikes import PAIRS
from stages.notation import MAX_LENGTH
from stages.options import Options

_PRINTABLE_ASCII = [chr(code) for code in range(0x20, 0x7F)]


class MapOptions(Options):
    """How a field's text becomes its code."""

    # The format is checked against the options before it, so that an error is found at its key.
    strip: str = Field(
        default=" ", description="characters to remove wherever they stand; '' removes none"
    )
    case: Case = Field(
        default="keep", description="turn letters into upper or lower case, or keep them"
    )
    lookalikes: bool | tuple[str, ...] = Field(
        default=True,
        description="pairs such as [O0, S5] that may replace each other where the format forbids "
        f"what was read; true is {' '.join(PAIRS)}; false replaces none",
    )
    length: int | tuple[int, int] | None = Field(
        default=None,
        description="number of characters, exact or [least, most]; without a format, any printable "
        "ASCII characters",
    )
    format: str | None = Field(
        default=None,
        description="what a code looks like, such as [A-Z]{2}-\\d{4}: characters, \\d, sets [A-Z], "
        f"(...), |, ?, *, +, {{n}}, {{n,m}}; at most {MAX_LENGTH} characters",
    )
    min_margin: float = Field(
        default=1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="least log-probability (nats) of the code over the runner-up; under it the "
        "mark is unsure. 1.0 asks for 2.7 times the probability",
    )

    @field_validator("lookalikes")
    @classmethod
    def _two_different(cls, pairs: bool | tuple[str, ...]) -> bool | tuple[str, ...]:
        for pair in () if isinstance(pairs, bool) else pairs:
            if len(pair) != 2 or pair[0] == pair[1]:
                raise ValueError(f"'{pair}' is no pair; write two different characters, as in O0")
        return pairs

    @field_validator("length")
    @classmethod
    def _in_order(cls, length: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
        if length is not None:
            least, most = _limits(length)
            if not 1 <= least <= most <= MAX_LENGTH:
                raise ValueError(
                    f"write a number, or [least, most], of 1 to {MAX_LENGTH} characters"
                )
        return length

    @field_validator("format")
    @classmethod
    def _possible(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        others = [info.data[key] for key in ("strip", "case", "length") if key in info.data]
        if len(others) == 3:
            _compile(pattern, *others)
        elif pattern is not None:
            compile_format(pattern)
        return pattern

    @property
    def constraint(self) -> Constraint | None:
        """The automaton of format and length; None where any text is a code."""
        return _compile(self.format, self.strip, self.case, self.length)

    @property
    def pairs(self) -> tuple[str, ...]:
        """The look-alikes in force."""
        if isinstance(self.lookalikes, bool):
            return PAIRS if self.lookalikes else ()
        return self.lookalikes


def _limits(length: int | tuple[int, int]) -> tuple[int, int]:
    return (length, length) if isinstance(length, int) else length


def _compile(
    pattern: str | None, strip: str, case: Case, length: int | tuple[int, int] | None
) -> Constraint | None:
    """Compile, and refuse characters that no cleaned text can hold.

    Raises:
        ValueError: the format is impossible, alone or with the other options.
    """
    if pattern is None and length is None:
        return None
    limits = None if length is None else _limits(length)
    clean = cleaner(strip, case)
    if pattern is None:
        kept = [char for char in _PRINTABLE_ASCII if clean(char) == char]
        if not kept:
            raise ValueError("strip removes every printable character; take some out of it")
        return compile_format(f"{character_set(kept)}{{{limits[0]},{limits[1]}}}")
    constraint = compile_format(pattern, limits)
    for char in sorted(constraint.alphabet):
        if clean(char) != char:
            cause = f"case: {case} changes" if clean(char) else "strip removes"
            raise ValueError(f"format '{pattern}' allows '{char}', which {cause}; change either")
    return constraint
