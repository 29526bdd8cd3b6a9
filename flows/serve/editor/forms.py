"""The editor's forms: JSON Schemas of the very models by which a recipe is checked.

Names, units, bounds, defaults and words stand in the models alone; a new operation or plug-in has
its form by being there. Runs beside the flow (`aside`), for plug-ins import much.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from pydantic import BaseModel

from flows import plugins
from flows.configuration.recipes import FieldRecipe, RecipeFile
from stages.detect import DetectOptions
from stages.errors import PluginError
from stages.map import MapOptions
from stages.preprocess import OPERATIONS

_WITH_FORMS_OF_THEIR_OWN = ("preprocess", "fields", "detect", "recogniser", "map")


def forms() -> dict[str, Any]:
    """The schemas, as JSON has them."""
    return {
        "recipe": _schema(RecipeFile),
        "operations": {
            name: {"about": _first(operation.apply), "schema": _schema(operation.options)}
            for name, operation in OPERATIONS.items()
        },
        "field": _schema(FieldRecipe),
        "detectors": _engines("detector", DetectOptions),
        "recognisers": _engines("recogniser"),
        "map": _schema(MapOptions),
    }


def _engines(kind: plugins.Kind, *more: type[BaseModel]) -> dict[str, Any]:
    found = {}
    for name in plugins.installed(kind):
        try:
            plugin = plugins.load(kind, name)
        except PluginError:
            # It cannot be chosen; `markwatch plugins` says why.
            continue
        schema: dict[str, Any] = {"type": "object", "properties": {}, "$defs": {}}
        for model in (*more, plugin.Options):
            own = _schema(model)
            schema["properties"] |= own["properties"]
            schema["$defs"] |= own.get("$defs", {})
        found[name] = {"about": _first(plugin), "schema": schema}
    return found


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    fields = {
        name: (info.annotation, info)
        for name, info in model.model_fields.items()
        if name not in _WITH_FORMS_OF_THEIR_OWN
        and not (isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("secret"))
    }
    if len(fields) == len(model.model_fields):
        return {"properties": {}, **model.model_json_schema()}
    from pydantic import create_model

    rest: Any = create_model(model.__name__, **fields)  # type: ignore[call-overload]
    return {"properties": {}, **rest.model_json_schema()}


def _first(thing: Any) -> str:
    """The first words of what something says of itself, without where it comes from."""
    words = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")
    return re.sub(r"\s*\([^()]*`[^()]*\)", "", words)
