"""Recipes: what a field's map section compiles to, and bad ones refused with file and line."""

from __future__ import annotations

import pickle

import pytest

from flows import recipes
from flows.choices import RecogniserChoice
from flows.settings import Layout
from stages.errors import ConfigError

RECOGNISER = RecogniserChoice(use="rapidocr")


@pytest.fixture
def load(tmp_path):
    """Write `conf/recipes/press.yaml` (and other files beside it) and load it."""

    def loaded(text, **files):
        layout = Layout(tmp_path)
        layout.recipes.mkdir(parents=True, exist_ok=True)
        (layout.recipes / "press.yaml").write_text(text)
        for name, content in files.items():
            (layout.recipes / f"{name}.csv").write_text(content)
        return recipes.load(layout, "press", RECOGNISER)

    return loaded


def test_recipe_when_it_has_every_part_then_it_compiles_and_goes_to_a_worker(load):
    recipe = load(
        r"""
fields:
  - name: serial
    map:
      strip: ' -'
      case: upper
      join: line
      trim: {anchor: '26', position: -9}
      lookalikes: {line: [O0], number: true}
      format: '(?P<line>[A-Z]{2})(?P<made>\d{6})(?P<number>\d{5})'
      check_digits:
        - {scheme: luhn, over: [number]}
      dates:
        - {of: made, written: YYMMDD, shelf_life_days: 30}
      lexicon: {file: codes.csv, column: part}
    expected: KX26112012344
    duplicate_hours: 24
""",
        codes="part,name\nKX26112012344,a\nKX26112012345,b\n",
    )
    (plan,) = recipe.fields
    assert plan.lexicon.codes == ("KX26112012344", "KX26112012345")
    assert plan.constraint.is_code("KX26112012344")
    assert plan.steering is None
    assert recipe.duplicate_hours == {"serial": 24.0}
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_recipe_when_the_lexicon_changes_then_its_version_does(load):
    text = "fields:\n  - map: {lexicon: {file: codes.csv}}\n"
    first = load(text, codes="code\nA1\n").version
    assert load(text, codes="code\nA1\n").version == first
    assert load(text, codes="code\nA1\nA2\n").version != first


BAD = [
    ("map: {format: '[A-Z'}", "fields[0].map.format", "is not closed"),
    ("map: {format: 'A{3}', length: 5}", "fields[0].map.format", "no text of 5 characters"),
    ("map: {lookalikes: [O0, 0O]}", "fields[0].map.lookalikes", "works in both directions"),
    (
        "map: {format: '[0-9]{4}', trim: {anchor: X, position: -2}}",
        "fields[0].map.format",
        "no code has 'X' at position -2; change it or trim",
    ),
    (
        "map: {format: '[0-9]{4}', check_digits: [{scheme: vin}]}",
        "fields[0].map.check_digits",
        "no text of the format can have a check digit of vin",
    ),
    (
        "map: {format: '[0-9]{4}', check_digits: [{scheme: weighted-sum}]}",
        "fields[0].map.check_digits[0]",
        "needs weights, such as [1, 3]",
    ),
    ("map: {gs1: ['05']}", "fields[0].map.gs1", "no application identifier '05'"),
    (
        "map: {format: '(?P<d>[0-9]{6})', dates: [{of: d, written: YYHH}]}",
        "fields[0].map.dates[0].written",
        "'H' is no part of a date; write YYYY",
    ),
    ("map: {lexicon: {file: none.csv}}", "fields[0].map.lexicon", "No such file"),
    ("map: {lexicon: {file: codes.csv, column: x}}", "fields[0].map.lexicon", "it has: code"),
    (
        "map: {lexicon: {file: codes.csv}, format: '[0-9]{4}'}",
        "fields[0].map.lexicon",
        "codes.csv:2 'KX1' does not fit the field's format",
    ),
    (
        "map: {lexicon: {file: codes.csv}, case: lower}",
        "fields[0].map.lexicon",
        "codes.csv:2 'KX1' can never be read",
    ),
    (
        "{map: {format: '[0-9]{4}'}, expected: KX}",
        "fields[0].expected",
        "'KX' does not fit the field's format",
    ),
    (
        "{map: {format: '[0-9]{4}', check_digits: [{scheme: luhn}]}, expected: '1234'}",
        "fields[0].expected",
        "'1234' cannot be a code: the check digit of '1234' is wrong (luhn)",
    ),
    ("duplicate_hours: 0", "fields[0].duplicate_hours", "greater than 0"),
]


@pytest.mark.parametrize(("field", "key", "words"), BAD, ids=[key for _, key, _ in BAD])
def test_recipe_when_impossible_then_refused_with_file_line_and_remedy(load, field, key, words):
    with pytest.raises(ConfigError) as caught:
        load(f"description: bad\nfields:\n  - {field}\n", codes="code\nKX1\n")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"conf/recipes/press.yaml:3 {key}: ")
    assert words in line


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "has no column 'code'; it has: none"), (b"code\n", "has no code"), (b"\xff", "UTF-8")],
)
def test_lexicon_when_its_file_is_empty_or_no_csv_then_refused(load, tmp_path, content, words):
    text = "fields:\n  - map: {lexicon: {file: codes.csv}}\n"
    load(text, codes="code\nA\n")
    (tmp_path / "conf/recipes/codes.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load(text)
