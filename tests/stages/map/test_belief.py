"""How far a format shows errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stages.formats import compile_format
from stages.map.belief import unseen_share
from stages.map.checks import CheckDigit

DIGITS = compile_format(r"\d{8}")


def test_share_when_there_is_no_format_then_all_counts():
    assert unseen_share("KX204817", None) == 1.0


def test_share_when_the_format_allows_more_then_it_is_larger():
    patterns = [r"\d{8}", r"[A-F0-9]{8}", r"[A-Z0-9]{8}", r"[A-Z0-9]{7,9}"]
    shares = [unseen_share("20481723", compile_format(pattern)) for pattern in patterns]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0.7 * 9 / 35)
    assert shares[-1] == pytest.approx(1.0)


def test_share_when_there_is_a_check_digit_then_a_tenth_and_never_nothing():
    free = compile_format("[A-Z0-9]{8}")
    checked = replace(free, checks=(CheckDigit(scheme="iso7064-mod-37-36"),))
    assert unseen_share("20481723", checked) == pytest.approx(unseen_share("20481723", free) / 10)
    checked = replace(DIGITS, checks=(CheckDigit(scheme="luhn"),))
    assert unseen_share("20481723", checked) == 0.05
    assert unseen_share("20481723", DIGITS, lexicon={"20481723"}) == 0.05


def test_share_when_the_text_is_illegal_then_value_error():
    with pytest.raises(ValueError, match="does not match"):
        unseen_share("KX", DIGITS)
