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


SERIAL = compile_format(r"[A-Z]{2}-(?P<number>\d{6})")
OVER_NUMBER = replace(SERIAL, checks=(CheckDigit(scheme="luhn", over=("number",)),))


def test_share_when_the_check_covers_a_segment_then_only_doubt_within_it_is_discounted():
    text = "KX-204818"
    letters = [0.1] + [1e-9] * 8
    digits = [1e-9] * 8 + [0.1]
    assert unseen_share(text, OVER_NUMBER, doubts=letters) == pytest.approx(0.7 * 25 / 35, abs=1e-4)
    assert unseen_share(text, SERIAL, doubts=digits) == pytest.approx(0.7 * 9 / 35, abs=1e-4)
    assert unseen_share(text, OVER_NUMBER, doubts=digits) == 0.05


def test_share_when_doubts_are_not_known_then_all_characters_count_alike():
    text = "KX-204818"
    even = unseen_share(text, OVER_NUMBER, doubts=[0.3] * 9)
    assert unseen_share(text, OVER_NUMBER) == pytest.approx(even)
    assert unseen_share(text, OVER_NUMBER, doubts=[0.3] * 8) == pytest.approx(even)
    assert even == pytest.approx(0.7 * (2 * 25 + 0.1 * 6 * 9) / 35 / 9)


def test_share_when_the_text_is_illegal_then_value_error():
    with pytest.raises(ValueError, match="does not match"):
        unseen_share("KX", DIGITS)
