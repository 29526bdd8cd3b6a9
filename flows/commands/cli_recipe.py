"""The commands of those who set up a camera: `markwatch recipe ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.cli_root import Root

app = typer.Typer(
    name="recipe",
    help="Set up a camera: propose its recipe, measure it on labelled pictures, set its "
    "thresholds.\n\nExample: markwatch recipe new pictures/press-3",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def test(
    root: Root,
    recipe: Annotated[str, typer.Argument(help="name of a recipe of this root, or a recipe file")],
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns file,text (and field, for several fields): whole pictures "
            "and the codes on their parts; files relative to the CSV"
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="PNG for the sheet of failures",
            show_default="<recipe>-failures.png",
        ),
    ] = None,
) -> None:
    """Score a recipe on whole, labelled pictures, and draw a sheet of what it did not get right.

    Example: markwatch recipe test labels my/labels.csv
    """
    from flows.commands import recipe_score

    raise typer.Exit(recipe_score.score_recipe(root, recipe, labels, output))


@app.command()
def new(
    root: Root,
    images: Annotated[
        list[Path], typer.Argument(help="pictures of one camera, or their folder; 3 to 6 are best")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="file to write", show_default="the folder's recipe"),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="the code in each picture, in order; may be repeated"),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="CSV with file,text: the codes in the pictures")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="write over a recipe")] = False,
) -> None:
    """Propose a recipe from a few pictures, by trying and scoring, and say how sure it is.

    Example: markwatch recipe new pictures/press-3 --labels labels.csv -o conf/recipes/press-3.yaml
    """
    from flows.commands import recipe_new

    raise typer.Exit(
        recipe_new.propose(root, images, out, texts=text or (), labels=labels, force=force)
    )


@app.command("fit-threshold")
def fit_threshold(
    root: Root,
    recipe: Annotated[str, typer.Argument(help="name of a recipe of this root, or a recipe file")],
    labels: Annotated[
        Path, typer.Argument(help="CSV with file,text, and field where the recipe has several")
    ],
    false_reads: Annotated[
        str,
        typer.Option(metavar="SHARE", help="most of the codes given out that may be wrong: 0.1%"),
    ],
    write: Annotated[
        bool, typer.Option("--write", help="set the thresholds in the recipe's file")
    ] = False,
) -> None:
    """Set the thresholds of a recipe from labelled pictures, and say what they prove.

    Example: markwatch recipe fit-threshold press-3 labels.csv --false-reads 0.1% --write
    """
    from flows.commands import recipe_threshold

    raise typer.Exit(
        recipe_threshold.fit(root, recipe, labels, false_reads=false_reads, write=write)
    )
