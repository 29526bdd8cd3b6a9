"""The `read` command: pictures in, a table or JSON Lines out; no broker and no ledger.

It runs the same graph as `watch`, on Dask's threads in this process.
"""

from __future__ import annotations

import errno
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import uuid_utils
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from flows import graph, telemetry, vocabulary
from flows.cluster.threads import DaskThreads
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout, Settings
from flows.files.digest import digest_of
from flows.files.filenames import printable, shown
from flows.files.sidecar import expected_of
from stages.errors import ConfigError, ImageError
from stages.records import Failure, ImageRef, Report

SUFFIXES = frozenset({".bmp", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"})
COLOURS = {
    "read": "green",
    "unsure": "yellow",
    "mismatch": "red",
    "unread": "yellow",
    "failed": "red",
}


def read(root: Path, paths: Sequence[Path], recipe: str, *, as_json: bool) -> int:
    """Read pictures and print what was read; 0, or ImageError's status when a picture failed.

    Raises:
        MarkwatchError: a path does not exist, or the configuration or the recipe is wrong.
    """
    site = settings.load(root)
    telemetry.configure(site.log.model_copy(update={"level": "warning"}))
    plan = recipe_of(Layout(root), recipe, site)
    pictures = list(pictures_in(paths))
    if not pictures:
        raise ConfigError(
            f"no pictures ({' '.join(sorted(SUFFIXES))}) in {' '.join(map(str, paths))}"
        )
    console = Console(stderr=True)
    several = len(pictures) > 1 and console.is_terminal
    failed = False
    shown: list[vocabulary.Row] = []
    progress = Progress(console=console, transient=True) if several else nullcontext()
    with progress:
        task = progress.add_task("reading", total=len(pictures)) if several else None
        seq = 1
        for outcome in outcomes(pictures, plan, site):
            rows = list(
                vocabulary.rows(
                    outcome, station=site.station, first_seq=seq, read_at=datetime.now(UTC)
                )
            )
            seq += len(rows)
            failed = failed or isinstance(outcome, Failure)
            for row in rows:
                if as_json:
                    sys.stdout.write(vocabulary.to_json(row) + "\n")
                else:
                    shown.append(row)
            if task is not None:
                progress.advance(task)
    if not as_json:
        show(shown)
    return ImageError.exit_code if failed else 0


def show(rows: Iterable[vocabulary.Row]) -> None:
    """Print marks as a table for people."""
    table = Table("image", "code", "status", "confidence", "reason", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*_cells(row))
    Console().print(table)


def outcomes(
    pictures: Iterable[Path], plan: recipes.Recipe, site: Settings
) -> Iterator[Report | Failure]:
    """What the graph says of each picture, in order."""
    with DaskThreads(site.cluster) as cluster:
        cluster.warm(plan.engines)
        waiting = []
        for number, path in enumerate(pictures):
            image = image_of(path)
            if isinstance(image, Failure):
                waiting.append(image)
                continue
            built = graph.build([image], plan, site.decode, chunk=str(number), attempt=1)
            waiting.append(cluster.submit(built))
        for item in waiting:
            yield item if isinstance(item, Failure) else item.result()[0]


def image_of(path: Path) -> ImageRef | Failure:
    """A picture that was not claimed: it stays where it is, and its folder is its camera."""
    now = datetime.now(UTC)
    digest, size, words = None, 0, ""
    captured = None
    try:
        if not path.is_file():
            raise OSError(errno.EINVAL, "it is no regular file")
        digest = digest_of(path)
        about = path.stat()
        size, captured = about.st_size, datetime.fromtimestamp(about.st_mtime, UTC)
    except OSError as error:
        words = f"the file cannot be opened: {error.strerror}"
    image = ImageRef(
        id=str(uuid_utils.uuid7()),
        path=str(path),
        sha256=digest,
        size=size,
        camera=printable(path.resolve().parent.name) or "default",
        name=printable(path.name),
        arrived_at=now,
        captured_at=captured,
        expected=expected_of(path),
    )
    return image if digest else Failure(image, "intake", words, retryable=False)


def pictures_in(paths: Sequence[Path]) -> Iterator[Path]:
    """The pictures that paths name: files as they are, of folders those with a picture's suffix.

    Raises:
        ConfigError: a path does not exist.
    """
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):
                folders.sort()
                for name in sorted(names):
                    if Path(name).suffix.lower() in SUFFIXES and not name.startswith("."):
                        yield Path(folder, name)
        elif path.exists():
            yield path
        else:
            raise ConfigError(f"no such file or folder: {path}")


def recipe_of(layout: Layout, name: str, site: Settings) -> recipes.Recipe:
    """The recipe of that name, or of that file.

    Raises:
        ConfigError: there is none, or it is wrong.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ConfigError(f"no such recipe file: {path}")
        base = layout.recipes / f"{recipes.DEFAULT}.yaml"
        files = [each for each in (base, path) if each.is_file()]
        return recipes.load_files(layout, path.stem, files, site.recogniser)
    known = {recipes.DEFAULT, *recipes.names(layout)}
    if name not in known:
        raise ConfigError(f"no recipe is called {name!r}; there are: {', '.join(sorted(known))}")
    return recipes.load(layout, name, site.recogniser)


def _cells(row: vocabulary.Row) -> tuple[Text, ...]:
    return (
        Text(row["image"]),
        code_cell(row),
        Text(row["status"], style=COLOURS[row["status"]]),
        Text(confidence_cell(row)),
        Text(shown(row["reason"] or ""), style="dim"),
    )


def code_cell(row: vocabulary.Row) -> Text:
    """The code, or in brackets what it may be but was not given out as."""
    if row["code"]:
        return Text(shown(row["code"]), style="bold")
    return Text(f"({shown(row['candidate'])})" if row["candidate"] else "-", style="dim")


def confidence_cell(row: vocabulary.Row) -> str:
    """Two digits, never rounded up over a threshold."""
    confidence = row["confidence"]
    return "" if confidence is None else f"{math.floor(confidence * 100) / 100:.2f}"
