"""Which way up: what is read twice, which way wins, and what the other way costs it."""

import math

import numpy as np
import pytest

from stages.formats import compile_format
from stages.records import Candidate, Character, Region, Transcript
from stages.turning import settle, turned_region, wants_turning


def read(text, probability=1.0, candidates=()):
    each = probability ** (1 / max(len(text), 1))
    return Transcript(
        text,
        tuple(Character(char, each) for char in text),
        tuple(Candidate(legal, math.log(share)) for legal, share in candidates),
    )


def sure(transcript):
    return math.prod(each.confidence for each in transcript.characters)


@pytest.mark.parametrize(
    ("turned", "transcript", "expected"),
    [
        ("never", read(""), False),
        ("always", read("LOT 47", 0.99), True),
        ("doubt", read("LOT 47", 0.99), False),
        ("doubt", read("LOT 47", 0.5), True),
        ("doubt", read(""), True),
    ],
)
def test_wants_turning_when_read_then_only_what_is_in_doubt(turned, transcript, expected):
    assert wants_turning(turned, transcript, None) is expected


def test_wants_turning_when_no_legal_string_is_likely_then_read_again():
    digits = compile_format(r"\d{4}")
    illegal = read("H0E9", 0.99, [("4089", 0.01)])
    assert wants_turning("doubt", illegal, digits)
    assert not wants_turning("doubt", illegal, None)


def test_settle_when_the_turned_reading_is_clearly_likelier_then_it_is_taken():
    is_over, transcript = settle("doubt", read("ZOOZML", 0.05), read("1W2002", 0.95), None)
    assert is_over
    assert transcript.text == "1W2002"
    assert 0.9 < sure(transcript) <= 0.95


def test_settle_when_both_are_about_as_likely_then_an_upright_camera_is_believed():
    is_over, transcript = settle("doubt", read("6988", 0.7), read("8869", 0.75), None)
    assert not is_over
    assert transcript.text == "6988"


def test_settle_when_a_line_runs_down_and_both_ways_are_clear_then_neither_is_sure():
    _, transcript = settle("always", read("6988", 0.99), read("8869", 0.99), None)
    assert sure(transcript) == pytest.approx(0.99 / 2, rel=0.02)


def test_settle_when_both_ways_read_the_same_then_nothing_is_lost():
    first = read("808", 0.97)
    assert settle("always", first, read("808", 0.9), None) == (False, first)


def test_settle_when_neither_way_shows_text_then_empty_and_upright():
    assert settle("always", read(""), read(""), None) == (False, read(""))


def test_settle_when_both_ways_are_codes_then_the_other_is_a_candidate_too():
    digits = compile_format(r"\d{4}")
    first = read("6988", 0.9, [("6988", 0.9), ("6908", 0.05)])
    second = read("8869", 0.8, [("8869", 0.8), ("6908", 0.05)])

    is_over, transcript = settle("always", first, second, digits)

    assert not is_over
    assert [each.text for each in transcript.candidates] == ["6988", "8869", "6908"]
    total = sum(math.exp(each.log_probability) for each in transcript.candidates)
    assert total <= 1
    margin = transcript.candidates[0].log_probability - transcript.candidates[1].log_probability
    assert 0 < margin < 1


def test_settle_when_the_clear_text_is_illegal_then_the_legal_way_up_wins():
    digits = compile_format(r"\d{4}")
    first = read("H0E9", 0.6, [("4089", 0.001)])
    second = read("6304", 0.6, [("6304", 0.6)])
    is_over, transcript = settle("doubt", first, second, digits)
    assert (is_over, transcript.text) == (True, "6304")


def test_settle_when_no_code_was_found_on_its_head_then_a_clear_illegal_text_does_not_win():
    code = compile_format(r"LOT[A-Z]\d{5}")
    upright = read("LOTC00926", 0.7, [("LOTC00926", 0.7)])
    is_over, transcript = settle("doubt", upright, read("9Z600J107", 0.98), code)
    assert not is_over
    assert transcript.text == "LOTC00926"


def test_settle_when_an_engine_has_no_candidates_then_its_own_legal_text_counts():
    digits = compile_format(r"\d{4}")
    is_over, transcript = settle("doubt", read("4089", 0.75), read("6B0Y", 0.95), digits)
    assert not is_over
    assert transcript.text == "4089"


def test_turned_region_when_called_then_the_outline_starts_at_the_opposite_corner():
    crop = np.arange(12, dtype=np.uint8).reshape(3, 4)
    region = Region("code", 1, (0, 0, 4, 3), ((0, 0), (4, 0), (4, 3), (0, 3)), 1.0, crop, "doubt")

    over = turned_region(region)

    assert over.outline == ((4, 3), (0, 3), (0, 0), (4, 0))
    assert np.array_equal(over.crop, np.rot90(crop, 2))
    assert not over.crop.flags.writeable
    assert over.box == region.box
