"""The commands of those who measure how well is read, and who train the embedded model."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.cli_root import Root
from stages.errors import ConfigError


def evaluate(
    root: Root,
    labels: Annotated[
        list[Path],
        typer.Argument(help="CSV files with the columns file,text; files relative to the CSV"),
    ],
    recogniser: Annotated[
        list[str] | None,
        typer.Option(help="NAME or NAME:key=value,...; may be repeated", show_default="the site's"),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="read whole pictures by this recipe, and compare the code",
            show_default="pictures are crops of one line",
        ),
    ] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="CSV to write: file,text,predicted,confidence,ms")
    ] = None,
    curve: Annotated[
        Path | None, typer.Option(help="picture to write: risk and coverage, and reliability")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="threads that work on one picture")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="only the first so many pictures of each CSV")
    ] = None,
) -> None:
    """Measure how well labelled pictures are read, by one or more recognisers side by side.

    Example: markwatch evaluate my/labels.csv --recogniser rapidocr --recogniser tesseract
    """
    from flows.evaluation import evaluate as evaluation

    raise typer.Exit(
        evaluation.evaluate(
            root,
            labels,
            recognisers=recogniser or (),
            recipe=recipe,
            predictions=predictions,
            curve=curve,
            threads=threads,
            limit=limit,
        )
    )


def train(
    root: Root,
    run: Annotated[Path, typer.Argument(help="folder of the run; an existing one goes on")],
    material: Annotated[
        Path | None,
        typer.Option(help="folder that `python -m flows.training.material.fetch` filled"),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="checkpoint to start from",
            show_default="random weights; with labels the shipped one",
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="CSV with file,text: adapt to these crops; may be repeated"),
    ] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(help="format of the codes to render beside the crops; may be repeated"),
    ] = None,
    font: Annotated[
        list[Path] | None, typer.Option(help="font to render them in; may be repeated")
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1, help="pictures to learn from", show_default="3,000,000; with labels 12,000"
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="end after so many minutes of fitting")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="processes that render")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="threads that fit")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
) -> None:
    """Train the embedded TrOCR on rendered marks, or adapt it to labelled crops of your camera.

    Example: markwatch train tuned --from data/models/trocr-marks --labels my/labels.csv
    """
    from flows.training.stopping import stoppable

    if (format or font) and not labels:
        raise ConfigError("`--format` and `--font` go with `--labels`; add `--labels LABELS.csv`")
    say = partial(typer.echo, err=True)
    with stoppable(run, say) as stop:
        say("loading PyTorch")
        from flows.training import train as training

        budget = training.Budget(samples, minutes, processes, threads, device)
        if labels:
            training.adapt(root, run, start, labels, format or (), font or (), material, budget)
        else:
            training.train(run, material, start, budget, stop.held)
