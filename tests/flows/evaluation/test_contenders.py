"""Recognisers as they are named on the command line."""

from __future__ import annotations

import pytest

from flows.configuration import recipes, settings
from flows.evaluation.contenders import alone, choose, names, within
from stages.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("rapidocr", {}),
        ("rapidocr:", {}),
        ("rapidocr:threads=2,max_width_px=640", {"threads": 2, "max_width_px": 640}),
        ("trocr:checkpoint=a, b/c=d,batch_size=2", {"checkpoint": "a, b/c=d", "batch_size": 2}),
    ],
)
def test_recogniser_when_named_then_its_options_are_set(text, options):
    chosen = choose(text)

    assert chosen.use == text.partition(":")[0]
    assert chosen.options.model_dump(exclude_unset=True) == options


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "--recogniser nothing: use: no recogniser is called 'nothing'"),
        ("rapidocr:threads", "'threads' is no option; write NAME:key=value"),
        ("rapidocr:threads=x", "--recogniser rapidocr:threads=x: threads: 'x'"),
        ("rapidocr:speed=1", "speed: unknown key"),
    ],
)
def test_recogniser_when_misnamed_then_one_line_says_so(text, words):
    with pytest.raises(ConfigError) as caught:
        choose(text)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_when_plugins_are_used_twice_then_the_options_tell_them_apart():
    texts = ["rapidocr", "trocr:checkpoint=a", "trocr:checkpoint=b"]

    assert names(texts) == tuple(texts)
    assert names(texts[:2]) == ("rapidocr", "trocr")
    with pytest.raises(ConfigError, match="given twice"):
        names(["rapidocr", "rapidocr"])


def test_threads_when_not_chosen_then_those_of_the_command():
    assert alone("a", choose("rapidocr"), 3).reads.options.threads == 3
    assert alone("a", choose("trocr"), 1).reads.options.threads == 1
    assert alone("a", choose("rapidocr:threads=2"), 3).reads.options.threads == 2
    assert "threads" not in type(alone("a", choose("scripted"), 3).reads.options).model_fields


def test_recipe_when_a_recogniser_is_chosen_then_it_reads_every_field(tmp_path):
    text = "fields: [{name: a}, {name: b, recogniser: {use: trocr, checkpoint: x}}]\n"
    (tmp_path / "r.yaml").write_text(text)
    recipe = recipes.load_files(
        settings.Layout(tmp_path), "r", [tmp_path / "r.yaml"], choose("scripted")
    )

    own = within("r", recipe, None, 1).reads
    other = within("rapidocr", recipe, choose("rapidocr"), 2).reads

    assert [plan.recogniser.name for plan in own.fields] == ["scripted", "trocr"]
    assert [plan.recogniser.name for plan in other.fields] == ["rapidocr", "rapidocr"]
    assert {plan.recogniser.options.threads for plan in other.fields} == {2}
    assert {plan.detector.options.threads for plan in other.fields} == {2}
