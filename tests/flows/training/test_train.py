"""`markwatch train`, from rendered marks to a checkpoint that reads, and its refusals."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flows.evaluation.labels import read_sets
from flows.training import stream, train, tune, validation
from flows.training.export import export, load
from flows.training.frozen import render
from flows.training.network import Network, Shape
from flows.training.validation import TIERS
from stages.errors import ConfigError

SMALL = Shape(width=32, layers=1, decoder_layers=1, head_width=16)
BUDGET = train.Budget(samples=64, minutes=None, processes=1, threads=1, device="cpu")


@pytest.fixture(autouse=True, scope="module")
def few_surfaces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation, "_PAINTED", 13)
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start") / "checkpoint"
    torch.manual_seed(4)
    export(Network(SMALL), folder)
    return folder


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, material: Path) -> Path:
    root = tmp_path_factory.mktemp("root")
    render(material, root / train.EVALUATION, count=4)
    return root


def labelled(folder: Path, texts: list[str]) -> Path:
    """Crops with their texts drawn on them, and the CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "text"])
        for at, text in enumerate(texts):
            crop = np.full((40, 160), 200, np.uint8)
            cv2.putText(crop, text, (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 20, 2)
            cv2.imwrite(str(folder / f"{at}.png"), crop)
            writer.writerow([f"{at}.png", text])
    return folder / "labels.csv"


def test_train_from_a_checkpoint_goes_on_and_publishes_the_best(
    tmp_path: Path,
    material: Path,
    start: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(train, "_VALIDATION", 4)
    monkeypatch.setattr(stream, "_SURFACES", 13)
    run = tmp_path / "run"
    checkpoint = train.train(run, material, start, BUDGET)
    assert load(checkpoint).shape == SMALL
    credits = (checkpoint / "material.csv").read_text().splitlines()
    assert credits[1:] == [
        "sans,anonymous-pro,OFL-1.1,test,1,held out",
        "sans,arimo,OFL-1.1,test,1,trained",
        "texture,steel,CC0-1.0,test,1,trained",
    ]
    assert len((run / "progress.csv").read_text().splitlines()) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if not line.startswith("  ")] == [
        "rendering what the run is judged by, once: 4 pictures, clean",
        "rendering what the run is judged by, once: 4 pictures, plant",
        "rendering what the run is judged by, once: 4 pictures, hard",
        f"opening the typefaces and textures of {material}",
        "fitting on cpu: 0 of 64 pictures",
        "calibrating the best weights",
        f"{checkpoint}: the best weights so far",
    ]
    # the budget is spent: nothing more is fitted
    assert train.train(run, material, start, BUDGET) == checkpoint


def test_train_without_material_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"python -m flows\.training\.material\.fetch FOLDER"):
        train.train(tmp_path, None, None, BUDGET)


def test_budget_with_a_device_that_is_not_there_says_what_to_try() -> None:
    nowhere = train.Budget(None, None, 1, None, "cuda:77")
    with pytest.raises(ConfigError, match="try `--device cpu`"):
        nowhere.place()


def test_frozen_set_when_rendered_again_is_the_same(
    tmp_path: Path, material: Path, frozen: Path
) -> None:
    render(material, tmp_path, count=4)
    for tier in TIERS:
        (labels,) = read_sets([tmp_path / tier.name / "labels.csv"])
        assert len(labels.labels) == 4
        for label in labels.labels:
            other = frozen / train.EVALUATION / tier.name / label.file
            assert label.path.read_bytes() == other.read_bytes()


def test_adapt_to_crops_gives_a_checkpoint_that_is_no_worse(
    tmp_path: Path, frozen: Path, start: Path
) -> None:
    labels = labelled(tmp_path / "mine", [f"A{number:03}" for number in range(25)])
    budget = train.Budget(samples=24, minutes=None, processes=1, threads=1, device="cpu")
    folder = train.adapt(frozen, tmp_path / "run", start, [labels], ["A[0-9]{3}"], [], None, budget)
    assert load(folder).shape == SMALL


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["A1"] * 19, "19 labelled crops are too few; label at least 20"),
        (
            ["A1"] * 20 + ["Ω"],
            r"mine/labels\.csv:22: `Ω` has Ω, unknown to the network; leave the row out",
        ),
        (
            ["A1"] * 20 + ["1" * 25],
            r"mine/labels\.csv:22: `1+` is over 24 characters; leave the row out",
        ),
    ],
)
def test_adapt_with_labels_that_do_not_do_says_why(
    tmp_path: Path, frozen: Path, start: Path, texts: list[str], complaint: str
) -> None:
    labels = labelled(tmp_path / "mine", texts)
    with pytest.raises(ConfigError, match=complaint):
        train.adapt(frozen, tmp_path / "run", start, [labels], [], [], None, BUDGET)


@pytest.mark.parametrize(
    ("formats", "run", "from_", "complaint"),
    [
        (["[A-Z"], "run", None, "--format: .*is not closed"),
        (["Ä[0-9]"], "run", None, "--format: "),
        ([], "mine/labels.csv", None, "choose another folder"),
        ([], "run", "nowhere", "no such folder"),
    ],
)
def test_adapt_with_options_that_do_not_do_says_why(
    tmp_path: Path,
    frozen: Path,
    start: Path,
    formats: list[str],
    run: str,
    from_: str | None,
    complaint: str,
) -> None:
    labels = labelled(tmp_path / "mine", ["A1"] * 20)
    chosen = tmp_path / from_ if from_ else start
    with pytest.raises(ConfigError, match=complaint):
        train.adapt(frozen, tmp_path / run, chosen, [labels], formats, [], None, BUDGET)


def test_adapt_in_the_folder_of_another_run_is_refused(
    tmp_path: Path, frozen: Path, start: Path
) -> None:
    budget = train.Budget(samples=2, minutes=None, processes=1, threads=1, device="cpu")
    mine, other = (labelled(tmp_path / name, [name[0]] * 20) for name in ("A", "B"))
    train.adapt(frozen, tmp_path / "run", start, [mine], [], [], None, budget)
    with pytest.raises(ConfigError, match="begun with other labels"):
        train.adapt(frozen, tmp_path / "run", start, [other], [], [], None, budget)


def test_adapt_with_rows_that_do_not_do_says_all_of_them_with_their_lines(
    tmp_path: Path, frozen: Path, start: Path
) -> None:
    labels = labelled(tmp_path / "mine", [*["A1"] * 20, "Ω", "Ä"])
    (tmp_path / "mine" / "7.png").unlink()
    (tmp_path / "mine" / "8.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError) as caught:
        train.adapt(frozen, tmp_path / "run", start, [labels], [], [], None, BUDGET)
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{labels}:").partition(": ")[0] for line in lines] == [
        *("9", "10", "22", "23")
    ]
    assert "no such picture" in lines[0]
    assert "8.png does not open as a picture; leave the row out" in lines[1]


def test_rendering_over_a_set_without_material_leaves_it_as_it_was(
    tmp_path: Path, frozen: Path
) -> None:
    labels = frozen / train.EVALUATION / "clean" / "labels.csv"
    before = labels.read_bytes()
    with pytest.raises(ConfigError, match=r"flows\.training\.material\.fetch"):
        render(tmp_path, frozen / train.EVALUATION)
    assert labels.read_bytes() == before


@pytest.mark.parametrize(
    ("general", "yours", "complaint"),
    [(0.7, 0.9, "of the general set"), (0.9, 0.4, "of your crops kept aside")],
)
def test_tuned_weights_that_read_worse_are_refused(
    general: float, yours: float, complaint: str
) -> None:
    def scores(general: float, yours: float) -> dict[str, tune.Score]:
        return {
            tune.GENERAL: tune.Score(tune.GENERAL, general, 0.0, 400),
            tune.YOURS: tune.Score(tune.YOURS, yours, 0.0, 20),
        }

    said = tune._complaint(scores(0.9, 0.5), scores(general, yours))
    assert re.match(f"refused: .*{complaint}", said)
    assert not tune._complaint(scores(0.9, 0.5), scores(0.9, 0.5))
