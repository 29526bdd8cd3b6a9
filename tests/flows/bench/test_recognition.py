"""The benchmark of recognition: turns, texts, and the command."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from flows import cli
from flows.bench.recognition import Row, Stock, bench, measure
from stages.errors import ConfigError, ImageError, PluginError
from stages.recognisers.checkpoint import open_checkpoint


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """What the command sets is for a process of its own; the other tests go on as before."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.fixture
def labels(tmp_path):
    """Write `labels.csv` for crops of these texts; nothing is drawn for an empty one."""

    def write(*texts):
        rows = ["file,text"]
        for number, text in enumerate(texts):
            pixels = np.full((32, 160), 200, np.uint8)
            cv2.putText(pixels, text, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 30, 2, cv2.LINE_AA)
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
            rows.append(f"{number}.png,{text}")
        (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
        return tmp_path / "labels.csv"

    return write


def test_measure_when_rows_take_turns_then_batches_are_whole_and_texts_in_order():
    calls = []

    def reader(name):
        def read(crops):
            calls.append((name, [int(crop[0, 0]) for crop in crops]))
            return [f"{name}{crop[0, 0]}" for crop in crops]

        return read

    crops = [np.full((1, 1), number, np.uint8) for number in range(5)]
    turns = []

    one, three = measure(
        [Row("a", 1, reader("a")), Row("b", 3, reader("b"))],
        crops,
        lambda done: turns.append((len(calls), done)),
    )

    assert calls[:2] == [("a", [0]), ("b", [0, 1, 2])]
    assert calls[2:6] == [("a", [0]), ("a", [1]), ("a", [2]), ("b", [0, 1, 2])]
    assert calls[6:] == [("a", [3]), ("a", [4]), ("b", [3, 4, 0])]
    assert turns == [(6, 3), (9, 5)]
    assert one.texts == ("a0", "a1", "a2", "a3", "a4")
    assert three.texts == ("b0", "b1", "b2", "b3", "b4")
    assert [len(one.wall_ms), len(three.wall_ms)] == [5, 2]


def test_stock_when_the_checkpoint_asks_for_beams_then_greedy_to_the_last_place(checkpoint):
    crops = [np.random.default_rng(1).integers(0, 255, (20, 80), np.uint8)] * 2
    opened = open_checkpoint(checkpoint, "tiny")
    plain = Stock(opened)(crops)
    opened.network.generation_config.update(num_beams=4, max_length=5, no_repeat_ngram_size=1)

    texts = Stock(opened)(crops)

    assert texts == plain
    assert len(texts[0]) == len(texts[1]) > 5


def test_bench_when_run_then_a_row_each_and_float32_reads_as_generate(checkpoint, labels):
    crops = str(labels("LOT 4711", "", "S/N 12"))

    done = CliRunner().invoke(
        cli.app, ["bench", "--recognition", crops, "--checkpoint", str(checkpoint)]
    )

    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert "tiny@" in done.stdout
    assert "2 crops" in done.stdout
    assert "(1 blank ones left out), 1 thread, " in done.stdout
    full = [line for line in lines if line[:3] == ["one", "look,", "float32"]]
    assert [line[3] for line in full] == ["1", "8", "32"]
    assert [line[-3:] for line in full] == [["2/2", "(100.00", "%)"]] * 3
    assert [line[1] for line in lines if line[:1] == ["generate"]] == ["1", "8", "32"]
    (first,) = (line for line in lines if line[:2] == ["trocr", "1"])
    assert first[4] == first[6] == "1.00"
    judged = [line for line in lines if line[:3] == ["with", "an", "opinion"]]
    assert [line[3] for line in judged] == ["1", "8", "32"]
    assert sum(line[:1] == ["rapidocr"] for line in lines) == 1
    left_out = "tesseract is left out: " in done.stderr
    assert left_out != any(line[:1] == ["tesseract"] for line in lines)
    assert "limit: a crop with" in done.stdout


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda path: path.unlink(), ConfigError, "no such file"),
        (
            lambda path: (path.parent / "0.png").write_bytes(b"no"),
            ImageError,
            r"labels\.csv:2: 0\.png: .*; leave the row out",
        ),
    ],
)
def test_bench_when_the_crops_are_bad_then_says_which(labels, spoil, error, words):
    path = labels("A1")
    spoil(path)

    with pytest.raises(error, match=words):
        bench([path], checkpoint=None, threads=1, limit=None)


def test_bench_when_several_pictures_are_bad_then_told_at_once(labels):
    path = labels("A1", "B2", "C3")
    for name in ("0.png", "2.png"):
        (path.parent / name).write_bytes(b"")

    with pytest.raises(ImageError) as caught:
        bench([path], checkpoint=None, threads=1, limit=None)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{path}:2", f"{path}:4"]


def test_bench_when_there_is_nothing_to_read_then_refuses(labels):
    with pytest.raises(ConfigError, match="every picture is blank"):
        bench([labels("")], checkpoint=None, threads=1, limit=None)
    with pytest.raises(PluginError, match="is not on this machine"):
        bench([labels("A1")], checkpoint="no/such", threads=1, limit=1)
