"""Small TrOCR checkpoints, and line crops that a person can read."""

import cv2
import numpy as np
import pytest
import trocr_checkpoint


@pytest.fixture(scope="session")
def random_trocr(tmp_path_factory):
    """A random checkpoint with one token per character."""
    return trocr_checkpoint.make(tmp_path_factory.mktemp("checkpoint") / "random-trocr")


@pytest.fixture(scope="session")
def random_bytes_trocr(tmp_path_factory):
    """A random checkpoint with byte-level BPE tokens, as microsoft/trocr has them."""
    folder = tmp_path_factory.mktemp("checkpoint") / "random-bytes-trocr"
    return trocr_checkpoint.make(folder, tokenizer="bytes")


@pytest.fixture(scope="module")
def one_thread():
    """Small networks gain nothing from a second thread, and wait for it on a busy machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def line():
    """Make an RGB crop of one line: `line("LOT 4711")`."""

    def draw(text, *, height=44, ink=(30, 30, 30), paper=(205, 205, 205)):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)
        crop = np.full((height, width + 20, 3), paper, np.uint8)
        place = (10, height - 11)
        cv2.putText(crop, text, place, cv2.FONT_HERSHEY_SIMPLEX, 1.0, ink, 2, cv2.LINE_AA)
        crop.flags.writeable = False
        return crop

    return draw
