"""The house's rule: imports point from flows to stages, and a stage sees no clock."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = sorted((ROOT / "stages").rglob("*.py"))
WORLD = {"time", "logging", "structlog", "socket", "urllib", "requests", "random"}


def imported(path: Path) -> set[str]:
    """The first name of every import of a module, also of those inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_stage_when_it_imports_then_neither_flows_nor_the_world(path):
    names = imported(path)
    assert "flows" not in names
    assert not names & WORLD


def test_contributing_when_it_says_where_a_failure_is_answered_then_that_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("| | what they hit | answered by |")[1].split("\n\n")[0]
    rows = [line.split("|") for line in table.splitlines()[2:]]
    assert [int(row[1]) for row in rows] == list(range(1, 26))
    tests = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tests.update(
            node.name.partition("_then")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        )
    gates = {int(path.name[5:7]) for path in (ROOT / "tests" / "faults").glob("gate_*.py")}
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row[3])
        numbers = re.search(r"gates? ([\d, ]+)", row[3])
        wanted = {int(number) for number in numbers[1].split(",")} if numbers else set()
        assert named, row
        assert set(named) <= tests, set(named) - tests
        assert wanted <= gates, row


def test_modules_when_looked_at_then_each_says_what_it_is_for():
    for package in ("flows", "stages"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert not text.strip() or ast.get_docstring(ast.parse(text)), path
