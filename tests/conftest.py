"""Fixtures for every test: the corpus of bad and odd files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings


def _load(name: str) -> ModuleType:
    """Import a module that lies beside this file: tests are no package."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def poison() -> ModuleType:
    """The module `tests/poison.py`."""
    return _load("poison")


@pytest.fixture
def poison_corpus(poison: ModuleType, tmp_path: Path) -> list:
    """A fresh corpus in its own folder: a list of `poison.Case`."""
    folder = tmp_path / "poison"
    folder.mkdir()
    return poison.make(folder)


# Machines that build are shared: how long one example takes says nothing about the code.
settings.register_profile("markwatch", deadline=None)
settings.load_profile("markwatch")
