"""The command line: thin. Each command imports what it needs when it runs, so `--help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stages.errors import ConfigError, MarkwatchError

app = typer.Typer(
    name="markwatch",
    help="Reads the marks on parts: pictures from a folder, codes to MQTT, Parquet and CSV.\n\n"
    "Example: markwatch init my-line && markwatch watch --root my-line",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _default_root() -> Path:
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "conf").is_dir() else Path.cwd()


Root = Annotated[
    Path,
    typer.Option(
        "--root",
        envvar="MARKWATCH_ROOT",
        help="folder that holds conf/ and data/",
        default_factory=_default_root,
        show_default="the checkout",
    ),
]


@app.command()
def watch(
    root: Root,
    once: Annotated[
        bool, typer.Option("--once", help="read what is there, deliver it, and end")
    ] = False,
) -> None:
    """Watch the inboxes, read what arrives, deliver it; SIGTERM finishes what is in flight.

    Example: markwatch watch --root my-line
    """
    from flows import running

    raise typer.Exit(running.watch(root, once=once))


@app.command()
def read(
    root: Root,
    paths: Annotated[list[Path], typer.Argument(help="pictures, or folders of pictures")],
    recipe: Annotated[
        str, typer.Option(help="name of a recipe of this root, or a recipe file")
    ] = "default",
    json: Annotated[bool, typer.Option("--json", help="print only JSON Lines")] = False,
) -> None:
    """Read pictures now, without broker or ledger, and show what was read.

    Example: markwatch read data/samples --recipe labels --json
    """
    from flows import reading

    raise typer.Exit(reading.read(root, paths, recipe, as_json=json))


@app.command()
def check(root: Root) -> None:
    """Prove the configuration, the folders, the models and every sink before work starts.

    Example: markwatch check --root my-line
    """
    from flows import checks

    raise typer.Exit(checks.check(root))


@app.command()
def status(
    root: Root,
    json: Annotated[bool, typer.Option("--json", help="print only JSON")] = False,
) -> None:
    """Show what the ledger knows: pictures seen and reported, each sink's backlog and last error.

    Example: markwatch status --json
    """
    from flows import status as status_flow

    status_flow.show(root, as_json=json)


@app.command()
def demo(
    root: Annotated[
        Path, typer.Option("--root", help="folder for the demo; made anew each time")
    ] = Path("demo"),
) -> None:
    """Run the whole walk on the sample pictures, with a broker, a camera and a subscriber.

    Example: markwatch demo
    """
    from flows import demo as demo_flow

    raise typer.Exit(demo_flow.demo(root))


@app.command()
def bench(
    pictures: Annotated[int, typer.Option(help="pictures waiting in the inbox")] = 200,
    drops: Annotated[int, typer.Option(help="pictures dropped one at a time")] = 60,
    recognition: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="LABELS.csv",
            help="measure `trocr` beside `generate` and its peers on these crops instead; "
            "may be repeated",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="recognition: folder or id of a checkpoint", show_default="trocr's own"),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="recognition: threads that work on one call")
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="recognition: only the first so many crops of each CSV"),
    ] = None,
) -> None:
    """Measure the walk beside a bare loop of the same stages, and its latency; or recognition.

    Example: markwatch bench --pictures 500
    """
    if recognition:
        from flows.bench import recognition as recognition_bench

        recognition_bench.bench(recognition, checkpoint=checkpoint, threads=threads, limit=limit)
    else:
        from flows.bench import walk

        walk.bench(pictures, drops)


@app.command()
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


@app.command()
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
    from flows.training import train as training

    if (format or font) and not labels:
        raise ConfigError("`--format` and `--font` go with `--labels`; add `--labels LABELS.csv`")
    budget = training.Budget(samples, minutes, processes, threads, device)
    if labels:
        training.adapt(root, run, start, labels, format or (), font or (), material, budget)
    else:
        training.train(run, material, start, budget)


@app.command()
def plugins(
    root: Root,
    options: Annotated[
        bool, typer.Option("--options", help="list operations and plug-ins with their options")
    ] = False,
) -> None:
    """List the installed sources, detectors, recognisers and sinks; * marks those in use.

    Example: markwatch plugins --options
    """
    from flows import inventory

    for line in inventory.options() if options else inventory.lines(root):
        typer.echo(line)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="folder to make")]) -> None:
    """Make a new root with commented files, so that a site keeps its own folder.

    Example: markwatch init my-line
    """
    from flows import site

    site.init(directory)
    typer.echo(f"made {directory}; drop pictures into {directory}/data/inbox/<camera>/ and run")
    typer.echo(f"  markwatch watch --root {directory}")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"markwatch {version('markwatch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The console script: a known error is one line with its remedy and its own exit code."""
    try:
        app()
    except MarkwatchError as error:
        for line in str(error).splitlines():
            print(f"markwatch: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
