"""The map stage as a whole: its laws, and which of several readings becomes the mark."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.map import MapOptions, map_readings
from stages.records import Character, Reading, Transcript

FORMAT = r"[A-Z]{2}\d{3}[A-Z]\d{2}"
MARK_LIKE = st.text(alphabet="KX2048B17OISZ- bl/", max_size=12)
ANY_TEXT = st.text(st.characters(), max_size=20)
CONFIDENCES = st.one_of(st.floats(0.0, 1.0), st.sampled_from([0.99, 1.0, math.nan, 2.0, -1.0]))
OPTIONS = st.builds(
    dict,
    strip=st.sampled_from(["", " ", " -"]),
    case=st.sampled_from(["upper", "keep"]),
    lookalikes=st.sampled_from([True, False, ("O0",), ("17", "KX")]),
    min_margin=st.sampled_from([0.0, 1.0]),
    length=st.sampled_from([None, 8, (1, 64), (2, 9)]),
    format=st.sampled_from([None, FORMAT, r"\d+", "[A-Z0-9]+", "(KX)+[OI]{1,20}|[0-9]{1,12}"]),
)


@st.composite
def readings(draw: st.DrawFn, reading) -> Reading:
    text = draw(MARK_LIKE | ANY_TEXT)
    count = len(text)
    return reading(
        text,
        draw(st.lists(CONFIDENCES, min_size=count, max_size=count) | st.just([0.999] * count)),
        draw(
            st.dictionaries(
                st.integers(0, max(count - 1, 0)),
                st.tuples(st.sampled_from("KX2048B17OIé "), CONFIDENCES),
                max_size=4,
            )
        ),
        at=(draw(st.integers(0, 200)), draw(st.integers(0, 40))),
    )


@settings(deadline=None)
@given(st.data(), OPTIONS, st.floats(0, 1), st.sampled_from(["best", "all"]), st.none() | MARK_LIKE)
def test_map_when_any_readings_then_keeps_its_promises(
    reading, data, chosen, threshold, take, expected
):
    options = MapOptions(**chosen)
    given_readings = data.draw(st.lists(readings(reading), max_size=4))
    marks = map_readings(
        given_readings,
        field="code",
        page=3,
        options=options,
        constraint=options.constraint,
        threshold=threshold,
        take=take,
        expected=expected,
    )
    assert len(marks) == 1 if take == "best" else 1 <= len(marks) <= max(1, len(given_readings))
    for mark in marks:
        assert (mark.field, mark.page, mark.expected) == ("code", 3, expected)
        assert (mark.code is not None) == (mark.status == "read")
        assert (mark.reason is None) == (mark.status == "read")
        assert (mark.reading is None) == (mark.status == "unread") == (mark.confidence is None)
        assert mark.match == (None if expected is None else mark.candidate == expected)
        assert mark.margin is None or (mark.margin >= 0.0 and math.isfinite(mark.margin))
        if mark.reason is not None:
            assert mark.reason
            assert len(mark.reason.splitlines()) == 1
        if mark.confidence is not None:
            assert 0.0 <= mark.confidence <= 1.0
        if mark.status == "read":
            assert mark.code == mark.candidate
            assert mark.confidence >= threshold
            assert mark.margin is None or mark.margin >= options.min_margin
            assert options.constraint is None or options.constraint.accepts(mark.code)


@settings(deadline=None)
@given(st.data(), OPTIONS)
def test_map_when_its_code_is_read_again_then_gives_it_again(reading, mapped, data, chosen):
    (first,) = mapped(data.draw(readings(reading)), threshold=0.5, **chosen)
    if first.code is not None:
        (second,) = mapped(reading(first.code, 1.0), threshold=0.5, **chosen)
        assert (second.status, second.code) == ("read", first.code)


@settings(deadline=None)
@given(st.from_regex(FORMAT.replace(r"\d", "[0-9]"), fullmatch=True))
def test_map_when_a_legal_code_is_clear_then_read_as_it_stands(reading, mapped, code):
    (mark,) = mapped(reading(code), format=FORMAT)
    assert (mark.status, mark.code) == ("read", code)


@pytest.mark.parametrize(
    ("texts", "options", "reason"),
    [
        ((), {}, "no text was found"),
        (("",), {}, "the text found is blank"),
        (("  ", ""), {}, "the text found is blank"),
        (("\u3000",), {"strip": ""}, "the text found is blank"),
        (("--",), {"strip": "-"}, "the text found is blank"),
    ],
)
@pytest.mark.parametrize("take", ["best", "all"])
def test_map_when_there_is_no_text_then_one_unread_mark(
    reading, mapped, texts, options, reason, take
):
    (mark,) = mapped(*map(reading, texts), take=take, expected="KX", **options)
    assert (mark.status, mark.reason, mark.reading) == ("unread", reason, None)
    assert (mark.code, mark.candidate, mark.confidence, mark.match) == (None, None, None, False)


def test_map_when_one_of_several_lines_fits_then_the_others_do_not_spoil_it(reading, mapped):
    (mark,) = mapped(
        reading("ACME", 1.0, height=90.0),
        reading("2026-11-20", 1.0, at=(10, 200)),
        reading("KX204B17", 0.98, at=(10, 300)),
        format=FORMAT,
    )
    assert (mark.status, mark.code) == ("read", "KX204B17")


def test_map_when_one_line_fits_as_read_then_it_goes_before_one_that_needs_look_alikes(
    reading, mapped
):
    (mark,) = mapped(
        reading("BOSS", 1.0, height=80.0), reading("2048", 0.97, at=(10, 200)), format=r"\d{4}"
    )
    assert mark.code == "2048"


def test_map_when_two_lines_fit_then_the_larger_of_equals_is_taken(reading, mapped):
    (mark,) = mapped(reading("1111"), reading("2222", at=(10, 90), height=50.0), format=r"\d{4}")
    assert mark.code == "2222"


def test_map_when_no_format_then_one_trusted_line_is_the_code(reading, mapped):
    (mark,) = mapped(reading("1", 0.3), reading("KX204B17", 0.99, at=(10, 90)))
    assert mark.code == "KX204B17"


def test_map_when_no_format_and_two_trusted_lines_then_neither_is_given_out(reading, mapped):
    (mark,) = mapped(reading("MADEINGERMANY", 0.99), reading("KX204B17", 0.99, at=(10, 90)))
    assert (mark.status, mark.code) == ("unsure", None)
    assert "give the field a format" in mark.reason


def test_map_when_a_word_is_made_of_look_alikes_then_it_is_no_number(reading, mapped):
    (mark,) = mapped(reading("SOLGAB", 0.999), format=r"\d{6}")
    assert (mark.status, mark.code, mark.candidate) == ("unsure", None, "501648")
    (mark,) = mapped(reading("2O48I7", 0.999), format=r"\d{6}")
    assert (mark.status, mark.code) == ("read", "204817")


def test_map_when_a_doubtful_line_fits_then_it_goes_before_a_clear_one_that_does_not(
    reading, mapped
):
    (mark,) = mapped(
        reading("ACME", 1.0, height=90.0), reading("KX204B17", 0.9, at=(10, 200)), format=FORMAT
    )
    assert (mark.status, mark.candidate) == ("unsure", "KX204B17")


def test_map_when_another_code_is_clear_then_it_goes_before_a_doubtful_one(reading, mapped):
    (mark,) = mapped(
        reading("KX204B18", 0.7),
        reading("KX204B17", at=(10, 90)),
        format=FORMAT,
        expected="KX204B18",
    )
    assert (mark.status, mark.candidate) == ("mismatch", "KX204B17")


def test_map_when_the_expected_code_is_one_of_two_then_it_is_read(reading, mapped):
    (mark,) = mapped(
        reading("KX204B17", height=50.0),
        reading("KX204B18", at=(10, 90)),
        format=FORMAT,
        expected="KX204B18",
    )
    assert (mark.status, mark.code, mark.match) == ("read", "KX204B18", True)


def test_map_when_all_are_taken_then_one_mark_per_reading_with_text_in_order(reading, mapped):
    marks = mapped(
        reading("KX204B17"), reading(" "), reading("ACME", at=(10, 90)), take="all", format=FORMAT
    )
    assert [(mark.status, mark.candidate) for mark in marks] == [
        ("read", "KX204B17"),
        ("mismatch", "ACME"),
    ]


def test_map_when_engine_gives_no_evidence_then_never_read(reading, mapped):
    bare = reading("KX204B17")
    bare = Reading("code", 1, bare.box, bare.outline, Transcript("KX204B17", ()), bare.model)
    (mark,) = mapped(bare, format=FORMAT)
    assert (mark.status, mark.candidate) == ("unsure", "KX204B17")


def test_map_when_what_is_stripped_may_have_been_a_character_then_the_code_is_doubted(
    reading, mapped
):
    pure = reading("1234", 0.99)
    odd = Character(" ", 0.5, alternative="0", alternative_confidence=0.49)
    characters = pure.transcript.characters
    transcript = Transcript("12 34", (*characters[:2], odd, *characters[2:]))
    (mark,) = mapped(replace(pure, transcript=transcript))
    assert (mark.status, mark.code) == ("unsure", None)
    assert mapped(pure)[0].code == "1234"
