"""Dates in a code, and whether they can be true of a part that was photographed then.

They are compared with the time at which the picture was taken, never with the clock: a picture that
waited for a week is judged as it would have been. Two-digit years are those nearest to it (GS1
General Specifications, 7.12: from 49 years before to 50 years after).
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import Field, field_validator

from stages.formats import compile_format, overlap
from stages.options import Options

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_PARTS: Mapping[str, str] = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MMM": r"(?P<name>[A-Z]{3})",
    "MM": r"(?P<month>\d{2})",
    "DDD": r"(?P<day_of_year>\d{3})",
    "DD": r"(?P<day>\d{2})",
    "WW": r"(?P<week>\d{2})",
}
_TOKENS = re.compile("|".join([*_PARTS, "[A-Za-z]", "[^A-Za-z]"]))
_WAYS = ({"MM", "DD"}, {"MMM", "DD"}, {"DDD"}, {"WW"}, {"MM"}, {"MMM"})


class DateCheck(Options):
    """A named segment of the format that is a date."""

    of: str = Field(description="name of the format's segment that holds the date")
    written: str = Field(
        default="YYMMDD",
        description="how it is written: YYYY or YY, MM or MMM (JAN), DD, DDD (day of the year) or "
        "WW (ISO week), and what stands between them; a day 00 is the month's last",
    )
    meaning: Literal["made", "expires"] = Field(
        default="made",
        description="made: the picture cannot have been taken before; expires: nor after",
    )
    shelf_life_days: int | None = Field(
        default=None,
        ge=1,
        description="most days between the picture and the date; no limit when null",
    )
    slack_days: int = Field(
        default=1, ge=0, description="days that camera and printer may differ, for time zones"
    )

    @field_validator("written")
    @classmethod
    def _is_a_date(cls, written: str) -> str:
        tokens = _TOKENS.findall(written)
        parts = [token for token in tokens if token in _PARTS]
        years = [part for part in parts if part.startswith("Y")]
        rest = {part for part in parts if not part.startswith("Y")}
        if unknown := [token for token in tokens if token.isalpha() and token not in _PARTS]:
            raise ValueError(f"{unknown[0]!r} is no part of a date; write {', '.join(_PARTS)}")
        if len(parts) != len(set(parts)) or len(years) != 1 or rest not in _WAYS:
            raise ValueError(
                "write a year with month and day, with month, with week or with day of the year, "
                "as in YYMMDD, DD.MM.YYYY, MMM YY, YYWW or YYDDD"
            )
        return written

    @property
    def pattern(self) -> str:
        """What such a date looks like, in the notation of formats, without named segments."""
        return re.sub(r"\?P<\w+>", "?:", self._expression())

    def read(self, text: str, around: date | None) -> date | None:
        """The date that a text is, its century that nearest to `around`; None for no date."""
        match = re.fullmatch(self._expression(), text.upper(), re.ASCII)
        if match is None:
            return None
        found = match.groupdict()
        year = int(found["year"]) if "year" in found else _century(int(found["short"]), around)
        try:
            if "day_of_year" in found:
                day = date(year, 1, 1) + timedelta(int(found["day_of_year"]) - 1)
                return day if day.year == year else None
            if "week" in found:
                return date.fromisocalendar(year, int(found["week"]), 7)
            month = MONTHS.index(found["name"]) + 1 if "name" in found else int(found["month"])
            last = monthrange(year, month)[1]
            return date(year, month, int(found.get("day", 0)) or last)
        except (ValueError, OverflowError):
            # no such month, day or week; calendar's IllegalMonthError is a ValueError too
            return None

    def can_hold(self, pattern: str) -> bool:
        """Whether a text of a segment's format can be written so."""
        return overlap(compile_format(pattern), compile_format(self.pattern))

    def complaint(self, segments: Mapping[str, str], captured_at: datetime | None) -> str | None:
        """Why the date cannot be, in words; None where it can, or its segment is not there."""
        if self.of not in segments:
            return None
        shown = segments[self.of]
        taken = captured_at.date() if captured_at else None
        day = self.read(shown, taken)
        if day is None:
            return f"{self.of} {shown!r} is no date ({self.written})"
        if taken is None:
            return None
        return self._implausible(f"{self.of} {shown!r}", (day - taken).days, taken)

    def _implausible(self, name: str, ahead: int, taken: date) -> str | None:
        """What is wrong with a date so many days after the picture was taken."""
        limit = self.shelf_life_days
        after, before = f"{ahead} days after", f"{-ahead} days before"
        picture = f"the picture was taken ({taken})"
        first = self._first_day_slack()
        if self.meaning == "made":
            if ahead - first > self.slack_days:
                return f"{name} is {after} {picture}"
            if limit is not None and -ahead > limit + self.slack_days:
                return f"{name} is {before} {picture}, the shelf life is {limit} days"
            return None
        if -ahead > self.slack_days:
            return f"{name} is {before} {picture}"
        if limit is not None and ahead > limit + self.slack_days + first:
            return f"{name} is {after} {picture}, the shelf life is {limit} days"
        return None

    def _first_day_slack(self) -> int:
        """Days between the first and the last that a date without its day may mean."""
        if "DD" in self.written:
            return 0
        return 6 if "WW" in self.written else 30

    def _expression(self) -> str:
        return "".join(_PARTS.get(token) or re.escape(token) for token in self._tokens())

    def _tokens(self) -> list[str]:
        return _TOKENS.findall(self.written)


def _century(short: int, around: date | None) -> int:
    """The year that ends so, from 49 before to 50 after; without a picture's date, of 2000."""
    if around is None:
        return 2000 + short
    year = around.year - around.year % 100 + short
    if year - around.year > 50:
        return year - 100
    return year + 100 if around.year - year > 49 else year
