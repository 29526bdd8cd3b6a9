"""The `explain` command: one picture in, one sheet out that shows how it was read, and the rows."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from rich.console import Console

from flows import telemetry, vocabulary
from flows.commands import reading
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout, Settings
from flows.engines import ENGINES, warm
from flows.files.filenames import printable
from flows.sheets import saving, seeing
from flows.sheets.explained import explained
from stages.errors import ConfigError, ImageError
from stages.records import Failure, ImageRef


def explain(root: Path, picture: str, recipe: str | None, output: Path | None) -> int:
    """Draw the sheet and print what was read; 0, or ImageError's status when the picture failed.

    `picture` is a path, or the `id` of a row (of a picture) that this root's ledger knows.

    Raises:
        MarkwatchError: there is no such picture, or the configuration or the recipe is wrong, or
            the sheet cannot be written.
    """
    site = settings.load(root)
    telemetry.configure(site.log.model_copy(update={"level": "warning"}))
    layout = Layout(root)
    path, expected = picture_of(layout, picture)
    plan = plan_of(layout, path, recipe, site)
    sheet = output or Path(f"{printable(path.stem)}-explained.png")
    saving.require(sheet)
    replaced = sheet.exists()
    image = reading.image_of(path)
    if expected is not None and isinstance(image, ImageRef):
        image = replace(image, expected=expected)
    try:
        seen = _seen(image, plan, site)
    finally:
        ENGINES.close()
    reading.show(
        vocabulary.rows(seen.outcome, station=site.station, first_seq=1, read_at=datetime.now(UTC))
    )
    saving.save(explained(seen), sheet)
    said = f"{sheet} {'written anew' if replaced else 'written'}, under recipe {plan.version}"
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(said)
    return ImageError.exit_code if isinstance(seen.outcome, Failure) else 0


def _seen(image: ImageRef | Failure, plan: recipes.Recipe, site: Settings) -> seeing.Seen:
    if isinstance(image, Failure):
        return seeing.Seen(image, plan, ())
    # loaded first, so that the milliseconds are those of the work
    warm(plan.engines)
    return seeing.see(image, plan, site.decode)


def picture_of(layout: Layout, picture: str) -> tuple[Path, str | None]:
    """The file that a path names, or that the ledger filed under an id with its expected code.

    Raises:
        ConfigError: there is no such file or id, or its file is gone.
    """
    path = Path(picture)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name one picture")
    if path.exists():
        return path, None
    try:
        key = str(UUID(picture[:36]))
    except ValueError:
        raise ConfigError(f"no such picture: {picture}") from None
    if not layout.ledger.is_file():
        raise ConfigError(f"no ledger in {layout.state} that knows {key}; give --root DIR")
    uri = f"{layout.ledger.resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        found = db.execute(
            "SELECT expected, work, target FROM images WHERE id=?", (key,)
        ).fetchone()
    if found is None:
        raise ConfigError(f"the ledger in {layout.state} knows no picture {key}; look at its `id`")
    expected, work, target = found
    places = [layout.root / os.fsdecode(each) for each in (target, work) if each is not None]
    for place in places:
        if place.is_file():
            return place, expected
    raise ConfigError(f"the picture {key} is gone from {places[0]}; it was deleted or moved")


def plan_of(layout: Layout, path: Path, recipe: str | None, site: Settings) -> recipes.Recipe:
    """The recipe that was asked for, or that of the nearest folder that is named like a camera.

    So a picture in `data/failed/press-3/2026/11/21/` is read as the camera `press-3` has it.

    Raises:
        ConfigError: there is none of that name, or it is wrong.
    """
    if recipe is None:
        known = set(recipes.names(layout))
        folders = [each.name for each in path.resolve().parents]
        recipe = next((name for name in folders if name in known), recipes.DEFAULT)
    return reading.recipe_of(layout, recipe, site)
