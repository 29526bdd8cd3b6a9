"""The command: tables on standard output, complaints on standard error, files where asked for."""

from __future__ import annotations

import csv
import re
import signal
import subprocess

import markwatch_faults as faults
import pytest
from commands import invoke
from made import picture
from plants import COMMAND, Plant, environment, wait_until


@pytest.fixture
def crops(tmp_path):
    """Two sets of pictures that the scripted recogniser reads as G100, G101 ..."""
    paths = []
    for name, texts in (("good", ["G100", "g-101", "G102", ""]), ("poor", ["G100", "X101"])):
        rows = [f"{number}.png,{text}" for number, text in enumerate(texts)]
        for number, _ in enumerate(texts):
            picture(tmp_path / name / f"{number}.png", 100 + number)
        paths.append(tmp_path / name / "labels.csv")
        paths[-1].write_text("\n".join(["file,text", *rows]) + "\n")
    return paths


def cells(stdout, set_name, recogniser):
    """The cells of the first row of this set and recogniser."""
    rows = [line.split() for line in stdout.splitlines()]
    return next(row[2:] for row in rows if row[:2] == [set_name, recogniser])


def test_evaluate_when_done_then_a_row_for_each_set_and_a_mean_and_all_files(crops, tmp_path):
    out, curve = tmp_path / "out.csv", tmp_path / "risk.png"
    paths = map(str, crops)
    done = invoke(
        *(
            "evaluate",
            *paths,
            "--recogniser",
            "scripted",
            "--recogniser",
            "scripted:marker=/dev/null",
        ),
        *("--predictions", str(out), "--curve", str(curve)),
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "scripted: scripted@00000000" in done.stdout
    good = cells(done.stdout, "good", "scripted")
    assert good[:7] == ["4", "75.0", "%", "(50.0", "%)", "33.3", "%"]
    assert "1/1" in good
    assert cells(done.stdout, "mean", "scripted")[:3] == ["6", "62.5", "%"]
    assert "G>X" not in done.stdout
    assert cells(done.stdout, "poor", "scripted:marker=/dev/null")[1] == "50.0"
    assert "X>G 1" in done.stdout
    assert curve.stat().st_size > 1000
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert list(rows[0]) == ["set", "recogniser", "file", "text", "predicted", "confidence", "ms"]
    assert [row["predicted"] for row in rows if row["text"] == "X101"] == ["G101"] * 2


def test_evaluate_when_no_recogniser_is_named_then_the_sites_and_a_recipe_is_compared_by_code(
    crops, tmp_path
):
    plant = Plant(tmp_path / "plant")
    plant.configure(
        "recogniser: {use: scripted}\n",
        recipe="fields: [{detect: {use: everything}, map: {format: 'G10[12]'}}]\n",
    )
    root = ("--root", str(plant.root))

    plain = invoke("evaluate", str(crops[0]), *root)
    coded = invoke("evaluate", str(crops[0]), "--recipe", "default", "--limit", "3", *root)

    assert cells(plain.stdout, "good", "scripted")[0] == "4"
    assert cells(coded.stdout, "good", "default")[:2] == ["3", "66.7"]
    assert "scripted@00000000 in recipe default@" in coded.stdout


def test_evaluate_when_rows_and_pictures_are_bad_then_told_and_the_others_are_measured(crops):
    (crops[1].parent / "1.png").write_bytes(b"no picture")
    with crops[1].open("a") as file:
        file.write("none.png,A\n")

    done = invoke("evaluate", str(crops[1]), "--recogniser", "scripted")

    assert done.returncode == 65
    assert cells(done.stdout, "poor", "scripted")[:2] == ["1", "100.0"]
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("markwatch: ") for line in lines)
    assert f"{crops[1]}:4: no such picture" in lines[0]
    assert f"{crops[1]}:3: 1.png: not a picture" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("nowhere.csv",), 78, "no such file: nowhere.csv"),
        (("{labels}", "--recogniser", "nothing"), 78, "no recogniser is called 'nothing'"),
        (("{labels}", "--recogniser", "scripted:a=1"), 78, "a: unknown key"),
        (("{labels}", "--recogniser", "trocr:checkpoint=no/such"), 69, "is not on this machine"),
        (("{labels}", "--recipe", "nothing"), 78, "no recipe is called 'nothing'"),
        (("{labels}", "--predictions", "{labels}"), 78, "write the predictions elsewhere"),
        (("{labels}", "--predictions", "none/out.csv"), 78, "no such folder: none; make it"),
        (("{labels}", "--predictions", "."), 78, "choose another file"),
        (("{labels}", "--curve", "risk.xyz"), 78, "no kind of picture"),
    ],
)
def test_evaluate_when_misused_then_says_so_in_one_line(crops, arguments, status, words):
    given = [each.format(labels=crops[0]) for each in arguments]
    before = crops[0].read_text()

    done = invoke("evaluate", *given)

    assert done.returncode == status
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert crops[0].read_text() == before


def test_evaluate_when_an_engine_is_not_there_then_a_file_of_predictions_stays_as_it_was(
    crops, tmp_path
):
    out = tmp_path / "out.csv"
    out.write_text("of the last time")

    done = invoke(
        *("evaluate", str(crops[0]), "--recogniser", "scripted"),
        *("--recogniser", "trocr:checkpoint=no/such", "--predictions", str(out)),
    )

    assert done.returncode == 69
    assert len(done.stderr.splitlines()) == 1
    assert out.read_text() == "of the last time"


def test_evaluate_when_no_reading_has_a_character_then_the_table_names_it(crops):
    crops[0].write_text("file,text\n0.png,Ω100\n")

    done = invoke("evaluate", str(crops[0]), "--recogniser", "scripted")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"good +scripted +\+G 1 +-Ω 1", done.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_evaluate_when_stopped_then_what_was_read_is_kept(tmp_path, number):
    # the second picture hangs
    for name, level in (("0", 100), ("1", faults.HANG)):
        picture(tmp_path / f"{name}.png", level)
    labels, out = tmp_path / "labels.csv", tmp_path / "out.csv"
    labels.write_text("file,text\n0.png,G100\n1.png,G101\n")
    command = [*COMMAND, "evaluate", str(labels), "--recogniser", "scripted"]
    process = subprocess.Popen(
        [*command, "--predictions", str(out)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    wait_until(lambda: out.exists() and "0.png" in out.read_text(), "the first prediction")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)

    assert out.read_text().splitlines()[1].startswith("0.png,G100,G100,")
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert said == f"markwatch: stopped after 1 of 2 pictures; {out} holds them\n"
