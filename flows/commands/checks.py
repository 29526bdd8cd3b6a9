"""The `check` command: one line for each thing that must be right before work starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from flows import telemetry
from flows.cluster import choice
from flows.configuration import folders, recipes, settings
from flows.configuration.choices import SinkChoice
from flows.configuration.installation import site_of
from flows.configuration.settings import Layout, LogOptions, Settings
from flows.engines import ENGINES
from flows.serve import serving
from flows.sources.filesystem import filesystem_of
from stages.errors import MarkwatchError
from stages.ports import Site


def check(root: Path) -> int:
    """Try everything and print a line each; 0, or 1 when something is wrong."""
    console = Console()
    right = True

    def line(what: str, attempt: Callable[[], str]) -> None:
        nonlocal right
        try:
            words, style = attempt(), "green"
        except MarkwatchError as error:
            words, style, right = str(error), "red", False
        mark = "ok  " if style == "green" else "FAIL"
        for number, part in enumerate(words.splitlines() or [""]):
            head = Text(mark, style=style) if number == 0 else Text(" " * len(mark))
            console.print(
                head.append(f" {what if number == 0 else '':<22} ", style="default").append(
                    part, style="default"
                ),
                soft_wrap=True,
            )

    layout = Layout(root)
    site: Settings | None = None

    def configuration() -> str:
        nonlocal site
        site = settings.load(root)
        return f"station {site.station}, {layout.label(layout.conf)}/"

    telemetry.configure(LogOptions(level="error"))
    line("configuration", configuration)
    recogniser = site.recogniser if site else Settings().recogniser
    if site is not None:
        line("folders", lambda: _folders(layout, site))
        place = site_of(layout, site)
        for name, source in site.sources.items():
            line(f"source {name}", source.plugin(source.options, place).probe)
    engines: dict[tuple[str, str, str], recipes.Engine] = {}
    for name in sorted({recipes.DEFAULT, *recipes.names(layout)}):

        def load(name: str = name) -> str:
            recipe = recipes.load(layout, name, recogniser)
            engines.update((engine.key, engine) for engine in recipe.engines)
            return recipe.version

        line(f"recipe {name}", load)
    for engine in engines.values():
        line(f"{engine.kind} {engine.name}", lambda engine=engine: _engine(engine))
    ENGINES.close()
    if site is not None:
        line("cluster", lambda: choice.probe(site.cluster, site.log, root))
        for name, sink in site.sinks.items():
            line(f"sink {name}", lambda name=name, sink=sink: _probe(name, sink, place))
        if site.serve.enabled or site.serve.trigger.enabled:
            line("serve", lambda: serving.probe(layout, site))
    return 0 if right else 1


def _folders(layout: Layout, site: Settings) -> str:
    folders.check_folders(layout, site)
    folders.make_folders(layout, site)
    return f"{layout.root} ({filesystem_of(layout.root)})"


def _engine(engine: recipes.Engine) -> str:
    with ENGINES.use(engine) as loaded:
        return getattr(loaded, "model", "loaded")


def _probe(name: str, sink: SinkChoice, place: Site) -> str:
    return sink.plugin(sink.options, place, name).probe()
