"""What the README and the pages in `docs/` show is what the code does."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

from commands import invoke
from plants import Plant

from flows import vocabulary
from flows.configuration import recipes, settings
from stages.preprocess import OPERATIONS

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
sys.path.append(str(Path(__file__).parent / "flows" / "sinks"))


def blocks(language: str) -> list[str]:
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    return [text for name, text in fences if name == language]


def test_readme_when_it_gives_lines_for_readers_then_they_are_the_tested_ones():
    import test_readers

    (block,) = blocks("python")
    shown = [ast.unparse(statement) for statement in ast.parse(block).body]
    tested = "\n".join([*test_readers.PARQUET_LINES.values(), *test_readers.CSV_LINES.values()])
    assert shown == [ast.unparse(statement) for statement in ast.parse(tested).body]


def test_readme_when_it_shows_a_recipe_then_it_is_the_shipped_one():
    assert (ROOT / "conf/recipes/press-3.yaml").read_text() in blocks("yaml")


def test_readme_when_it_shows_fields_then_they_load_and_take_the_code_that_it_says(tmp_path):
    plant = Plant(tmp_path / "plant")
    plant.configure("station: a\n")
    shown = [block for block in blocks("yaml") if "fields:" in block]
    for number, block in enumerate(shown):
        (plant.layout.recipes / f"line-{number}.yaml").write_text(block)
    loaded = settings.load(plant.root)
    plans = [
        recipes.load(plant.layout, f"line-{number}", loaded.recogniser).fields[0]
        for number in range(len(shown))
    ]
    (checked,) = (plan.constraint for plan in plans if plan.constraint.checks)
    assert checked.is_code("KX26112012344")
    assert not checked.is_code("KX26112012345")


def test_readme_when_it_lists_operations_then_all_of_them_with_options_that_they_have():
    table = README.split("| operation | options | for |")[1].split("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()[2:]]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row[1])]
    assert sorted(named) == sorted(OPERATIONS)
    for row in rows:
        has = {
            field
            for name in re.findall(r"`(\w+)`", row[1])
            for field in OPERATIONS[name].options.model_fields
        }
        assert set(re.findall(r"`(\w+)", row[2])) <= has


def test_readme_when_it_shows_complaints_then_check_says_the_same(tmp_path):
    plant = Plant(tmp_path / "plant")
    plant.configure("station: a\nsinks:\n  mqtt: {prot: 1}\n")
    recipe = "preprocess:\n  - contrast: {}\n  - blur: {kernel_px: 4}\n"
    (plant.layout.recipes / "press-3.yaml").write_text(recipe)
    said = invoke("check", "--root", str(plant.root)).stdout
    (block,) = [block for block in blocks("") if "unknown key" in block]
    for line in block.strip().splitlines():
        assert line in said


def test_readme_when_it_names_commands_then_they_exist():
    shown = set(re.findall(r"markwatch ([a-z]+)\b", README)) - {"reads", "finds", "writes"}
    known = set(re.findall(r"^  ([a-z]+)  ", invoke("--help").stdout, re.MULTILINE))
    assert known <= shown
    assert known == {
        "watch",
        "read",
        "check",
        "status",
        "demo",
        "audit",
        "replay",
        "reread",
        "backup",
        "forget",
        "explain",
        "recipe",
        "bench",
        "plugins",
        "init",
        "evaluate",
        "train",
    }


def test_readme_when_it_names_fields_then_the_vocabulary_has_them():
    sentence = README.split("One flat row per mark")[1].split("more;")[0]
    named = re.findall(r"`([a-z0-9_]+)`", sentence)
    assert len(named) > 20
    assert set(named) <= set(vocabulary.NAMES)


def test_readme_when_a_page_links_to_another_then_that_is_there():
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
        assert not [link for link in links if not (page.parent / link).exists()], page


def test_readme_when_it_names_settings_then_they_load(tmp_path):
    shown = re.findall(r"`((?:sources|sinks): .*?)`", README)
    sections = ("cluster:", "recogniser:", "serve:", "sinks:")
    shown += [block for block in blocks("yaml") if block.startswith(sections)]
    assert len(shown) >= 11
    for index, text in enumerate(shown):
        plant = Plant(tmp_path / str(index))
        plant.configure(text + "\n")
        settings.load(plant.root)
