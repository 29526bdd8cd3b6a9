"""A checkpoint to measure."""

from __future__ import annotations

import pytest
import trocr_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A random checkpoint with a CTC head, whose texts have at most eleven characters."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    return trocr_checkpoint.make(folder, positions=12, head=True)
