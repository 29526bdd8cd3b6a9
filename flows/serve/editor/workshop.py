"""Where recipes are made over HTTP: the drafts beside the flow, the pictures, the files.

Two processes beside the flow, so that what is typed is checked while a picture is being read. They
start when the editor is first used.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from flows.configuration.recipes import DEFAULT, names
from flows.configuration.settings import Layout, Settings
from flows.configuration.tls import is_loopback
from flows.serve.desk import Desk
from flows.serve.editor import drafts, forms, previews, trials
from flows.serve.editor.aside import Aside
from flows.serve.editor.cabinet import Cabinet
from flows.serve.editor.drafts import Ground
from flows.serve.editor.easel import Easel
from flows.serve.editor.turns import Turns
from flows.serve.options import ServeOptions
from flows.serve.problems import RefusedError
from stages.errors import MarkwatchError

_CHECK_NICENESS = 10
_PREVIEW_NICENESS = 15
_CHECK_SECONDS = 30.0
_CHECK_MEMORY_MB = 1000.0


class Workshop:
    """What the editor's routes do; its methods run on the event loop."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        desk: Desk,
        snapshot: Callable[[], AbstractContextManager[sqlite3.Connection]],
    ) -> None:
        options = settings.serve
        self._layout = layout
        self._desk = desk
        self._ground = Ground(layout, settings.recogniser, settings.decode)
        self._seconds = options.preview_seconds
        self._cabinet = Cabinet(layout, lambda: datetime.now(UTC))
        self._easel = Easel(layout, snapshot)
        self._checks = Aside(
            "check", settings.log, niceness=_CHECK_NICENESS, memory_mb=_CHECK_MEMORY_MB
        )
        self._previews = Aside(
            "preview",
            settings.log,
            niceness=_PREVIEW_NICENESS,
            memory_mb=options.preview_memory_mb,
        )
        self._check_turns, self._preview_turns = Turns(), Turns()
        self._forms: dict[str, Any] | None = None
        self.writable = may_write(options)

    def close(self) -> None:
        """End the processes, and remove what people brought."""
        self._checks.close()
        self._previews.close()
        self._easel.close()

    async def cameras(self) -> list[dict[str, Any]]:
        """Every camera and every recipe by name: whether the recipe is its own."""
        known = await asyncio.to_thread(self._desk.cameras)
        own = set(await asyncio.to_thread(names, self._layout))
        return [
            {"camera": name, "recipe": name if name in own else DEFAULT}
            for name in sorted(known | own | {DEFAULT})
        ]

    async def forms(self) -> dict[str, Any]:
        """The schemas of the forms."""
        if self._forms is None:
            self._forms = await self._beside_check(forms.forms)
        return self._forms

    async def open(self, camera: str) -> dict[str, Any]:
        """A camera's recipe as it is, checked; one that it does not have begins empty."""
        self._cabinet.check_name(camera)
        written = await asyncio.to_thread(self._cabinet.read, camera)
        found = await self.check(camera, written.text if written else "", None)
        return {"camera": camera, "tag": written.tag if written else None, **found}

    async def check(
        self, camera: str, text: str, values: Mapping[str, Any] | None, session: str = ""
    ) -> dict[str, Any]:
        """A draft, brought together and checked; see `drafts.checked`."""
        self._cabinet.check_name(camera)
        found: dict[str, Any] = await self._beside_check(
            drafts.checked, self._ground, camera, text, values, session=session
        )
        return found

    async def save(self, camera: str, text: str, tag: str | None) -> dict[str, Any]:
        """Write a recipe that is without mistakes over the one with this tag."""
        self._cabinet.check_name(camera)
        if not self.writable:
            raise RefusedError(
                403,
                "read-only",
                "recipes are not written over HTTP here",
                "set serve.editor: true, or copy the text into the file",
            )
        found = await self.check(camera, text, None)
        if found["complaints"]:
            told = "; ".join(each["text"] for each in found["complaints"][:5])
            raise RefusedError(422, "invalid-recipe", told, "correct it; nothing was written")
        written, kept = await asyncio.to_thread(self._cabinet.replace, camera, text, tag)
        return {"camera": camera, "tag": written.tag, "kept": kept, "recipe": found["recipe"]}

    async def attempt(self, camera: str, text: str, field: int, code: str) -> dict[str, Any]:
        """A code held against a field of a draft; see `trials.tried`."""
        self._cabinet.check_name(camera)
        found: dict[str, Any] = await self._beside_check(
            trials.tried, self._ground, camera, text, field, code
        )
        return found

    async def preview(
        self, camera: str, text: str, picture: str, page: int, session: str
    ) -> dict[str, Any]:
        """A draft on a picture; see `previews.previewed`."""
        self._cabinet.check_name(camera)
        image = await asyncio.to_thread(self._easel.image, picture)
        async with self._preview_turns.turn(session):
            found: dict[str, Any] = await self._ask(
                self._previews,
                previews.previewed,
                *(self._ground, camera, text, image, page),
                seconds=self._seconds,
            )
        return found

    async def pictures(self, camera: str) -> list[dict[str, Any]]:
        """The camera's newest pictures."""
        self._cabinet.check_name(camera)
        return await asyncio.to_thread(self._easel.recent, camera)

    async def bring(self, content: bytes, name: str, camera: str) -> str:
        """Keep a picture to try recipes on; its key."""
        self._cabinet.check_name(camera)
        return await asyncio.to_thread(self._easel.bring, content, name, camera)

    async def earlier(self, camera: str) -> list[str]:
        """The moments until which earlier texts held, newest first."""
        self._cabinet.check_name(camera)
        return await asyncio.to_thread(self._cabinet.earlier, camera)

    async def earlier_text(self, camera: str, stamp: str) -> str:
        """An earlier text."""
        self._cabinet.check_name(camera)
        return await asyncio.to_thread(self._cabinet.earlier_text, camera, stamp)

    async def _beside_check(
        self, function: Callable[..., Any], *arguments: Any, session: str = ""
    ) -> Any:
        async with self._check_turns.turn(session):
            return await self._ask(self._checks, function, *arguments, seconds=_CHECK_SECONDS)

    @staticmethod
    async def _ask(
        aside: Aside, function: Callable[..., Any], *arguments: Any, seconds: float
    ) -> Any:
        try:
            return await asyncio.to_thread(aside.ask, function, *arguments, seconds=seconds)
        except MarkwatchError as error:
            raise RefusedError(
                422, "invalid-recipe", str(error), "correct the draft, then try again"
            ) from error


def may_write(options: ServeOptions) -> bool:
    """Whether recipes are written over HTTP.

    The token is also that of the machines that only send pictures, so off loopback it is not
    enough by itself.
    """
    return is_loopback(options.host) if options.editor is None else options.editor
