"""`plugins --options`: every option that a recipe may name, with what it does."""

from __future__ import annotations

from flows.commands import inventory
from stages.map import MapOptions
from stages.map.options import PARTS


def test_options_when_listed_then_those_of_the_map_and_of_its_parts_are_described():
    lines = list(inventory.options())
    heads = {line: at for at, line in enumerate(lines) if not line.startswith(" ")}
    for head, model in [("map", MapOptions), *((f"map.{name}", PARTS[name]) for name in PARTS)]:
        listed = lines[heads[head] + 1 :][: len(model.model_fields)]
        for (name, field), line in zip(model.model_fields.items(), listed, strict=True):
            assert line.startswith(f"    {name}: ")
            assert line.endswith(f"# {field.description}")


def test_options_when_listed_then_operations_and_plugins_are_there_too():
    lines = list(inventory.options())
    assert {"preprocess operation rotate", "recogniser trocr", "sink csv"} <= set(lines)
