"""Dates in codes: how they are written, and what can be true of a picture taken then."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.map.dates import DateCheck

TAKEN = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "text", "day"),
    [
        ("YYMMDD", "261120", date(2026, 11, 20)),
        ("YYMMDD", "260200", date(2026, 2, 28)),
        ("DD.MM.YYYY", "01.03.2027", date(2027, 3, 1)),
        ("YYYY-MM-DD", "2024-02-29", date(2024, 2, 29)),
        ("YYYY-MM-DD", "2025-02-29", None),
        ("DD MMM YY", "05 JAN 27", date(2027, 1, 5)),
        ("DDMMMYY", "05jan27", date(2027, 1, 5)),
        ("DDMMMYY", "05JAM27", None),
        ("MM/YYYY", "02/2028", date(2028, 2, 29)),
        ("YYDDD", "26366", None),
        ("YYDDD", "24366", date(2024, 12, 31)),
        ("YYDDD", "26000", None),
        ("YYWW", "2653", date(2027, 1, 3)),
        ("YYWW", "2753", None),
        ("YYMMDD", "261320", None),
        ("YYMMDD", "2611200", None),
    ],
)
def test_date_when_read_then_is_the_calendars_or_none(written, text, day):
    assert DateCheck(of="d", written=written).read(text, TAKEN.date()) == day


@pytest.mark.parametrize(
    ("short", "year"), [("76", 2076), ("77", 1977), ("26", 2026), ("99", 1999)]
)
def test_date_when_the_year_has_two_digits_then_the_nearest_century_as_gs1_has_it(short, year):
    found = DateCheck(of="d").read(f"{short}0101", TAKEN.date())
    assert found == date(year, 1, 1)


@settings(deadline=None)
@given(
    st.dates(date(1980, 1, 1), date(2070, 1, 1)), st.sampled_from(["%y%m%d", "%d.%m.%Y", "%y%j"])
)
def test_date_when_written_by_strftime_then_read_back(day, form):
    written = {"%y%m%d": "YYMMDD", "%d.%m.%Y": "DD.MM.YYYY", "%y%j": "YYDDD"}[form]
    assert DateCheck(of="d", written=written).read(day.strftime(form), TAKEN.date()) == day


@pytest.mark.parametrize(
    ("options", "text", "words"),
    [
        ({}, "261120", None),
        ({}, "261121", None),  # a day of slack
        ({}, "261122", "d '261122' is 2 days after the picture was taken \\(2026-11-20\\)"),
        ({"slack_days": 0}, "261121", "d '261121' is 1 days after the picture was taken"),
        ({"shelf_life_days": 30}, "261020", None),
        ({"shelf_life_days": 30}, "261010", "41 days before .* the shelf life is 30 days"),
        ({"meaning": "expires"}, "270101", None),
        ({"meaning": "expires"}, "261101", "is 19 days before the picture was taken"),
        ({"meaning": "expires", "shelf_life_days": 365}, "271120", None),
        ({"meaning": "expires", "shelf_life_days": 365}, "280101", "the shelf life is 365 days"),
        ({"meaning": "expires", "written": "MMYY"}, "1126", None),
        ({"written": "MMYY"}, "1126", None),
        ({"written": "MMYY"}, "1226", "days after the picture"),
        ({"written": "YYWW"}, "2647", None),
        ({"written": "YYWW"}, "2649", "days after the picture"),
        ({}, "261320", r"d '261320' is no date \(YYMMDD\)"),
    ],
)
def test_date_when_compared_with_the_picture_then_the_impossible_is_told(options, text, words):
    found = DateCheck(of="d", **options).complaint({"d": text}, TAKEN)
    assert found is None if words is None else re.search(words, found)


def test_date_when_nothing_is_known_of_the_picture_then_only_the_calendar_counts():
    assert DateCheck(of="d").complaint({"d": "991231"}, None) is None
    assert DateCheck(of="d").complaint({"d": "990231"}, None) is not None
    assert DateCheck(of="d").complaint({}, TAKEN) is None


@pytest.mark.parametrize(
    "written", ["", "YYMM DDD", "MMDD", "YYYYMMDDYY", "YYHH", "DDYY", "YYMMMM"]
)
def test_options_when_no_date_is_written_so_then_refused(written):
    with pytest.raises(ValidationError):
        DateCheck(of="d", written=written)


@pytest.mark.parametrize(
    ("written", "pattern", "possible"),
    [("YYMMDD", r"\d{6}", True), ("YYMMDD", r"\d{5}", False), ("DD.MM.YY", r"[\d.]{8}", True)],
)
def test_date_when_the_segment_has_no_such_text_then_it_can_never_hold(written, pattern, possible):
    assert DateCheck(of="d", written=written).can_hold(pattern) is possible
