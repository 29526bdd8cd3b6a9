"""Predictions and label files that several tests of the evaluation make."""

from __future__ import annotations

import pytest

from flows.evaluation.predictions import Prediction


@pytest.fixture
def prediction():
    """Make a prediction: `prediction("A1", "A7", 0.9)`."""

    def make(text, predicted, confidence=None, *, ms=1.0, contender="one"):
        if confidence is None and predicted:
            confidence = 0.5
        return Prediction(contender, "a.png", text, predicted, confidence, ms)

    return make


@pytest.fixture
def write_labels(tmp_path):
    """Write `labels.csv` into a folder of its own: `write_labels("set", "file,text\\n...")`."""

    def write(folder, content, name="labels.csv"):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
