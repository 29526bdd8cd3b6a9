"""The `plugins` command: what is installed, from where, what this root uses, and its options."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from flows import plugins
from flows.configuration import recipes, settings
from flows.configuration.settings import Layout
from stages.map import MapOptions
from stages.map.options import PARTS
from stages.options import Options
from stages.preprocess import OPERATIONS


def lines(root: Path) -> Iterator[str]:
    """A line for each plug-in; without a `conf/` in the root, none is in use.

    Raises:
        ConfigError: the root's configuration is wrong.
    """
    used = _used(root) if Layout(root).conf.is_dir() else set()
    for kind in plugins.GROUPS:
        for name, point in plugins.installed(kind).items():
            owner = point.dist.name if point.dist else "?"
            mark = "*" if (kind, name) in used else " "
            yield f"{mark} {kind:<11} {name:<12} {point.value}  ({owner})"


def options() -> Iterator[str]:
    """Every preprocess operation, the map and each plug-in, with options: default, description."""
    for name, operation in OPERATIONS.items():
        yield f"preprocess operation {name}"
        yield from _model(operation.options)
    yield "map"
    yield from _model(MapOptions)
    for part, model in PARTS.items():
        yield f"map.{part}"
        yield from _model(model)
    for kind in plugins.GROUPS:
        for name in plugins.installed(kind):
            yield f"{kind} {name}"
            yield from _model(plugins.load(kind, name).Options)


def _model(model: type[Options]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        default = "required" if info.is_required() else json.dumps(info.default, default=str)
        yield f"    {name}: {default}  # {info.description}"


def _used(root: Path) -> set[tuple[plugins.Kind, str]]:
    site, layout = settings.load(root), Layout(root)
    used: set[tuple[plugins.Kind, str]] = {
        *(("source", choice.use) for choice in site.sources.values()),
        *(("sink", choice.use) for choice in site.sinks.values()),
    }
    for name in {recipes.DEFAULT, *recipes.names(layout)}:
        plan = recipes.load(layout, name, site.recogniser)
        used.update((engine.kind, engine.name) for engine in plan.engines)
    return used
