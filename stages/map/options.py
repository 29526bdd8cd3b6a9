"""The options of the map stage, whose format is compiled while a recipe loads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stages.formats import Constraint, compile_format
from stages.map.checks import CheckDigit
from stages.map.clean import Case
from stages.map.consistency import (
    changed,
    compiled,
    limits,
    refuse_impossible,
    refuse_unclean,
    refuse_unnamed,
)
from stages.map.dates import DateCheck
from stages.map.elements import element_checks, element_dates, element_format
from stages.map.lexicon import LexiconOptions
from stages.map.lookalikes import PAIRS, Lookalikes
from stages.map.steering import steering
from stages.map.trim import Anchor
from stages.notation import MAX_LENGTH, segment_patterns
from stages.options import Options

Join = Literal["fitting", "none", "line", "all"]
Pairs = bool | tuple[str, ...]


PARTS: Mapping[str, type[Options]] = {
    "trim": Anchor,
    "check_digits": CheckDigit,
    "dates": DateCheck,
    "lexicon": LexiconOptions,
}
"""The parts of `map` that have options of their own."""


class MapOptions(Options):
    """How a field's text becomes its code: its parts work in the order in which they stand here."""

    # What is checked together is checked at the later key, so that an error is found there.
    strip: str = Field(
        default=" ", description="characters to remove wherever they stand; '' removes none"
    )
    case: Case = Field(
        default="keep", description="turn letters into upper or lower case, or keep them"
    )
    join: Join = Field(
        default="fitting",
        description="fitting: neighbours on a line are one text where only together they fit the "
        "format; line: always; all: all lines are one text, in reading order; none: never",
    )
    trim: tuple[Anchor, ...] = Field(
        default=(),
        description="drop characters from an end until an anchor stands in its place, such as "
        "{anchor: '25', position: -11}",
    )
    lookalikes: Pairs | Mapping[str, Pairs] = Field(
        default=True,
        description="pairs such as [O0, S5] that may replace each other where the format forbids "
        f"what was read; true is {' '.join(PAIRS)}; false replaces none. By segment: "
        "{lot: [O0], serial: false}; true for the others",
    )
    length: int | tuple[int, int] | None = Field(
        default=None,
        description="number of characters, exact or [least, most]; without a format, any printable "
        "ASCII characters",
    )
    format: str | None = Field(
        default=None,
        description="what a code looks like, such as [A-Z]{2}-\\d{4}: characters, \\d, sets [A-Z], "
        f"(...), |, ?, *, +, {{n}}, {{n,m}}, segments (?P<lot>...); at most {MAX_LENGTH} "
        "characters",
    )
    gs1: tuple[str, ...] = Field(
        default=(),
        description="instead of a format: GS1 application identifiers in the order printed, such "
        "as ['01', '17', '10?'], of which those with ? may be missing; segments ai01, ai17, ai10",
    )
    check_digits: tuple[CheckDigit, ...] = Field(
        default=(), description="checks over the code or over named segments of its format"
    )
    dates: tuple[DateCheck, ...] = Field(
        default=(),
        description="named segments that are dates, and what makes them plausible",
    )
    lexicon: LexiconOptions | None = Field(
        default=None, description="a list of the codes that there are; no other is given out"
    )
    min_margin: float = Field(
        default=1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="least log-probability (nats) of the code over the runner-up; under it the "
        "mark is unsure. 1.0 asks for 2.7 times the probability",
    )

    @field_validator("trim", mode="before")
    @classmethod
    def _one_or_more(cls, trim: object) -> object:
        return (trim,) if isinstance(trim, Mapping) else trim

    @field_validator("trim")
    @classmethod
    def _can_occur(cls, trim: tuple[Anchor, ...], info: ValidationInfo) -> tuple[Anchor, ...]:
        for each in trim:
            if not each.fits_before_the_end():
                raise ValueError(
                    f"anchor '{each.anchor}' at position {each.position} ends after the code; "
                    f"its position can be -{len(each.anchor)} at most"
                )
            if {"strip", "case"} <= info.data.keys():
                refuse_unclean(
                    f"anchor '{each.anchor}' has",
                    each.anchor,
                    info.data["strip"],
                    info.data["case"],
                )
        return trim

    @field_validator("lookalikes")
    @classmethod
    def _consistent(
        cls, given: Pairs | Mapping[str, Pairs], info: ValidationInfo
    ) -> Pairs | Mapping[str, Pairs]:
        for pairs in given.values() if isinstance(given, Mapping) else (given,):
            seen: set[frozenset[str]] = set()
            for pair in () if isinstance(pairs, bool) else pairs:
                if len(pair) != 2 or pair[0] == pair[1]:
                    raise ValueError(
                        f"'{pair}' is no pair; write two different characters, as in O0"
                    )
                if frozenset(pair) in seen:
                    raise ValueError(f"'{pair}' is there twice: a pair works in both directions")
                seen.add(frozenset(pair))
                if gone := [char for char in pair if char in info.data.get("strip", "")]:
                    raise ValueError(f"'{pair}': strip removes '{gone[0]}'; change either")
        return given

    @field_validator("length")
    @classmethod
    def _in_order(cls, length: int | tuple[int, int] | None) -> int | tuple[int, int] | None:
        if length is not None:
            least, most = limits(length)
            if not 1 <= least <= most <= MAX_LENGTH:
                raise ValueError(
                    f"write a number, or [least, most], of 1 to {MAX_LENGTH} characters"
                )
        return length

    @field_validator("format")
    @classmethod
    def _possible(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        others = [info.data[key] for key in ("strip", "case", "length") if key in info.data]
        if len(others) < 3:
            if pattern is not None:
                compile_format(pattern)
            return pattern
        constraint = compiled(pattern, *others)
        if constraint is not None:
            _refuse_impossible(constraint, info.data)
        return pattern

    @field_validator("gs1")
    @classmethod
    def _elements(cls, gs1: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if gs1:
            if info.data.get("format") is not None:
                raise ValueError("gives the format itself; leave out either")
            if {"strip", "case", "length"} <= info.data.keys():
                strip, case, length = (info.data[key] for key in ("strip", "case", "length"))
                constraint = compiled(
                    element_format(gs1, changed(strip, case)), strip, case, length
                )
                _refuse_impossible(constraint, info.data)
        return gs1

    @field_validator("check_digits")
    @classmethod
    def _have_a_place(
        cls, checks: tuple[CheckDigit, ...], info: ValidationInfo
    ) -> tuple[CheckDigit, ...]:
        constraint = _constraint_of(info.data)
        for check in checks if constraint is not None else ():
            refuse_unnamed(constraint, check.over)
            if not check.can_hold(constraint):
                raise ValueError(
                    f"no text of the format can have a check digit of {check.scheme}, which is "
                    f"over {check.characters}"
                )
        if checks and constraint is None and _is_valid(info.data):
            raise ValueError("a check digit needs a format")
        return checks

    @field_validator("dates")
    @classmethod
    def _are_segments(
        cls, dates: tuple[DateCheck, ...], info: ValidationInfo
    ) -> tuple[DateCheck, ...]:
        constraint = _constraint_of(info.data)
        for each in dates if constraint is not None else ():
            refuse_unnamed(constraint, (each.of,))
            segment = segment_patterns(constraint.pattern)[each.of]
            if not each.can_hold(segment):
                raise ValueError(
                    f"segment '{each.of}' ({segment}) can never be written {each.written}"
                )
        if dates and constraint is None and _is_valid(info.data):
            raise ValueError("a date needs a format with a named segment, such as (?P<made>\\d{6})")
        return dates

    @model_validator(mode="after")
    def _has_segments(self) -> MapOptions:
        if isinstance(self.lookalikes, Mapping) and self.pattern is None and self.lookalikes:
            name = next(iter(self.lookalikes))
            raise ValueError(
                f"lookalikes by segment need a format that names it, like (?P<{name}>...)"
            )
        return self

    @property
    def pattern(self) -> str | None:
        """The format, written or made from the GS1 identifiers."""
        if self.gs1:
            return element_format(self.gs1, changed(self.strip, self.case))
        return self.format

    @property
    def constraint(self) -> Constraint | None:
        """The automaton of format and length, and its check digits; None for any text."""
        made = compiled(self.pattern, self.strip, self.case, self.length)
        if made is None:
            return None
        checks = self.check_digits + (element_checks(self.gs1) if self.gs1 else ())
        return replace(made, checks=checks) if checks else made

    @property
    def steering(self) -> Constraint | None:
        """The automaton of what may be read, before strip and case: it steers a recogniser.

        None where the code is only a part of what is read, or of any form.
        """
        constraint = self.constraint
        if constraint is None or self.trim or self.join in ("line", "all"):
            return None
        return steering(constraint, self.strip, self.case)

    @property
    def date_checks(self) -> tuple[DateCheck, ...]:
        """The dates of the recipe, and those of the GS1 identifiers that it does not name."""
        own = {each.of for each in self.dates}
        more = element_dates(self.gs1) if self.gs1 else ()
        return self.dates + tuple(each for each in more if each.of not in own)

    @property
    def pairs(self) -> Lookalikes:
        """The look-alikes in force."""
        if isinstance(self.lookalikes, Mapping):
            named = {name: _pairs(pairs) for name, pairs in self.lookalikes.items()}
            return Lookalikes(PAIRS, tuple(named.items()))
        return Lookalikes(_pairs(self.lookalikes))


def _pairs(given: Pairs) -> tuple[str, ...]:
    if isinstance(given, bool):
        return PAIRS if given else ()
    return given


def _refuse_impossible(constraint: Constraint, data: Mapping[str, Any]) -> None:
    lookalikes = data.get("lookalikes")
    segments = lookalikes if isinstance(lookalikes, Mapping) else ()
    refuse_impossible(constraint, data.get("trim", ()), segments)


def _is_valid(data: Mapping[str, object]) -> bool:
    """Whether all that makes the constraint is right so far."""
    return {"strip", "case", "length", "format", "gs1"} <= data.keys()


def _constraint_of(data: Mapping[str, Any]) -> Constraint | None:
    if not _is_valid(data):
        return None
    pattern = data["format"]
    if data["gs1"]:
        pattern = element_format(data["gs1"], changed(data["strip"], data["case"]))
    return compiled(pattern, data["strip"], data["case"], data["length"])
