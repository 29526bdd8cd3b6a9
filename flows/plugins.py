"""Plug-ins by name: a name in the configuration, an entry point, a class.

The built-in sources, detectors, recognisers and sinks are declared in the same entry-point groups
as a stranger's (`[project.entry-points."markwatch.sinks"]` in `pyproject.toml`), so nothing is
registered by an import and nothing built-in is special.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from stages.errors import PluginError
from stages.options import Options

Kind = Literal["source", "detector", "recogniser", "sink"]
GROUPS: dict[Kind, str] = {
    "source": "markwatch.sources",
    "detector": "markwatch.detectors",
    "recogniser": "markwatch.recognisers",
    "sink": "markwatch.sinks",
}


def installed(kind: Kind) -> dict[str, EntryPoint]:
    """The entry points of one kind by name, in alphabetical order."""
    found = entry_points(group=GROUPS[kind])
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


@cache
def load(kind: Kind, name: str) -> Any:
    """The class behind a name.

    Raises:
        PluginError: no such plug-in (the text lists what is installed), or its import fails.
    """
    known = installed(kind)
    if name not in known:
        raise PluginError(f"no {kind} is called {name!r}; installed: {', '.join(known) or 'none'}")
    try:
        plugin = known[name].load()
    except ImportError as error:
        raise PluginError(
            f"{kind} {name!r} ({known[name].value}) cannot be imported: {error}"
        ) from error
    if not issubclass(getattr(plugin, "Options", type(None)), Options):
        raise PluginError(f"{kind} {name!r} ({known[name].value}) has no nested Options model")
    return plugin
