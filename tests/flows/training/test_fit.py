"""The training loop on pictures that a tiny network can learn in seconds."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import torch

from flows.training import fit
from flows.training.network import Network, Shape
from flows.training.stream import Batch
from flows.training.validation import TIERS, ValidationSet

SHAPE = Shape(
    rows=16, columns=32, patch_rows=16, width=32, layers=1, decoder_layers=1, head_width=16
)
TEXTS = ("A", "7", "")
PICTURES = torch.randint(0, 256, (3, 16, 32), generator=torch.Generator().manual_seed(1)).byte()
CPU = torch.device("cpu")


def pictures() -> Iterator[Batch]:
    for _ in count():
        yield Batch(PICTURES, TEXTS)


def validation() -> ValidationSet:
    tiers = torch.arange(len(TIERS)).repeat_interleave(len(TEXTS))
    return ValidationSet(PICTURES.repeat(len(TIERS), 1, 1), TEXTS * len(TIERS), tiers)


def run(folder: Path, samples: int) -> fit.Run:
    torch.manual_seed(2)
    options = fit.FitOptions(
        samples=samples, warmup_samples=30, average=0.9, learning_rate=0.01, other_rate=0.01
    )
    return fit.Run(folder, Network(SHAPE), options, CPU)


def silent(line: str) -> None: ...


def test_fit_until_the_budget_is_spent_keeps_weights_that_read_the_set(tmp_path: Path) -> None:
    fitting = run(tmp_path, 300)
    fitting.fit(pictures(), validation(), silent)
    assert fitting.progress.samples == 300
    scores = validation().score(fit.read(fitting.best), CPU)
    assert [score.exact for score in scores] == [1.0] * len(TIERS)
    rows = list(csv.DictReader((tmp_path / "progress.csv").read_text().splitlines()))
    assert [row["samples"] for row in rows] == ["300"]
    assert float(rows[0]["hard_exact"]) == 1.0


def test_fit_when_interrupted_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Batch]:
        for at, batch in enumerate(pictures()):
            if at == 5:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 60).fit(interrupted(), validation(), silent)
    again = run(tmp_path, 60)
    assert (again.progress.samples, again.progress.batches) == (15, 5)
    again.fit(pictures(), validation(), silent)
    assert again.progress.samples == 60


def test_fit_with_a_budget_of_minutes_ends_when_they_are_spent(tmp_path: Path) -> None:
    options = fit.FitOptions(samples=1_000_000, minutes=0.01)
    fitting = fit.Run(tmp_path, Network(SHAPE), options, CPU)
    fitting.fit(pictures(), validation(), silent)
    assert 0.6 <= fitting.progress.seconds < 30
    assert fitting.progress.samples < 1_000_000


def test_averaged_weights_when_young_follow_the_network_closely(tmp_path: Path) -> None:
    fitting = run(tmp_path, 30)
    fitting.fit(pictures(), validation(), silent)
    averaged, now = fit.read(fitting.best).state_dict(), fitting.network.state_dict()
    start = run(tmp_path / "other", 30).network.state_dict()
    moved = sum((now[name] - start[name]).square().sum() for name in now)
    behind = sum((now[name] - averaged[name]).square().sum() for name in now)
    assert 0 < behind < 0.5 * moved
