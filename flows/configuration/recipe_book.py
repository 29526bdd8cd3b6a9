"""The recipes of a running flow: loaded at start, and again when a file changes.

A changed recipe holds from the next batch, once the engines that it brings have been loaded; an
invalid one leaves the old in force and is told in `errors`. A camera whose first recipe of its own
is invalid is held back, for its codes would go out under the default's looser rules. Files are
looked at again at most once a second, and taken in when two looks saw the same.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from flows.configuration import recipes
from flows.configuration.choices import RecogniserChoice
from flows.configuration.recipes import Engine, Recipe
from flows.configuration.settings import Layout
from stages.errors import MarkwatchError

LOOK_SECONDS = 1.0


class RecipeBook:
    """Recipes by camera. Used by one thread."""

    def __init__(
        self,
        layout: Layout,
        recogniser: RecogniserChoice,
        tick: Callable[[], float],
        prove: Callable[[tuple[Engine, ...]], object],
    ) -> None:
        self._layout = layout
        self._recogniser = recogniser
        self._tick = tick
        self._prove = prove
        self._looked = tick()
        self._stamp = self._seen = self._stamps()
        self._log = structlog.get_logger("markwatch.recipes")
        self._named = {
            name: recipes.load(layout, name, recogniser)
            for name in {recipes.DEFAULT, *recipes.names(layout)}
        }
        self.errors: dict[str, str] = {}

    def recipe(self, camera: str) -> Recipe:
        """The recipe in force for a camera."""
        return self._named.get(camera, self._named[recipes.DEFAULT])

    @property
    def held(self) -> frozenset[str]:
        """The cameras whose pictures stay in the inbox until their recipe is valid."""
        return frozenset(self.errors.keys() - self._named.keys())

    def engines(self) -> tuple[Engine, ...]:
        """Every engine that a recipe needs, each once."""
        every = [engine for recipe in self._named.values() for engine in recipe.engines]
        return tuple({engine.key: engine for engine in every}.values())

    def refresh(self) -> bool:
        """Take in what changed on disk, if it was not looked at within the last second.

        Returns whether anything changed.
        """
        if self._tick() - self._looked < LOOK_SECONDS:
            return False
        self._looked = self._tick()
        stamp = self._stamps()
        if stamp == self._stamp:
            return False
        if stamp != self._seen:
            # A file that is still being saved may be a valid recipe without its format.
            self._seen = stamp
            return False
        self._stamp = stamp
        present = {recipes.DEFAULT, *recipes.names(self._layout)}
        for name in present:
            try:
                recipe = recipes.load(self._layout, name, self._recogniser)
                known = {engine.key for engine in self.engines()}
                self._prove(tuple(e for e in recipe.engines if e.key not in known))
            except MarkwatchError as error:
                self.errors[name] = str(error)
                self._log.error(
                    "recipe is invalid, the old one stays", recipe=name, error=str(error)
                )
                continue
            self.errors.pop(name, None)
            if self._named.get(name) != recipe:
                self._log.info("recipe in force", recipe=recipe.version)
            self._named[name] = recipe
        for gone in self._named.keys() - present:
            self._log.info("recipe removed", recipe=gone)
            del self._named[gone]
        for gone in self.errors.keys() - present:
            del self.errors[gone]
        return True

    def _stamps(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for path in sorted(self._layout.recipes.glob("*.yaml")):
            try:
                about = path.stat()
            except FileNotFoundError:
                continue
            found.append((path.name, about.st_size, about.st_mtime_ns))
        return tuple(found)
