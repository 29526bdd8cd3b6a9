"""A recipe: how one camera's pictures are prepared, searched, read and mapped.

`conf/recipes/<camera>.yaml` is laid over `default.yaml`. Loading one compiles each field's format
into a `Constraint`, binds the engines by name and hashes what came out, so that every row can say
under which recipe it was read.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from flows import plugins
from flows.configuration.choices import Choice, Name, RecogniserChoice, misfits
from flows.configuration.lexicons import read_lexicon
from flows.configuration.settings import Layout
from flows.configuration.yamlfile import Layer, complaints, overlay, read_layer
from stages.detect import DetectOptions, size_within
from stages.errors import ConfigError, ImageError
from stages.formats import Constraint
from stages.map import Lexicon, MapOptions
from stages.map.objections import objections
from stages.options import Options
from stages.preprocess import Step, first_misfit, size_after
from stages.preprocess.geometry import Size

DEFAULT = "default"


class DetectChoice(DetectOptions, Choice):
    """A detector by name, with the stage's options and the detector's own beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    kind: ClassVar[plugins.Kind] = "detector"

    @property
    def stage(self) -> DetectOptions:
        """The options that hold for every detector."""
        return DetectOptions(**{name: getattr(self, name) for name in DetectOptions.model_fields})

    def misfit(self, size: Size) -> str | None:
        """Why this can fit no preprocessed picture of that size; None if it may."""
        check = getattr(self.options, "check_size", lambda size: None)
        try:
            check(size_within(self.stage, size))
        except ImageError as error:
            return str(error)
        return None


class FieldRecipe(Options):
    """One thing to be read in a picture."""

    name: Name = Field(default="code", description="name of the field in every row")
    detect: DetectChoice = Field(
        default={"use": "neural"}, description="finds the text", validate_default=True
    )
    recogniser: RecogniserChoice | None = Field(
        default=None, description="reads the text; null for the site's"
    )
    map: MapOptions = Field(default={}, description="turns what was read into the code")
    threshold: float = Field(
        default=0.8, ge=0, le=1, description="least confidence of a code that is given out"
    )
    take: Literal["best", "all"] = Field(
        default="best", description="one mark for the field, or one for every line of text"
    )
    expected: str | None = Field(
        default=None,
        min_length=1,
        description="the code that every part must carry (verification); a file beside the "
        "picture, `<picture>.expected`, goes before it",
    )
    duplicate_hours: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        description="the same code again on this camera within so many hours is marked as "
        "`duplicate_of`; null: never",
    )

    @model_validator(mode="after")
    def _expectable(self) -> FieldRecipe:
        if self.expected is not None and (words := objections(self.map)(self.expected)):
            raise misfits([(("expected",), f"'{self.expected}' {words}", self.expected)])
        return self


class RecipeFile(Options):
    """What a person writes into `conf/recipes/<camera>.yaml`."""

    description: str = Field(default="", description="what this recipe is for, in words")
    preprocess: tuple[Step, ...] = Field(
        default=(),
        description="operations on the whole picture, in order; plugins --options lists them",
    )
    fields: tuple[FieldRecipe, ...] = Field(
        default=({},), min_length=1, description="the things to be read in a picture"
    )

    @field_validator("preprocess")
    @classmethod
    def _possible(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if (found := first_misfit(steps)) is not None:
            index, words = found
            raise misfits([((index, steps[index].name), words, None)])
        return steps

    @field_validator("fields")
    @classmethod
    def _distinct(cls, fields: tuple[FieldRecipe, ...]) -> tuple[FieldRecipe, ...]:
        names = [field.name for field in fields]
        if len(set(names)) != len(names):
            raise ValueError(f"two fields have the same name: {', '.join(names)}")
        return fields

    @model_validator(mode="after")
    def _inside(self) -> RecipeFile:
        size = size_after(self.preprocess)
        wrong = [
            (("fields", at, "detect"), words, None)
            for at, field in enumerate(self.fields)
            if (words := field.detect.misfit(size)) is not None
        ]
        if wrong:
            raise misfits(wrong)
        return self


@dataclass(frozen=True, slots=True)
class Engine:
    """A detector or recogniser to be loaded where the graph runs.

    Relative paths among its options begin at `root`, or at the current folder where that is None.
    """

    kind: Literal["detector", "recogniser"]
    name: str
    options: Options
    root: Path | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for engines that may share one session."""
        return (self.kind, self.name, self.options.model_dump_json())


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """A field, compiled."""

    name: str
    detector: Engine
    detect: DetectOptions
    recogniser: Engine
    map: MapOptions
    constraint: Constraint | None
    steering: Constraint | None
    lexicon: Lexicon | None
    threshold: float
    take: Literal["best", "all"]
    expected: str | None = None
    duplicate_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe, compiled: picklable, and the same on every worker. `version` is name@hash."""

    name: str
    version: str
    preprocess: tuple[Step, ...]
    fields: tuple[FieldPlan, ...]

    @property
    def duplicate_hours(self) -> dict[str, float]:
        """By field, within how many hours the same code is a duplicate; fields that care only."""
        return {
            plan.name: plan.duplicate_hours
            for plan in self.fields
            if plan.duplicate_hours is not None
        }

    @property
    def engines(self) -> tuple[Engine, ...]:
        """Every engine that the recipe needs, each once."""
        every = [engine for plan in self.fields for engine in (plan.detector, plan.recogniser)]
        return tuple({engine.key: engine for engine in every}.values())


def load(layout: Layout, camera: str, recogniser: RecogniserChoice) -> Recipe:
    """The recipe of a camera: `<camera>.yaml` over `default.yaml`, or the default alone.

    Raises:
        ConfigError: every mistake, one line each.
    """
    own = _file_of(layout, camera)
    name = camera if own is not None else DEFAULT
    paths = [layout.recipes / f"{DEFAULT}.yaml"] if name != DEFAULT else []
    paths.append(own or layout.recipes / f"{DEFAULT}.yaml")
    return load_files(layout, name, [path for path in paths if path.is_file()], recogniser)


def load_files(
    layout: Layout, name: str, paths: list[Path], recogniser: RecogniserChoice
) -> Recipe:
    """Compile the recipe that these files give, later ones over earlier ones.

    Raises:
        ConfigError: every mistake, one line each.
    """
    return load_layers(
        layout, name, [read_layer(path, layout.label(path)) for path in paths], recogniser
    )


def load_layers(
    layout: Layout, name: str, layers: list[Layer], recogniser: RecogniserChoice
) -> Recipe:
    """Compile the recipe that these layers give, later ones over earlier ones.

    Raises:
        ComplaintsError: every mistake, one line each.
    """
    layers = layers or [Layer(f"recipe {name}", {})]
    try:
        written = RecipeFile.model_validate(overlay(layers))
    except ValidationError as error:
        raise complaints(error, layers) from error
    lexicons = _lexicons(written, layout, layers)
    plans = tuple(
        _plan(field, field.recogniser or recogniser, lexicon, layout.root)
        for field, lexicon in zip(written.fields, lexicons, strict=True)
    )
    return Recipe(name, f"{name}@{_digest(written, plans)}", written.preprocess, plans)


def names(layout: Layout) -> list[str]:
    """The names of all recipes of a root; examples (`<name>.example.yaml`) are not used."""
    return sorted(
        path.stem for path in layout.recipes.glob("*.yaml") if not path.stem.endswith(".example")
    )


def _file_of(layout: Layout, camera: str) -> Path | None:
    path = layout.recipes / f"{camera}.yaml"
    # Not Path.is_file: of a name too long for a file it says so by raising.
    return path if path.parent == layout.recipes and os.path.isfile(path) else None


def _lexicons(
    written: RecipeFile, layout: Layout, layers: list[Layer]
) -> tuple[Lexicon | None, ...]:
    """The lexicon of each field, read from its file.

    Raises:
        ComplaintsError: every mistake, one line each.
    """
    found: list[Lexicon | None] = []
    wrong: list[tuple[tuple[str | int, ...], str, object]] = []
    for at, field in enumerate(written.fields):
        lexicon = None
        if (options := field.map.lexicon) is not None:
            path = layout.recipes / options.file
            try:
                lexicon = read_lexicon(path, options.column, field.map)
            except ConfigError as error:
                wrong.append((("fields", at, "map", "lexicon"), str(error), options.file))
            else:
                if field.expected is not None and field.expected not in lexicon.known:
                    words = f"'{field.expected}' is not in {options.file}; change either"
                    wrong.append((("fields", at, "expected"), words, field.expected))
        found.append(lexicon)
    if wrong:
        raise complaints(misfits(wrong), layers)
    return tuple(found)


def _plan(
    field: FieldRecipe, recogniser: RecogniserChoice, lexicon: Lexicon | None, root: Path
) -> FieldPlan:
    return FieldPlan(
        name=field.name,
        detector=Engine("detector", field.detect.use, field.detect.options, root),
        detect=field.detect.stage,
        recogniser=Engine("recogniser", recogniser.use, recogniser.options, root),
        map=field.map,
        constraint=field.map.constraint,
        steering=field.map.steering,
        lexicon=lexicon,
        threshold=field.threshold,
        take=field.take,
        expected=field.expected,
        duplicate_hours=field.duplicate_hours,
    )


def _digest(written: RecipeFile, plans: tuple[FieldPlan, ...]) -> str:
    content = {
        "preprocess": written.model_dump(mode="json")["preprocess"],
        "fields": [
            {
                "name": plan.name,
                "detector": plan.detector.key,
                "detect": plan.detect.model_dump(mode="json"),
                "recogniser": plan.recogniser.key,
                "map": plan.map.model_dump(mode="json"),
                "threshold": plan.threshold,
                "take": plan.take,
                "lexicon": plan.lexicon and plan.lexicon.codes,
                "expected": plan.expected,
                "duplicate_hours": plan.duplicate_hours,
            }
            for plan in plans
        ],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]
