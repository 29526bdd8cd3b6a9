"""Values put into the text of a YAML file: always what was wanted, and no comment lost to it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.configuration.yamlfile import parse_layer
from flows.configuration.yamlrevise import revised
from stages.errors import ConfigError

RECIPES = sorted((Path(__file__).resolve().parents[3] / "conf" / "recipes").glob("*.yaml"))
TURNING = next(path for path in RECIPES if path.name == "hard-turning.example.yaml").read_text()

NAMES = st.sampled_from(["crop", "name", "blur", "fit", "on", "25", "ä b"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-9, 99)
    | st.sampled_from(
        [
            0.5,
            1.25,
            "",
            "code",
            "0123",
            "yes",
            "2026-11-21",
            "a: b # c",
            "[A-Z]{2}\\d",
            "line\nline",
            "é",
        ]
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(NAMES, VALUES, max_size=4)


def written(values, flow):
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=flow)


@settings(max_examples=250)
@given(MAPPINGS, MAPPINGS, st.sampled_from([True, False, None]))
def test_revised_when_any_values_are_wanted_then_the_text_reads_as_they_are(old, new, flow):
    text, _ = revised(written(old, flow), new)
    read = parse_layer(text, "t").values
    assert read == new and repr(read) == repr({key: read[key] for key in read})


@settings(max_examples=100)
@given(st.data())
def test_revised_when_items_of_a_list_are_moved_then_their_comments_go_with_them(data):
    steps = data.draw(st.lists(st.sampled_from(["grey", "invert", "blur"]), min_size=1, max_size=5))
    text = "preprocess:\n" + "".join(
        f"  # why {at}\n  - {name}: {{a: {at}}}  # and {at}\n" for at, name in enumerate(steps)
    )
    items = parse_layer(text, "t").values["preprocess"]
    order = data.draw(st.permutations(range(len(items))))
    found, kept = revised(text, {"preprocess": [items[at] for at in order]})
    assert kept
    assert [line for line in found.splitlines() if "why" in line] == [f"  # why {n}" for n in order]
    assert [line[-1] for line in found.splitlines() if "and" in line] == [str(n) for n in order]


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (
            "# head\nfields:\n  - name: code # it\n    map: {case: upper}\n",
            lambda v: v.update(
                preprocess=[{"crop": {"box_px": [1, 2, 3, 4]}}], fields=v.pop("fields")
            ),
            "# head\npreprocess:\n  - crop: {box_px: [1, 2, 3, 4]}\nfields:\n"
            "  - name: code # it\n    map: {case: upper}\n",
        ),
        (
            "fields:\n  - take: all  # found\n    map:\n      # why\n      case: upper\n",
            lambda v: v["fields"][0]["map"].update(format="\\d{6}"),
            "fields:\n  - take: all  # found\n    map:\n      # why\n      case: upper\n"
            "      format: \\d{6}\n",
        ),
        (
            "fields:\n  - detect: {use: neural}  # found\n    map: {case: upper}\n",
            lambda v: v["fields"][0]["detect"].update(margin=0.1),
            "fields:\n  - detect: {use: neural, margin: 0.1}  # found\n    map: {case: upper}\n",
        ),
        (
            "fields:\n  - name: a\n    threshold: 0.8  # sure\n    take: all\n",
            lambda v: v["fields"][0].pop("threshold"),
            "fields:\n  - name: a\n    take: all\n",
        ),
        (
            "fields:\n  - name: a\n    take: all\n",
            lambda v: v["fields"][0].pop("name"),
            "fields:\n  - take: all\n",
        ),
        (
            "preprocess:\n  # smaller\n  - erode:\n  - blur: {kernel_px: 3} # x\n",
            lambda v: v["preprocess"][0].update(erode={"kernel_px": 5}),
            "preprocess:\n  # smaller\n  - erode: {kernel_px: 5}\n  - blur: {kernel_px: 3} # x\n",
        ),
        (
            "preprocess:\r\n  - grey: {}\r\n  - blur: {kernel_px: 3} # x\r\n",
            lambda v: v["preprocess"].pop(0),
            "preprocess:\r\n  - blur: {kernel_px: 3} # x\r\n",
        ),
        ("", lambda v: v.update(description="a"), "description: a\n"),
        ("# only\n", lambda v: v.update(description="a"), "# only\ndescription: a\n"),
    ],
)
def test_revised_when_one_thing_changes_then_the_rest_stays_to_the_byte(before, change, after):
    values = copy.deepcopy(dict(parse_layer(before, "t").values))
    change(values)
    assert revised(before, values) == (after, True)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_revised_when_nothing_changes_then_neither_does_the_text(path):
    text = path.read_text()
    assert revised(text, parse_layer(text, "t").values) == (text, True)


def test_revised_when_a_point_and_a_step_of_a_real_recipe_change_then_every_comment_is_there():
    values = copy.deepcopy(dict(parse_layer(TURNING, "t").values))
    values["preprocess"][2]["unroll_polygon"]["points_px"][0] = [341, 1204.5]
    values["preprocess"].insert(1, {"clahe": {}})
    values["preprocess"].pop()
    text, kept = revised(TURNING, values)
    assert kept and parse_layer(text, "t").values == values
    assert [line for line in text.splitlines() if "#" in line] == [
        line for line in TURNING.splitlines() if "#" in line
    ]


def test_revised_when_the_text_has_anchors_then_it_is_written_anew_and_says_so():
    text = "fields:\n  - &a {name: a, take: all}\n  - *a\n"
    wanted = {"fields": [{"name": "a", "take": "all"}, {"name": "b", "take": "all"}]}
    found, kept = revised(text, wanted)
    assert not kept and yaml.safe_load(found) == wanted


def test_revised_when_the_text_is_no_yaml_then_refused():
    with pytest.raises(ConfigError, match="not valid YAML"):
        revised("a: [", {})


def test_revised_when_values_are_nested_without_end_then_refused():
    deep = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(ConfigError, match="too deeply"):
        revised("a: 1\n", {"a": deep})
