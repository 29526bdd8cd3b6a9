"""Who is measured: recognisers as named on the command line, alone or within a recipe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import Engine, Recipe
from flows.configuration.yamlfile import Layer, complaints
from stages.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Contender:
    """A recogniser that reads crops, or a recipe that reads whole pictures with it."""

    name: str
    reads: Engine | Recipe


def choose(text: str) -> RecogniserChoice:
    """The recogniser that `NAME` or `NAME:key=value,key=value` names, with validated options.

    A comma parts options only where a key and `=` follow it.

    Raises:
        ConfigError: every mistake, one line each.
    """
    name, _, rest = text.partition(":")
    values = {"use": name}
    for part in re.split(r",(?=\w+=)", rest) if rest else ():
        key, equals, value = part.partition("=")
        if not equals or not key:
            raise ConfigError(
                f"--recogniser {text}: {part!r} is no option; write NAME:key=value,key=value"
            )
        values[key] = value
    try:
        return RecogniserChoice.model_validate(values)
    except ValidationError as error:
        label = f"--recogniser {text}:"
        layer = Layer(label, values, place=lambda loc: label)
        raise complaints(error, [layer]) from error


def names(texts: Sequence[str]) -> tuple[str, ...]:
    """What each is called in the tables: its plug-in's name, or the whole text where two share it.

    Raises:
        ConfigError: one is given twice.
    """
    if twice := [text for text, count in Counter(texts).items() if count > 1]:
        raise ConfigError(f"--recogniser {twice[0]} is given twice; give it once")
    plugins = [text.partition(":")[0] for text in texts]
    uses = Counter(plugins)
    return tuple(
        plugin if uses[plugin] == 1 else text for plugin, text in zip(plugins, texts, strict=True)
    )


def alone(name: str, choice: RecogniserChoice, threads: int, root: Path | None = None) -> Contender:
    """A recogniser that is shown crops; `root` is its configuration's, None on a command line."""
    engine = Engine("recogniser", choice.use, choice.options, root)
    return Contender(name, _on_threads(engine, threads))


def within(name: str, recipe: Recipe, choice: RecogniserChoice | None, threads: int) -> Contender:
    """A recipe that is shown whole pictures; the chosen recogniser takes its own's place."""
    plans = []
    for plan in recipe.fields:
        engine = plan.recogniser
        if choice is not None:
            engine = Engine("recogniser", choice.use, choice.options)
        detector = _on_threads(plan.detector, threads)
        plans.append(replace(plan, detector=detector, recogniser=_on_threads(engine, threads)))
    return Contender(name, replace(recipe, fields=tuple(plans)))


def _on_threads(engine: Engine, threads: int) -> Engine:
    """The engine with its option `threads`, where it has one that was not set."""
    options = engine.options
    if "threads" not in type(options).model_fields or "threads" in options.model_fields_set:
        return engine
    return replace(engine, options=options.model_copy(update={"threads": threads}))
