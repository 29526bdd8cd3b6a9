"""What the live page shows of the station as a whole, in one answer that is cheap to ask for.

It judges nothing itself: what wants attention stands in the ledger's conditions, the sinks' errors
and the sources' scans. A level is `well`, `warn` or `alarm`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from flows import vocabulary
from flows.clocks import Clocks
from flows.configuration.settings import Layout, Settings
from flows.serve.examples import refusals
from flows.serve.health import Health
from flows.serve.shelf import Shelf
from flows.serve.shift import Shift
from stages.ports import Site

BEHIND_SECONDS = 120.0
"""Age of the oldest row that a sink owes from which it is behind: Parquet keeps rows for 60 s."""

LATE_SECONDS = 120.0
"""Age of a source's last full scan from which it is late, where twice its own interval is less."""


class Board:
    """Puts the figures together beside what is `fixed`. Safe in several threads; blocks."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        shelf: Shelf,
        shift: Shift,
        health: Health,
        clocks: Clocks,
        fixed: Mapping[str, Any],
    ) -> None:
        self._layout = layout
        self._settings = settings
        self._shelf = shelf
        self._shift = shift
        self._health = health
        self._clocks = clocks
        self._fixed = {"station": settings.station, **fixed}

    def figures(self, camera: str | None) -> dict[str, Any]:
        """All of the page but the readings; the trend is that of the camera, if one is given."""
        found = self._shelf.figures()
        head, _ = self._shelf.ends()
        not_ready = self._health.not_ready
        return {
            **self._fixed,
            "now": vocabulary.instant(self._clocks.now()),
            "head": head,
            "ready": not_ready is None,
            "not_ready": not_ready,
            "balanced": found["balanced"],
            "images": found["images"],
            "sources": self._sources(),
            "sinks": [self._sink(name, use, found) for name, use in self._uses().items()],
            "cameras": [
                {"name": name, "last_at": camera["last_at"], "last_status": camera["last_status"]}
                for name, camera in found["cameras"].items()
            ],
            "conditions": [
                {"name": name, "words": words}
                for name, words in found["conditions"].items()
                if name not in {f"sink {sink}" for sink in self._uses()}
            ],
            "shift": self._shift.figures(camera),
        }

    def _uses(self) -> dict[str, str]:
        return {name: choice.use for name, choice in self._settings.sinks.items()}

    @staticmethod
    def _sink(name: str, use: str, found: dict[str, Any]) -> dict[str, Any]:
        sink = found["sinks"].get(name)
        if sink is None:
            # Its place in the ledger is made when the models are loaded.
            return {"name": name, "use": use, "level": "well", "pending": 0, "error": None}
        age = sink["backlog_seconds"]
        late = age is not None and age > BEHIND_SECONDS
        # The second is told also while there is nothing to deliver.
        error = sink["error"] or found["conditions"].get(f"sink {name}")
        level = "alarm" if error else "warn" if late or sink["dead"] else "well"
        keys = ("pending", "dead", "backlog_seconds", "delivered_at")
        shown = {key: sink[key] for key in keys}
        return {"name": name, "use": use, "level": level, "error": error, **shown}

    def _sources(self) -> list[dict[str, Any]]:
        ages = self._health.scan_ages()
        site = Site(self._settings.station, str(self._layout.root))
        told = []
        for name, choice in self._settings.sources.items():
            every = getattr(choice.options, "rescan_seconds", 0.0)
            age = ages.get(name)
            late = age is not None and age > max(LATE_SECONDS, 2 * every)
            folders = choice.plugin.folders(choice.options, site)
            told.append(
                {
                    "name": name,
                    "use": choice.use,
                    "level": "warn" if late else "well",
                    "scan_age_seconds": age,
                    "folders": [self._layout.label(folder) for folder in folders],
                }
            )
        return told


def router(board: Board) -> APIRouter:
    """The route."""
    routes = APIRouter()

    @routes.get(
        "/v1/board",
        summary="What the live page shows, the readings themselves left out",
        response_class=Response,
        responses={
            200: {
                "description": "state, sources, sinks, cameras, conditions, the running shift",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **refusals(),
        },
    )
    async def figures(
        camera: Annotated[str | None, Query(description="whose trend to give")] = None,
    ) -> Response:
        found = await asyncio.to_thread(board.figures, camera)
        return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")

    return routes
