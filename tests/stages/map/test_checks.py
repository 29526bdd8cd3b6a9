"""Check digits, on published numbers: standards' own examples, registers and Wikipedia's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stages.formats import compile_format
from stages.map.checks import CheckDigit

ISBN = {"weights": tuple(range(1, 11)), "modulus": 11, "values": "0123456789X"}
VECTORS = [
    ("luhn", "79927398713"),
    ("luhn", "4111111111111111"),
    ("luhn", "378282246310005"),
    ("gs1", "4006381333931"),
    ("gs1", "09501101530003"),
    ("gs1", "73513537"),
    ("gs1", "036000291452"),
    ("gs1", "106141412345678908"),
    ("iso7064-mod-11-2", "000000021825009-7"),
    ("iso7064-mod-11-2", "0000-0002-1694-233X"),
    ("iso7064-mod-11-10", "794623"),
    ("iso7064-mod-37-2", "G123489654321Y"),
    ("iso7064-mod-37-36", "A12425GABC1234002M"),
    ("iso7064-mod-97-10", "5493001KJTIIGC8Y1R12"),
    ("iso7064-mod-97-10", "WEST12345698765432GB82"),
    ("vin", "1M8GDM9AXKP042788"),
    ("vin", "11111111111111111"),
    ("vin", "1HGCM82633A004352"),
    ("iso6346", "CSQU3054383"),
    ("iso6346", "CSQU 305438 3"),
    ("iso6346", "TASU1170000"),
]
ANY = compile_format("[A-Z0-9 *-]{1,40}")


def wrong(scheme, text, constraint=ANY, **more):
    return CheckDigit(scheme=scheme, **more).complaint(text, constraint)


@pytest.mark.parametrize(("scheme", "number"), VECTORS)
def test_check_when_number_is_published_then_right(scheme, number):
    assert wrong(scheme, number) is None


@pytest.mark.parametrize(("scheme", "number"), VECTORS)
def test_check_when_a_digit_of_a_published_number_is_another_then_wrong(scheme, number):
    last = max(at for at, char in enumerate(number) if char.isdigit())
    for digit in set("0123456789") - {number[last]}:
        misread = number[:last] + digit + number[last + 1 :]
        assert wrong(scheme, misread) is not None


@pytest.mark.parametrize("number", ["0306406152", "080442957X", "0-19-853453-1"])
def test_check_when_weights_are_those_of_isbn_10_then_published_numbers_are_right(number):
    assert wrong("weighted-sum", number, **ISBN) is None
    assert wrong("weighted-sum", "1" + number[1:], **ISBN) is not None


@settings(deadline=None)
@given(st.from_regex(r"[0-9]{12,13}", fullmatch=True))
def test_check_when_the_weights_are_gs1s_then_weighted_sum_says_what_gs1_says(number):
    mine = wrong("weighted-sum", number, weights=(1, 3))
    assert (mine is None) == (wrong("gs1", number) is None)


@settings(deadline=None)
@given(st.sampled_from(VECTORS), st.data())
def test_check_when_two_neighbours_change_places_then_iso_7064_shows_it(vector, data):
    scheme, number = vector
    if not scheme.startswith("iso7064"):
        return
    number = number.replace("-", "")
    at = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert (wrong(scheme, swapped) is None) == (swapped == number)


def test_check_when_over_segments_then_only_these_count_in_the_order_given():
    constraint = compile_format(r"(?P<check>\d)-(?P<lot>[A-Z]\d)(?P<body>\d{10})")
    text = "3-X97992739871"
    assert wrong("luhn", text, constraint, over=("body", "check")) is None
    assert wrong("luhn", text, constraint, over=("check", "body")) is not None
    assert wrong("luhn", "4" + text[1:], constraint, over=("body", "check")) is not None


def test_check_when_a_segment_takes_no_part_then_there_is_nothing_to_check():
    constraint = compile_format(r"LOT(-(?P<number>\d{4}))?")
    assert wrong("luhn", "LOT", constraint, over=("number",)) is None
    assert wrong("luhn", "LOT-1234", constraint, over=("number",)) is not None


def test_complaint_when_wrong_then_names_the_number_and_the_scheme():
    assert wrong("gs1", "4006381333932") == ("the check digit of '4006381333932' is wrong (gs1)")


@pytest.mark.parametrize(
    ("scheme", "pattern", "possible"),
    [
        ("luhn", r"\d{4}-\d{4}", True),
        ("luhn", r"[A-Z]{2}\d{4}", False),
        ("vin", r"[A-Z0-9]{17}", True),
        ("vin", r"[A-Z0-9]{16}", False),
        ("iso6346", r"[A-Z]{4} \d{6} \d", True),
        ("iso6346", r"[A-Z]{3}[ABC]\d{7}", False),
        ("iso7064-mod-97-10", r"[A-Z]{8}", False),
        ("iso7064-mod-11-2", r"\d{6}X", True),
    ],
)
def test_check_when_the_format_has_no_such_text_then_it_can_never_hold(scheme, pattern, possible):
    assert CheckDigit(scheme=scheme).can_hold(compile_format(pattern)) is possible


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scheme": "weighted-sum"}, "needs weights"),
        ({"scheme": "weighted-sum", "weights": [11, 22], "modulus": 11}, "needs weights"),
        ({"scheme": "weighted-sum", "weights": [1], "remainder": 10}, "never is left over"),
        ({"scheme": "weighted-sum", "weights": [1], "values": "01230"}, "a character twice"),
        ({"scheme": "luhn", "weights": [1, 3]}, "only for scheme weighted-sum"),
        ({"scheme": "crc"}, "Input should be"),
    ],
)
def test_options_when_contradictory_then_refused(options, words):
    with pytest.raises(ValidationError, match=words):
        CheckDigit(**options)


@pytest.mark.parametrize(
    ("over", "text", "places"),
    [
        ((), "AB-1234", {0, 1, 3, 4, 5, 6}),
        (("number",), "AB-1234", {3, 4, 5, 6}),
        (("number", "kind"), "AB-1234", {0, 1, 3, 4, 5, 6}),
        (("number", "kind"), "1234", set()),
    ],
)
def test_covered_when_some_segments_are_named_then_they_alone_without_separators(
    over, text, places
):
    constraint = compile_format(r"((?P<kind>[A-Z]{2})-)?(?P<number>\d{4})")
    check = CheckDigit(scheme="iso7064-mod-37-36", over=over)
    assert check.covered(text, constraint) == places
