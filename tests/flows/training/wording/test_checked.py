"""Codes whose check digits are published, and dates that exist."""

from __future__ import annotations

import re
from datetime import date

import numpy as np

from flows.training.wording import checked
from flows.training.wording.texts import MAX_LENGTH


def drawn(make, count: int = 400) -> list[str]:
    rng = np.random.default_rng(11)
    return [make(rng) for _ in range(count)]


def test_vin_check_when_the_number_is_published_then_it_is_its_ninth_character() -> None:
    assert checked.vin_check("1M8GDM9AXKP042788") == "X"
    assert checked.vin_check("11111111111111111") == "1"


def test_vin_when_drawn_then_it_checks_and_has_no_letter_that_is_forbidden() -> None:
    for text in drawn(checked.vin):
        assert re.fullmatch("[A-HJ-NPR-Z0-9]{17}", text), text
        assert checked.vin_check(text) == text[8]


def test_container_check_when_the_code_is_published_then_it_is_its_digit() -> None:
    assert checked.container_check("CSQU305438") == 3
    assert checked.container_check("TOLU473478") == 7


def test_container_when_drawn_whole_then_its_check_digit_is_right() -> None:
    whole = [re.sub("[ -]", "", text) for text in drawn(checked.container)]
    whole = [text for text in whole if re.fullmatch(r"[A-Z]{4}\d{7}", text)]
    assert len(whole) > 100
    assert all(checked.container_check(text[:10]) == int(text[10]) for text in whole)


def test_gtin_check_when_the_number_is_published_then_it_is_its_last_digit() -> None:
    assert checked.gtin_check("400638133393") == 1
    assert checked.gtin_check("9638507") == 4


def test_day_when_drawn_then_the_calendar_has_it() -> None:
    rng = np.random.default_rng(1)
    days = {date(*checked.day(rng)) for _ in range(2000)}
    assert len({each.day for each in days}) == 31


def test_dated_when_drawn_then_many_shapes_occur() -> None:
    shapes = {re.sub(r"\d", "9", text) for text in drawn(checked.date, 2000)}
    assert len(shapes) > 40


def test_elements_when_drawn_then_they_fit_on_a_line() -> None:
    assert max(map(len, drawn(checked.elements))) <= MAX_LENGTH
