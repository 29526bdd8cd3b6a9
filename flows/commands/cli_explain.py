"""The command that shows how a picture was read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.cli_root import Root


def explain(
    root: Root,
    image: Annotated[
        str, typer.Argument(help="a picture, or the `id` of a row that this root delivered")
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="name of a recipe of this root, or a recipe file",
            show_default="that of the camera whose folder the picture lies in, or `default`",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="PNG to write", show_default="<picture>-explained.png"),
    ] = None,
) -> None:
    """Draw one sheet that shows each step on the way from the picture to the code, and why.

    Example: markwatch explain data/samples/press-3-01.png --recipe press-3
    """
    from flows.commands import explain as explaining

    raise typer.Exit(explaining.explain(root, image, recipe, output))
