"""Recipes: what a field's map section compiles to, and bad ones refused with file and line."""

from __future__ import annotations

import pickle

import pytest

from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.settings import Layout
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
        codes="part,name\nKX26112012344,a\nKX26112012369,b\n",
    )
    (plan,) = recipe.fields
    assert plan.lexicon.codes == ("KX26112012344", "KX26112012369")
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
    ("map: {lexicon: {file: none.csv}}", "fields[0].map.lexicon", "no such file"),
    (
        "map: {lexicon: {file: codes.csv, column: x}}",
        "fields[0].map.lexicon",
        "the first line must be x",
    ),
    (
        "map: {lexicon: {file: codes.csv}, format: '[0-9]{4}'}",
        "fields[0].map.lexicon",
        "codes.csv:2: 'KX1' does not fit the field's format",
    ),
    (
        "map: {lexicon: {file: codes.csv}, case: lower}",
        "fields[0].map.lexicon",
        "codes.csv:2: 'KX1' can never be read",
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
    (
        "map: {lexicon: {file: codes.csv}, format: 'KX\\d', "
        "check_digits: [{scheme: iso7064-mod-37-36}]}",
        "fields[0].map.lexicon",
        "codes.csv:2: 'KX1' cannot be a code: the check digit",
    ),
    ("{map: {case: upper}, expected: kx}", "fields[0].expected", "strip or case changes it"),
    (
        "{map: {lexicon: {file: codes.csv}}, expected: KX2}",
        "fields[0].expected",
        "'KX2' is not in codes.csv",
    ),
    (
        "{map: {format: '(?P<d>[0-9]{6})', dates: [{of: d}]}, expected: '261331'}",
        "fields[0].expected",
        "'261331' cannot be a code: d '261331' is no date (YYMMDD)",
    ),
    (
        "map: {format: 'A(?P<d>[0-9]{5})', dates: [{of: d}]}",
        "fields[0].map.dates",
        "segment 'd' ([0-9]{5}) can never be written YYMMDD",
    ),
    (
        "map: {format: 'A(?P<d>[0-9]{5})', lookalikes: {lot: [O0]}}",
        "fields[0].map.format",
        "the format has no segment 'lot', it has d",
    ),
    (
        "map: {gs1: ['01'], lookalikes: {lot: [O0]}}",
        "fields[0].map.gs1",
        "the format has no segment 'lot', it has ai01",
    ),
    (
        "map: {gs1: ['10'], trim: {anchor: X, position: 1}}",
        "fields[0].map.gs1",
        "no code has 'X' at position 1",
    ),
    (
        "map: {lookalikes: {lot: [O0]}}",
        "fields[0].map",
        "lookalikes by segment need a format that names it, like (?P<lot>...)",
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
    [
        (b"", "is empty; the first line must be code"),
        (b"code\n", "has no code"),
        (b"\xff", "UTF-8"),
    ],
)
def test_lexicon_when_its_file_is_empty_or_no_csv_then_refused(load, tmp_path, content, words):
    text = "fields:\n  - map: {lexicon: {file: codes.csv}}\n"
    load(text, codes="code\nA\n")
    (tmp_path / "conf/recipes/codes.csv").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load(text)


@pytest.mark.parametrize(
    "content",
    [
        b"Part;Name\r\nKX1;a\r\nKX2;b\r\n",
        "\ufeffname,part\na,KX1\nb,KX2\n,\n".encode(),
        "part\tname\nKX1\ta\nKX2\tb\n".encode("utf-16"),
    ],
    ids=["semicolons", "mark", "utf-16"],
)
def test_lexicon_when_a_spreadsheet_saved_it_then_its_codes_are_read(load, tmp_path, content):
    text = "fields:\n  - map: {lexicon: {file: codes.csv, column: part}}\n"
    load("description: x\n", codes="")
    (tmp_path / "conf/recipes/codes.csv").write_bytes(content)
    assert load(text).fields[0].lexicon.codes == ("KX1", "KX2")


@pytest.mark.parametrize(
    ("detect", "words"),
    [
        ("{use: boxes, boxes_px: [[0, 0, 99, 60], [9, 9, 701, 60]]}", "boxes_px[1]: the point"),
        ("{use: neural, within_px: [0, 0, 99, 161]}", "the part x 0 to 99, y 0 to 161"),
        (
            "{use: boxes, within_px: [0, 0, 99, 60], boxes_px: [[0, 0, 100, 60]]}",
            "not inside this picture of 99 x 60 pixels",
        ),
    ],
)
def test_recipe_when_a_box_is_outside_the_resized_picture_then_refused(load, detect, words):
    with pytest.raises(ConfigError) as caught:
        load(
            "preprocess:\n  - resize: {width_px: 575, height_px: 160}\n"
            f"fields:\n  - name: code\n    detect: {detect}\n"
        )
    (line,) = str(caught.value).splitlines()
    assert line.startswith("conf/recipes/press.yaml:5 fields[0].detect: ")
    assert words in line


def test_recipe_when_the_picture_decides_then_boxes_pass(load):
    recipe = load("fields: [{detect: {use: boxes, boxes_px: [[0, 0, 9000, 60]]}}]")
    assert recipe.fields[0].detector.options.boxes_px == ((0, 0, 9000, 60),)
