"""What a source or sink is told of the installation, made from its settings."""

from __future__ import annotations

from flows.configuration.settings import Layout, Settings
from stages.ports import Site


def site_of(layout: Layout, settings: Settings) -> Site:
    """The site that a root's settings describe."""
    intake = settings.intake
    return Site(settings.station, str(layout.root), intake.quiet_seconds, intake.settle_seconds)
