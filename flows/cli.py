"""The command line: thin. Each command imports what it needs when it runs, so `--help` is quick."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.commands import cli_bench, cli_explain, cli_ledger, cli_models, cli_recipe
from flows.commands.cli_root import Root
from flows.files.filenames import printable
from stages.errors import MarkwatchError

app = typer.Typer(
    name="markwatch",
    help="Reads the marks on parts: pictures from a folder, codes to MQTT, Parquet and CSV.\n\n"
    "Example: markwatch init my-line && markwatch watch --root my-line",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
    from flows.commands import running

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
    from flows.commands import reading

    raise typer.Exit(reading.read(root, paths, recipe, as_json=json))


@app.command()
def check(root: Root) -> None:
    """Prove the configuration, the folders, the models and every sink before work starts.

    Example: markwatch check --root my-line
    """
    from flows.commands import checks

    raise typer.Exit(checks.check(root))


@app.command()
def status(
    root: Root,
    json: Annotated[bool, typer.Option("--json", help="print only JSON")] = False,
) -> None:
    """Show what the ledger knows: pictures seen and reported, each sink's backlog and last error.

    Example: markwatch status --json
    """
    from flows.commands import status as status_flow

    status_flow.show(root, as_json=json)


@app.command()
def demo(
    root: Annotated[
        Path, typer.Option("--root", help="folder for the demo; made anew each time")
    ] = Path("demo"),
    stay: Annotated[
        bool, typer.Option("--stay", help="go on with the page and the inbox until Ctrl-C")
    ] = False,
) -> None:
    """Run the whole walk on the sample pictures, with a broker, a camera, a subscriber and a page.

    Example: markwatch demo --stay
    """
    from flows.commands import demo as demo_flow

    raise typer.Exit(demo_flow.demo(root, stay=stay))


app.command()(cli_explain.explain)
app.command()(cli_ledger.audit)
for each in (cli_ledger.replay, cli_ledger.reread, cli_ledger.backup, cli_ledger.forget):
    app.command()(each)
app.command()(cli_bench.bench)
app.command()(cli_models.evaluate)
app.command()(cli_models.train)
app.add_typer(cli_recipe.app)


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
    from flows.commands import inventory

    for line in inventory.options() if options else inventory.lines(root):
        typer.echo(line)


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="folder to make")]) -> None:
    """Make a new root with commented files, so that a site keeps its own folder.

    Example: markwatch init my-line
    """
    from flows.commands import site

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
            print(f"markwatch: {printable(line)}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
