"""The outside vocabulary: one definition, and every form of it says the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import jsonschema
import pyarrow as pa
import pytest
from brokers import NOON, make_row
from hypothesis import given
from hypothesis import strategies as st
from made import MORNING, report

from flows import vocabulary
from stages.records import Character, Failure, ImageRef, Mark, Reading, Report, Transcript

# The table of the design's section "One vocabulary outside", in its order.
DESIGNED = """
    id seq station camera field image page code candidate margin status reason text confidence
    characters expected match cord outline mark marks captured_at arrived_at read_at revision
    supersedes duplicate_of reply sha256 recipe model timings_ms
"""

text = st.text(st.characters(codec="utf-8"), max_size=12)
score = st.floats(0, 1)
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
points = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
characters = st.builds(
    Character,
    text,
    score,
    st.none() | score,
    st.none() | text,
    st.none() | score,
    st.none() | st.sampled_from("ABC"),
)
readings = st.builds(
    Reading,
    text,
    st.integers(1, 9),
    st.tuples(*[st.floats(-1e6, 1e6)] * 4),
    st.tuples(points, points, points, points),
    st.builds(Transcript, text, st.lists(characters, max_size=4).map(tuple)),
    text,
)
marks = st.builds(
    Mark,
    text,
    st.integers(1, 9),
    st.sampled_from(["read", "unsure", "mismatch", "unread"]),
    st.none() | text,
    st.none() | text,
    st.none() | st.floats(0, 100),
    st.none() | score,
    st.none() | text,
    st.none() | text,
    st.none() | st.booleans(),
    st.none() | readings,
)
images = st.builds(
    ImageRef,
    st.uuids().map(str),
    text,
    st.none() | text,
    st.integers(0),
    text,
    text,
    moments,
    st.none() | moments,
    st.none() | text,
)
timings = st.dictionaries(text, st.floats(0, 1e6), max_size=3)
reports = st.builds(
    Report, images, st.lists(marks, min_size=1, max_size=3).map(tuple), text, text, timings
)
failures = st.builds(Failure, images, text, text, st.booleans(), st.none() | text, timings)


def rows_of(outcome: Report | Failure) -> list[dict]:
    return list(vocabulary.rows(outcome, station="plant-1", first_seq=5, read_at=NOON))


def test_names_when_compared_with_the_design_then_they_are_its_table():
    designed = DESIGNED.split()
    assert list(vocabulary.NAMES) == designed
    assert list(make_row(1)) == designed
    assert list(vocabulary.json_schema()["properties"]) == designed
    assert vocabulary.arrow_schema().names == designed


def test_schema_when_generated_then_it_is_a_valid_json_schema():
    jsonschema.Draft202012Validator.check_schema(vocabulary.json_schema())


@given(st.one_of(reports, failures))
def test_rows_when_any_picture_is_told_then_every_form_takes_them_and_gives_them_back(outcome):
    schema = vocabulary.json_schema()
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    rows = rows_of(outcome)
    for row in rows:
        written = vocabulary.to_json(row)
        assert "\n" not in written
        validator.validate(json.loads(written))
        assert vocabulary.from_json(written) == row
    table = pa.Table.from_pylist(rows, schema=vocabulary.arrow_schema())
    table.validate(full=True)
    assert table.to_pylist(maps_as_pydicts="strict") == rows


@given(reports)
def test_rows_when_a_picture_has_marks_then_each_has_a_number_and_an_id_of_its_own(report):
    rows = rows_of(report)
    assert [row["seq"] for row in rows] == list(range(5, 5 + len(report.marks)))
    assert [row["mark"] for row in rows] == list(range(1, len(report.marks) + 1))
    assert {row["marks"] for row in rows} == {len(report.marks)}
    assert len({row["id"] for row in rows}) == len(rows)


@given(failures)
def test_rows_when_a_picture_fails_then_there_is_one_row_with_the_reason(failure):
    (row,) = rows_of(failure)
    assert (row["status"], row["reason"], row["mark"], row["marks"]) == (
        "failed",
        failure.reason,
        1,
        1,
    )
    assert all(row[name] is None for name in ("code", "text", "confidence", "cord", "outline"))


def test_rows_when_read_again_then_the_revision_names_what_it_replaces():
    image = ImageRef("i", "/p", None, 1, "cam", "a.png", NOON)
    report = Report(image, (Mark("a", 1, "unread"), Mark("b", 1, "unread")), "r@1", "m@1")
    rows = vocabulary.rows(
        report, station="s", first_seq=9, read_at=NOON, revision=2, supersedes=["i-1-1"]
    )
    assert [(row["id"], row["supersedes"]) for row in rows] == [("i-2-1", "i-1-1"), ("i-2-2", None)]


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "good"},
        {"seq": "7"},
        {"cord": [1, 2, 3]},
        {"read_at": "2026-11-20 12:00"},
        {"new": 1},
    ],
)
def test_schema_when_a_row_breaks_it_then_it_says_so(broken):
    row = {**json.loads(vocabulary.to_json(make_row(1))), **broken}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(row, vocabulary.json_schema())


def test_schema_when_a_field_is_missing_then_it_says_so():
    row = json.loads(vocabulary.to_json(make_row(1)))
    del row["reply"]
    with pytest.raises(jsonschema.ValidationError, match="'reply' is a required property"):
        jsonschema.validate(row, vocabulary.json_schema())


@given(moments, st.integers(-14, 14))
def test_instant_when_a_time_is_written_then_it_is_utc_and_sorts_as_text(moment, hours):
    local = moment.astimezone(timezone(timedelta(hours=hours)))
    written = vocabulary.instant(local)
    assert written == vocabulary.instant(moment)
    assert len(written) == len("2026-11-20T17:05:22.000001Z") and written.endswith("Z")
    assert datetime.fromisoformat(written) == moment


def test_to_json_when_a_value_does_not_belong_in_a_row_then_it_is_refused():
    with pytest.raises(TypeError, match="bytes does not belong in a row"):
        vocabulary.to_json({**make_row(1), "reason": b"raw"})


def test_rows_when_the_code_differs_from_the_text_then_both_are_told():
    made = report(1, code="KX2O4817")
    (mark,) = made.marks
    mapped = replace(made, marks=(replace(mark, code="KX204817", candidate="KX204817"),))
    (row,) = vocabulary.rows(mapped, station="st", first_seq=1, read_at=MORNING)
    assert (row["text"], row["candidate"], row["code"]) == ("KX2O4817", "KX204817", "KX204817")
