"""The `recipe new` command: a few pictures of one camera in, a commented recipe out.

Pictures past the first few are not shown to the search: what it came to is tested on them. The
file is written only when all is known, and read again as `check` reads it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from flows import telemetry
from flows.commands import reading
from flows.configuration import recipes, settings
from flows.configuration.recipes import DEFAULT
from flows.configuration.settings import Layout, Settings
from flows.engines import ENGINES
from flows.evaluation.labels import read_sets
from flows.files.filenames import shown
from flows.proposing import telling
from flows.proposing.outcomes import outcomes_of
from flows.proposing.proposal import bare_recipe, layers, proposed
from flows.proposing.scores import SURE
from flows.proposing.search import MOST_PICTURES, Found, search
from flows.proposing.trials import Picture
from stages.decode import decode
from stages.errors import ConfigError, ImageError
from stages.map import MapOptions
from stages.map.clean import Case, cleaner
from stages.records import Failure

_MOST_TESTED = 20
_LEAST_WIDTH = 110
"""Columns of text: a narrower terminal wraps the lines rather than losing figures."""


def propose(
    root: Path,
    images: Sequence[Path],
    out: Path | None,
    *,
    texts: Sequence[str],
    labels: Path | None,
    force: bool,
) -> int:
    """Propose a recipe from pictures of one camera, print how it came about, and write it.

    Returns 0, or ImageError's status when a picture could not be used, or none could be read and
    nothing was written.

    Raises:
        MarkwatchError: the pictures, codes or the file to write are wrong, or an engine failed.
    """
    site, layout = settings.load(root), Layout(root)
    telemetry.configure(settings.LogOptions(level="error"))
    paths = list(dict.fromkeys(reading.pictures_in(images)))
    if not paths:
        kinds = " ".join(sorted(reading.SUFFIXES))
        raise ConfigError(f"no pictures ({kinds}) in {' '.join(map(str, images))}; name some")
    target = out or _file_of_camera(layout, paths)
    _require(target, force)
    typed = _codes(paths, texts, labels)
    case: Case = "keep" if any(map(str.islower, "".join(typed.values()))) else "upper"
    clean = cleaner(MapOptions().strip, case)
    codes = {path: "".join(map(clean, code)) for path, code in typed.items()}
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    pictures, refused = _opened(paths, codes, site)
    for words in refused:
        errors.print(f"markwatch: {words}")
    if not pictures:
        raise ConfigError("no picture could be used; see the lines above")
    used, kept_back = _parted(pictures)
    bare = bare_recipe(layout, site, case)
    console = Console(highlight=False, markup=False)
    console.width = max(console.width, _LEAST_WIDTH)
    try:
        with errors.status("reading") if errors.is_terminal else nullcontext() as status:

            def say(words: str) -> None:
                if status is not None:
                    status.update(words)

            found = search(used, bare, site.decode, say)
            telling.show_attempts(found, used, console)
            if not _reads(found, used):
                errors.print(f"markwatch: {_nothing_read(used)}")
                return ImageError.exit_code
            say("reading by the recipe")
            text, recipe = proposed(found, used, list(codes.values()), case, layout, site)
            before = outcomes_of(pictures, bare, site.decode)
            after = outcomes_of(pictures, recipe, site.decode)
    finally:
        ENGINES.close()
    pairs = dict(zip(pictures, zip(before, after, strict=True), strict=True))
    old, new = zip(*(pairs[each] for each in used), strict=True)
    telling.show_outcomes(used, old, new, console)
    console.print()
    lines = [*telling.sureness(found, used, new)]
    if kept_back:
        lines += telling.tested(kept_back, *zip(*(pairs[each] for each in kept_back), strict=True))
    for line in lines:
        console.print(line, soft_wrap=True)
    _write(target, text)
    recipes.load_files(layout, target.stem, layers(layout, target), site.recogniser)
    console.print(f"\nwrote {target}; look at what it does, and test it on more pictures:")
    console.print(f"  markwatch explain {paths[0]} --recipe {target}", soft_wrap=True)
    console.print(f"  markwatch recipe test {target} {labels or 'LABELS.csv'}", soft_wrap=True)
    return ImageError.exit_code if refused else 0


def _file_of_camera(layout: Layout, paths: Sequence[Path]) -> Path:
    folders = {path.resolve().parent.name for path in paths}
    if len(folders) > 1:
        raise ConfigError(
            f"the pictures lie in {len(folders)} folders, so the camera's name is not known; "
            f"add `-o {layout.recipes}/CAMERA.yaml`"
        )
    return layout.recipes / f"{folders.pop() or DEFAULT}.yaml"


def _require(target: Path, force: bool) -> None:
    """Find out before the work whether the recipe can be written here."""
    if target.suffix != ".yaml":
        raise ConfigError(f"{target} is no recipe file; name it like conf/recipes/CAMERA.yaml")
    if not target.parent.is_dir():
        raise ConfigError(f"no such folder: {target.parent}; make it, or choose another file")
    if target.exists() and not force:
        raise ConfigError(
            f"{target} is there already; choose another file with `-o`, or write over it with "
            "`--force`"
        )


def _codes(paths: Sequence[Path], texts: Sequence[str], labels: Path | None) -> dict[Path, str]:
    """The code of each picture, where it is known, as typed."""
    if texts and labels is not None:
        raise ConfigError("`--text` and `--labels` say the same; leave out either")
    if texts and len(texts) != len(paths):
        raise ConfigError(
            f"{len(texts)} times `--text` for {len(paths)} pictures; give one for each picture, in "
            "their order, or a CSV with `--labels`"
        )
    if texts:
        return dict(zip(paths, texts, strict=True))
    if labels is None:
        return {}
    [own] = read_sets([labels])
    if own.complaints:
        raise ConfigError("\n".join(own.complaints))
    labelled = {label.path.resolve(): label.text for label in own.labels}
    found = {path: labelled[path.resolve()] for path in paths if path.resolve() in labelled}
    if not found:
        raise ConfigError(
            f"{labels} names none of the pictures; its files are relative to the CSV's folder"
        )
    return found


def _opened(
    paths: Iterable[Path], codes: Mapping[Path, str], site: Settings
) -> tuple[list[Picture], list[str]]:
    """The pictures that can be decoded, and a line for each that cannot."""
    pictures, refused = [], []
    for path in paths:
        image = reading.image_of(path)
        try:
            if isinstance(image, Failure):
                raise ImageError(image.reason)
            height, width = decode(image, site.decode)[0].pixels.shape[:2]
        except ImageError as error:
            refused.append(f"{shown(str(path))}: {error}; it is left out, export it again")
            continue
        pictures.append(Picture(image, width, height, codes.get(path)))
    return pictures, refused


def _parted(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Those that the search sees, evenly spread, and those that it is tested on."""
    if len(pictures) <= MOST_PICTURES:
        return list(pictures), []
    chosen = {index * len(pictures) // MOST_PICTURES for index in range(MOST_PICTURES)}
    rest = [each for index, each in enumerate(pictures) if index not in chosen]
    return [pictures[index] for index in sorted(chosen)], rest[:_MOST_TESTED]


def _reads(found: Found, pictures: Sequence[Picture]) -> bool:
    """Whether any picture is read, rightly where that is known."""
    return any(
        line is not None
        and line.confidence >= SURE
        and (picture.code is None or line.text == picture.code)
        for line, picture in zip(found.lines, pictures, strict=True)
    )


def _nothing_read(pictures: Sequence[Picture]) -> str:
    what = "no code is read right" if any(each.code for each in pictures) else "no text is read"
    return (
        f"{what} in {telling.count_of(pictures)}, whatever was tried, so no recipe was written; "
        "bring the camera nearer, sharpen it, light the mark from the side, or give pictures "
        "that hold little more than the mark"
    )


def _write(target: Path, text: str) -> None:
    """Put the file there whole: a running `watch` may be looking."""
    aside = target.with_name(f".{target.name}.new")
    try:
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, target)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise ConfigError(
            f"{target} cannot be written: {error.strerror}; choose another file with `-o`"
        ) from error
