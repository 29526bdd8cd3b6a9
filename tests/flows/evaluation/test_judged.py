"""What counts as right, as a false read, and as not given out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made import failure, image
from scenes import recipe

from flows.evaluation.judged import field_of, judge
from flows.evaluation.labels import Label
from stages.errors import ConfigError
from stages.records import Mark, Report

TWO = "fields: [{name: lot, take: all, map: {case: upper}}, {name: date}]\n"


def label(text, field=None, line=2):
    return Label("a.png", Path("a.png"), text, f"l.csv:{line}", field)


def report(*marks):
    return Report(image(), marks, "mine@1", "model@1")


def read(code, field="code"):
    return Mark(field, 1, "read", code=code, candidate=code, confidence=0.9)


def unsure(candidate, field="code"):
    return Mark(field, 1, "unsure", candidate=candidate, confidence=0.4, reason="too weak")


def verdicts(labels, outcome, plan):
    return [(one.wanted, one.read, one.verdict) for one in judge(labels, outcome, plan)]


def test_judge_when_the_code_is_the_labels_then_it_is_right_and_else_a_false_read(tmp_path):
    plan = recipe(tmp_path)
    assert verdicts([label("KX20")], report(read("KX20")), plan) == [("KX20", "KX20", "right")]
    assert verdicts([label("KX20")], report(read("KX70")), plan) == [("KX20", "KX70", "wrong")]


def test_judge_when_a_code_differs_in_a_dash_only_then_it_is_a_false_read(tmp_path):
    [one] = judge([label("KX-20")], report(read("KX20")), recipe(tmp_path))
    assert one.verdict == "wrong"


def test_judge_when_the_label_is_written_as_on_the_part_then_it_is_cleaned_as_the_map_does(
    tmp_path,
):
    plan = recipe(tmp_path, "fields: [{map: {case: upper, strip: ' -'}}]\n")
    assert verdicts([label("kx - 20")], report(read("KX20")), plan)[0][2] == "right"


@pytest.mark.parametrize("status", ["unsure", "mismatch"])
def test_judge_when_a_code_is_not_given_out_then_it_is_withheld_even_where_it_is_right(
    tmp_path, status
):
    mark = replace(unsure("KX20"), status=status)
    [one] = judge([label("KX20")], report(mark), recipe(tmp_path))
    assert (one.verdict, one.status, one.reason) == ("withheld", status, "too weak")


def test_judge_when_nothing_is_to_be_read_then_only_a_code_is_wrong(tmp_path):
    plan = recipe(tmp_path)
    nothing = Mark("code", 1, "unread", reason="no text was found")
    assert verdicts([label("")], report(nothing), plan) == [("", "", "right")]
    assert verdicts([label("")], report(unsure("KX20")), plan) == [("", "KX20", "right")]
    assert verdicts([label("")], report(read("KX20")), plan) == [("", "KX20", "wrong")]


def test_judge_when_the_picture_failed_then_every_label_says_where_and_why(tmp_path):
    [one] = judge([label("KX20")], failure(), recipe(tmp_path))
    assert (one.verdict, one.status) == ("withheld", "failed")
    assert one.reason == "in decode: the file is truncated"


def test_judge_when_a_field_has_several_codes_then_each_counts_once(tmp_path):
    plan = recipe(tmp_path, TWO)
    labels = [label("A", "lot"), label("B", "lot", 3), label("7", "date", 4)]
    marks = (read("B", "lot"), read("C", "lot"), read("7", "date"))
    assert sorted(verdicts(labels, report(*marks), plan)) == [
        ("7", "7", "right"),
        ("A", "C", "wrong"),
        ("B", "B", "right"),
    ]
    twice = (read("B", "lot"), read("B", "lot"), read("7", "date"))
    assert ("A", "B", "wrong") in verdicts(labels, report(*twice), plan)


def test_judge_when_a_code_is_given_out_that_no_label_asks_for_then_it_is_wrong(tmp_path):
    plan = recipe(tmp_path, TWO)
    marks = (read("A", "lot"), read("X", "lot"))
    found = verdicts([label("A", "lot")], report(*marks), plan)
    assert found == [("A", "A", "right"), ("", "X", "wrong")]


def test_judge_when_one_of_several_is_not_found_then_it_is_withheld(tmp_path):
    plan = recipe(tmp_path, TWO)
    labels = [label("A", "lot"), label("B", "lot", 3)]
    found = verdicts(labels, report(read("A", "lot")), plan)
    assert found == [("A", "A", "right"), ("B", "", "withheld")]


def test_field_when_a_label_does_not_say_which_then_says_the_remedy(tmp_path):
    plan = recipe(tmp_path, TWO)
    with pytest.raises(ConfigError, match=r"l\.csv:2: .*lot, date; add a column `field`"):
        field_of(label("A"), plan)
    with pytest.raises(ConfigError, match=r"l\.csv:2: no field is called 'x'; there are: lot"):
        field_of(label("A", "x"), plan)
    assert field_of(label("A", "date"), plan).name == "date"
