"""The `plugins` command: what is installed, from which distribution, and what this root uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows import plugins, recipes, settings
from flows.settings import Layout


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
