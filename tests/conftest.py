"""Fixtures for every test: the corpus of bad and odd files, a log that no other test set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import poison as corpus
import pytest
import structlog
from hypothesis import settings

# Machines that build are shared: how long one example takes says nothing about the code.
settings.register_profile("markwatch", deadline=None)
settings.load_profile("markwatch")


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """A command that runs in this process sets up its log; the next test's is not to be."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


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
