"""Fixtures for every test: the corpus of bad and odd files."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import poison as corpus
import pytest
from hypothesis import settings

# Machines that build are shared: how long one example takes says nothing about the code.
settings.register_profile("markwatch", deadline=None)
settings.load_profile("markwatch")


@pytest.fixture(scope="session")
def poison() -> ModuleType:
    """The module `tests/poison.py`."""
    return corpus


@pytest.fixture
def poison_corpus(tmp_path: Path) -> list[corpus.Case]:
    """A fresh corpus in its own folder."""
    folder = tmp_path / "poison"
    folder.mkdir()
    return corpus.make(folder)
