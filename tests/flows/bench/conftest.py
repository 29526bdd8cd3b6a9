"""A checkpoint to measure, and threads that are given back."""

from __future__ import annotations

import pytest
import trocr_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A random checkpoint with a CTC head, whose texts have at most eleven characters."""
    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    return trocr_checkpoint.make(folder, positions=12, head=True)


@pytest.fixture
def threads_as_they_were(monkeypatch):
    """What a bench sets is for a process of its own; the other tests go on as before."""
    import cv2
    import torch

    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])
