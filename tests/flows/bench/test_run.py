"""A run as people see it and as it is kept: table, file, pictures; which parts of it."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from rich.console import Console

from flows.bench.figure import Figure, Target
from flows.bench.parts import PARTS, chosen, measured
from flows.bench.plots import draw
from flows.bench.saved import load, run_of, save
from flows.bench.table import number, show
from stages.errors import ConfigError

FIGURES = (
    Figure("ledger", "open", "ms", (1.0, 2.0, 3.0), axis="rows", at=10),
    Figure(
        "ledger",
        "open",
        "ms",
        (3.0, 4.0, 8.0),
        axis="rows",
        at=1000,
        peer="open",
        peer_at=10,
        target=Target("ratio", at_most=1.5),
    ),
    Figure("startup", "help", "s", (0.1,), target=Target("value", at_most=0.4), note="warm"),
)


def test_table_when_shown_then_has_ratios_verdicts_and_notes():
    out = io.StringIO()
    show(FIGURES, Console(file=out, width=150))

    lines = [line.split() for line in out.getvalue().splitlines() if line.strip()]
    assert lines[0][:2] == ["ledger", "rows"]
    assert lines[2] == [
        "open",
        "1,000",
        "4",
        "ms",
        "3.5-6",
        "2.00",
        "(1.75-3.00)",
        "≤",
        "1.5x",
        "NO",
    ]
    assert ["help", "0.1", "s", "≤", "0.4", "yes"] in lines
    assert ["help:", "warm"] in lines


def test_table_when_there_are_many_samples_then_has_percentiles():
    out = io.StringIO()
    many = Figure("latency", "whole", "ms", tuple(range(1, 101)))
    few = Figure("latency", "few", "ms", tuple(range(1, 21)))
    show([many, few], Console(file=out, width=150))

    head, first, second = (line.split() for line in out.getvalue().splitlines() if line.strip())
    assert head[-6:-3] == ["p99", "of", "its"]
    assert first == ["whole", "50.5", "ms", "25.8-75.2", "95", "99"]
    assert second == ["few", "10.5", "ms", "5.75-15.2", "19.1"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (1234.5, "1,234"), (12.34, "12.3"), (0.0123, "0.0123"), (0.000123, "1.2e-04")],
)
def test_number_when_written_then_has_three_digits_that_count(value, words):
    assert number(value) == words


def test_run_when_saved_then_is_the_same_again_and_other_parts_stay(tmp_path):
    path = tmp_path / "run.json"
    save(run_of(FIGURES), path)
    again = Figure("startup", "help", "s", (0.2,))
    save(run_of([again]), path)

    found = load(path)

    assert found.figures == (*FIGURES[:2], again)
    assert found.machines.keys() == {"ledger", "startup"}
    assert found.machines["ledger"].cores >= 1


@pytest.mark.parametrize(
    "text", ["", "[]", '{"machines": {}}', '{"machines": {}, "figures": [{}]}']
)
def test_run_when_the_file_is_no_run_then_says_so(tmp_path, text):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.json is no run of `markwatch bench --save`"):
        load(path)
    with pytest.raises(ConfigError, match="is no run"):
        save(run_of(FIGURES), path)
    assert path.read_text() == text


def test_run_when_there_is_no_file_then_says_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")


def test_draw_when_called_then_each_part_is_a_picture_with_its_names_and_units(tmp_path):
    first, second = draw(FIGURES, tmp_path / "bench")

    assert [first.name, second.name] == ["ledger.svg", "startup.svg"]
    texts = {
        path: [each.text for each in ElementTree.parse(path).iter() if each.tag.endswith("text")]
        for path in (first, second)
    }
    assert {"rows", "ms", "open", "10", "1,000"} <= set(texts[first])
    assert {"s", "help"} <= set(texts[second])
    before = first.read_bytes()
    draw(FIGURES, tmp_path / "bench")
    assert first.read_bytes() == before


def test_draw_when_a_limit_has_no_place_then_is_a_level_among_the_lines(tmp_path):
    limit = Figure("limit", "limit: products", "ms", (1.0,))
    line = Figure("limit", "encoder", "ms", (2.0,), axis="crops", at=1, peer="limit: products")
    (path,) = draw([limit, line], tmp_path)
    texts = [each.text for each in ElementTree.parse(path).iter() if each.tag.endswith("text")]
    assert texts.count("ms") == 1
    assert {"limit: products", "encoder", "crops"} <= set(texts)


def test_parts_when_chosen_then_in_their_own_order():
    assert chosen([]) == ["pipeline", "latency"]
    assert chosen(["startup", "limit"]) == ["limit", "startup"]
    assert chosen(["all"]) == list(PARTS)
    with pytest.raises(ConfigError, match="no part is called 'limits'; there are: limit, "):
        chosen(["limits"])


def test_parts_when_a_size_is_not_theirs_then_is_refused():
    with pytest.raises(ConfigError, match="`--files` says nothing of parquet; leave it out"):
        next(measured(["parquet"], "quick", {"files": (1,)}, print))
