"""A plug-in chosen in the configuration: its name, and its own options beside it.

The options are validated by the plug-in's model while the settings load, so a mistake in them is
told with its file and line like any other. A secret is taken from the environment only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from flows import plugins
from stages.errors import PluginError
from stages.options import Options
from stages.records import Status

PREFIX = "MARKWATCH__"


def _plain(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise ValueError(f"{name!r} is no name: write letters, digits, '-' and '_', at most 64")
    return name


Name = Annotated[str, AfterValidator(_plain)]


class FromEnvironment(str):
    """A value that came from the environment: only such a one may fill a secret."""

    __slots__ = ()


class Choice(BaseModel):
    """A plug-in by name (`use`), with the plug-in's own options beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")
    kind: ClassVar[plugins.Kind]
    use: str = Field(
        description="name of the plug-in; a source or sink that is named like one may leave it out"
    )
    _plugin: Any = PrivateAttr()
    _options: Options = PrivateAttr()

    @model_validator(mode="after")
    def _resolve(self) -> Choice:
        try:
            plugin = plugins.load(self.kind, self.use)
        except PluginError as error:
            raise misfits([(("use",), str(error), self.use)]) from error
        given = dict(self.model_extra or {})
        wrong = []
        for loc in list(_exposed_secrets(plugin.Options, given)):
            words = f"is a secret: set it in the environment ({PREFIX}...) or name a file"
            wrong.append((loc, words, None))
            given = _without(given, loc)
        self._plugin = plugin
        try:
            self._options = plugin.Options.model_validate(given)
        except ValidationError as error:
            raise (misfits(wrong, error) if wrong else error) from None
        if wrong:
            raise misfits(wrong)
        # From here on the plug-in's model holds them, and it hides what is secret.
        (self.model_extra or {}).clear()
        return self

    @property
    def plugin(self) -> Any:
        """The plug-in's class."""
        return self._plugin

    @property
    def options(self) -> Options:
        """The plug-in's own options, validated by its model."""
        return self._options


def _exposed_secrets(model: type[BaseModel], given: Any) -> Iterator[tuple[str, ...]]:
    """Where a secret was given by something else than the environment, also within sections."""
    if not isinstance(given, Mapping):
        return
    for name, info in model.model_fields.items():
        value = given.get(name)
        if (info.json_schema_extra or {}).get("secret"):
            if value and not isinstance(value, FromEnvironment):
                yield (name,)
            continue
        for section in (info.annotation, *get_args(info.annotation)):
            if isinstance(section, type) and issubclass(section, BaseModel):
                yield from ((name, *rest) for rest in _exposed_secrets(section, value))


def _without(given: Mapping[str, Any], loc: tuple[str, ...]) -> dict[str, Any]:
    name, *rest = loc
    if rest:
        return {**given, name: _without(given[name], tuple(rest))}
    return {key: value for key, value in given.items() if key != name}


def misfits(
    found: list[tuple[tuple[str | int, ...], str, Any]], more: ValidationError | None = None
) -> ValidationError:
    """Complaints of our own, and those of a model, as one error that pydantic places."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{words}", {"words": words}),
            loc=loc,
            input=value,
        )
        for loc, words, value in found
    ]
    for item in more.errors() if more else ():
        kind = PydanticCustomError(item["type"], "{words}", {"words": item["msg"]})
        details.append(InitErrorDetails(type=kind, loc=item["loc"], input=item["input"]))
    return ValidationError.from_exception_data("plug-in", details)


class SourceChoice(Choice):
    kind: ClassVar[plugins.Kind] = "source"


class RecogniserChoice(Choice):
    kind: ClassVar[plugins.Kind] = "recogniser"


class SinkChoice(Choice):
    """A sink instance: which rows it gets, and the plug-in's own options."""

    kind: ClassVar[plugins.Kind] = "sink"
    cameras: tuple[str, ...] | None = Field(
        default=None, description="only rows of these cameras; all when null"
    )
    statuses: tuple[Status, ...] | None = Field(
        default=None, description="only rows with these statuses; all when null"
    )
    start: Literal["now", "first"] = Field(
        default="first",
        description="where a sink that is new to the ledger begins: at the next row, or the first",
    )
    after: Name | None = Field(
        default=None, description="wait until this other sink has delivered a row"
    )
