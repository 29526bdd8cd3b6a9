"""`--root`, the option of every command that works on a site's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _default_root() -> Path:
    checkout = Path(__file__).resolve().parents[2]
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
