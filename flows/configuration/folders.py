"""Which folders belong to which part, and the layouts that would eat themselves.

A sink that writes into an inbox would make markwatch read its own output for ever, and a picture
that is claimed into an inbox would be claimed again: both are refused before work starts.
"""

from __future__ import annotations

from pathlib import Path

from flows.configuration.choices import Choice
from flows.configuration.settings import Layout, Settings
from flows.files import durable
from stages.errors import ConfigError
from stages.ports import Site


def make_folders(layout: Layout, settings: Settings) -> None:
    """Make the folders of a root, after `check_folders`.

    An inbox elsewhere is not made: it is a share, and a folder in the place of one that is not
    mounted would never see a picture.

    Raises:
        ConfigError: one cannot be made.
    """
    site = Site(settings.station, str(layout.root))
    inboxes = [path for choice in settings.sources.values() for path in _folders(choice, site)]
    inboxes = [path for path in inboxes if path.is_relative_to(layout.root)]
    for path in (layout.work, layout.archive, layout.failed, layout.state, *inboxes):
        try:
            durable.make_folder(path)
        except OSError as error:
            raise ConfigError(
                f"cannot make the folder {layout.label(path)}: {error.strerror}"
            ) from error


def check_folders(layout: Layout, settings: Settings) -> None:
    """Refuse folders that lie in one another.

    Raises:
        ConfigError: an inbox holds an output folder or the other way round, or two inboxes overlap.
    """
    site = Site(settings.station, str(layout.root))
    inputs = {
        f"source {name}": path
        for name, choice in settings.sources.items()
        for path in _folders(choice, site)
    }
    outputs = {
        "data/work": layout.work,
        "data/archive": layout.archive,
        "data/failed": layout.failed,
        "data/state": layout.state,
        **{
            f"sink {name}": path
            for name, choice in settings.sinks.items()
            for path in _folders(choice, site)
        },
    }
    pairs = [(i, o) for i in inputs.items() for o in outputs.items()]
    pairs += [(i, j) for i in inputs.items() for j in inputs.items() if i[0] < j[0]]
    # Two sinks in one folder cut back or pass over each other's files.
    pairs += [(i, j) for i in outputs.items() for j in outputs.items() if i[0] < j[0]]
    for (one, first), (other, second) in pairs:
        first, second = first.resolve(), second.resolve()
        if first.is_relative_to(second) or second.is_relative_to(first):
            raise ConfigError(
                f"{one} ({first}) and {other} ({second}) lie in one another: what one "
                "writes the other would take for its own; give them separate folders"
            )


def _folders(choice: Choice, site: Site) -> tuple[Path, ...]:
    return choice.plugin.folders(choice.options, site)
