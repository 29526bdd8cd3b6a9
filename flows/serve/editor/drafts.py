"""A recipe that is being written: brought together from form and text, checked, tried on a code.

Runs beside the flow (`aside`), for what comes may be anything. It is checked by the very loading
that `markwatch check` and the flow do, with one rule more: a draft from elsewhere may not name
files of this machine, or its checks and readings would tell what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import DEFAULT, Recipe, RecipeFile
from flows.configuration.settings import Layout
from flows.configuration.yamlfile import (
    Complaint,
    ComplaintsError,
    Layer,
    overlay,
    parse_layer,
    read_layer,
)
from flows.configuration.yamlrevise import revised
from stages.decode import DecodeOptions
from stages.errors import ConfigError
from stages.options import Options

_ORDER = ("description", "preprocess", "fields")


@dataclass(frozen=True, slots=True)
class Ground:
    """What a recipe stands on: the root, and the site's options that hold for every recipe."""

    layout: Layout
    recogniser: RecogniserChoice
    decode: DecodeOptions


def checked(ground: Ground, camera: str, text: str, values: Mapping[str, Any] | None) -> dict:
    """A draft as it now is, as JSON has it: its text, what it says in all, and its mistakes.

    `values` are those of the form, laid into the text; None leaves it. `own` names the keys that
    the text sets itself; the others are those of the default recipe.
    """
    label = _label(ground, camera)
    kept = True
    found: dict[str, Any] = {"values": {}, "own": [], "recipe": None, "complaints": []}
    try:
        under = _under(ground, camera)
        if values is not None:
            own = _own(parse_layer(text, label).values, overlay(under), values)
            text, kept = revised(text, own)
        draft = parse_layer(text, label)
        found["own"] = list(draft.values)
        found["values"] = _plain(overlay([*under, draft]))
        found["recipe"] = compiled(ground, camera, text).version
        if camera == DEFAULT:
            found["complaints"] = [_told(each) for each in _broken_above(ground, draft)]
    except ComplaintsError as error:
        found["complaints"] = [_told(each) for each in error.complaints]
    except ConfigError as error:
        found["complaints"] = [_told(Complaint(label, None, (), str(error)))]
    return {"text": text, "comments_kept": kept, **found}


def compiled(ground: Ground, camera: str, text: str) -> Recipe:
    """The recipe that a draft gives.

    Raises:
        ComplaintsError: every mistake, one line each.
    """
    draft = parse_layer(text, _label(ground, camera))
    layers = [*_under(ground, camera), draft]
    foreign = list(_foreign(ground, camera, overlay(layers), draft))
    if foreign:
        raise ComplaintsError(foreign)
    return recipes.load_layers(ground.layout, camera, layers, ground.recogniser)


def _broken_above(ground: Ground, default: Layer) -> Iterator[Complaint]:
    """The mistakes that another default would make of recipes that now stand on it."""
    for name in (name for name in recipes.names(ground.layout) if name != DEFAULT):
        path = ground.layout.recipes / f"{name}.yaml"
        try:
            over = read_layer(path, ground.layout.label(path))
            recipes.load_layers(ground.layout, name, [default, over], ground.recogniser)
        except ComplaintsError as error:
            if _stands(ground, name):
                under = f" (under {ground.layout.label(path)}, which stands on this one)"
                yield from (replace(each, words=each.words + under) for each in error.complaints)


def _stands(ground: Ground, name: str) -> bool:
    try:
        recipes.load(ground.layout, name, ground.recogniser)
    except ConfigError:
        return False
    return True


def _under(ground: Ground, camera: str) -> list[Layer]:
    """What lies under a camera's own recipe."""
    path = ground.layout.recipes / f"{DEFAULT}.yaml"
    if camera == DEFAULT or not path.is_file():
        return []
    return [read_layer(path, ground.layout.label(path))]


def _label(ground: Ground, camera: str) -> str:
    return ground.layout.label(ground.layout.recipes / f"{camera}.yaml")


def _own(
    own: Mapping[str, Any], under: Mapping[str, Any], values: Mapping[str, Any]
) -> dict[str, Any]:
    """What the text is to say itself: what it said, and what the form says otherwise."""
    wanted = {
        key: value
        for key, value in values.items()
        if key in own or key not in under or _plain(under[key]) != value
    }
    order = [*(key for key in _ORDER if key in wanted), *(k for k in wanted if k not in _ORDER)]
    # An old key's own value, where the form shows it as JSON has it, is no change.
    return {
        key: own[key] if key in own and _plain(own[key]) == wanted[key] else wanted[key]
        for key in order
    }


def _foreign(
    ground: Ground, camera: str, values: Mapping[str, Any], draft: Layer
) -> Iterator[Complaint]:
    """Files that a draft names, which the settings or the recipe in force do not name already."""
    try:
        wanted = RecipeFile.model_validate(values)
    except ValidationError:
        return
    known = {path for _, path in _paths(_in_force(ground, camera), ground)}
    known |= {str(value) for _, value in _engine_paths(ground.recogniser.options)}
    for loc, path in _paths(wanted, ground):
        if path not in known:
            line = next(
                (
                    draft.lines[loc[:end]]
                    for end in range(len(loc), 0, -1)
                    if loc[:end] in draft.lines
                ),
                None,
            )
            words = f"{path!r} lies outside of conf/recipes: name it in the file itself, by hand"
            yield Complaint(draft.label, line, loc, words)


def _in_force(ground: Ground, camera: str) -> RecipeFile | None:
    path = ground.layout.recipes / f"{camera}.yaml"
    layers = _under(ground, camera)
    try:
        if path.is_file():
            layers.append(read_layer(path, ground.layout.label(path)))
        return RecipeFile.model_validate(overlay(layers))
    except (ConfigError, ValidationError):
        return None


def _paths(written: RecipeFile | None, ground: Ground) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Where a recipe names a file outside of its folder, and which."""
    folder = ground.layout.recipes.resolve()
    for at, field in enumerate(written.fields if written else ()):
        if (lexicon := field.map.lexicon) is not None:
            try:
                inside = Path(folder, lexicon.file).resolve().is_relative_to(folder)
            except (OSError, ValueError):
                inside = False
            if not inside:
                yield ("fields", at, "map", "lexicon", "file"), lexicon.file
        for key, choice in (("detect", field.detect), ("recogniser", field.recogniser)):
            if choice is not None:
                for name, value in _engine_paths(choice.options):
                    yield ("fields", at, key, name), str(value)


def _engine_paths(options: Options) -> Iterator[tuple[str, Any]]:
    for name in options.model_fields_set:
        about = type(options).model_fields[name].json_schema_extra
        value = getattr(options, name)
        if isinstance(about, dict) and about.get("path") and value is not None:
            yield name, value


def _told(complaint: Complaint) -> dict[str, Any]:
    return {
        "file": complaint.label,
        "line": complaint.line,
        "loc": [part if isinstance(part, int) else str(part) for part in complaint.loc],
        "words": complaint.words,
        "text": str(complaint),
    }


def _plain(value: Any) -> Any:
    """As JSON has it: a date is its text, and so is a number that is none."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return value if value is None or isinstance(value, bool | int | str) else _as_text(value)


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
