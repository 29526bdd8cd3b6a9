"""The site's settings: the option models of all parts, composed from YAML and the environment.

Precedence, lowest first: the defaults in the models, `conf/markwatch.yaml`, `conf/local.yaml`,
`MARKWATCH__SECTION__KEY`, flags. Unknown keys are errors, and all errors are told together with
file and line. Secrets come only from the environment or from a file that an option names.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from flows.care.canary_options import CanaryOptions
from flows.care.retention_options import RetentionOptions
from flows.care.silence_options import SilenceOptions
from flows.configuration.choices import (
    PREFIX,
    FromEnvironment,
    Name,
    RecogniserChoice,
    SinkChoice,
    SourceChoice,
    misfits,
)
from flows.configuration.tls import TlsFiles, exposed
from flows.configuration.yamlfile import Layer, Loc, complaints, overlay, read_layer
from flows.serve.options import ServeOptions
from flows.settle import SettleOptions
from stages.decode import DecodeOptions
from stages.errors import ConfigError
from stages.options import Options
from stages.records import Stage

ROOT_VARIABLE = "MARKWATCH_ROOT"


class IntakeOptions(SettleOptions):
    """When a file is whole, and how much is claimed at once."""

    max_in_flight: int = Field(
        default=32,
        ge=1,
        description="pictures claimed but not yet reported; the inbox buffers the rest",
    )


class ClusterOptions(Options):
    """Where the graph runs."""

    scheduler: Literal["worker", "threads"] = Field(
        default="worker",
        description="one supervised worker process, or Dask's threads in this process",
    )
    address: str | None = Field(
        default=None, description="address of a Dask scheduler to use instead, e.g. tls://host:8786"
    )
    tls: TlsFiles | None = Field(
        default=None, description="files to speak to that scheduler with; wanted off this machine"
    )
    pictures: Literal["path", "bytes"] = Field(
        default="path",
        description="how they get to that cluster: its workers see data/work at the same path, or "
        "each picture's bytes travel with its task",
    )
    resources: dict[Stage, dict[str, float]] = Field(
        default={},
        description="Dask resources that the tasks of a stage ask of a worker there, "
        "e.g. {recognise: {GPU: 1}}",
    )
    threads: int | None = Field(
        default=None, ge=1, description="threads that read pictures; null for one per core"
    )
    memory_limit_mb: int | None = Field(
        default=None,
        ge=256,
        description="memory at which the worker is restarted; null for 3/4 of this machine's",
    )
    deadline_seconds: float = Field(
        default=60.0,
        gt=0,
        description="longest that one picture may take before the worker is restarted",
    )
    patience_seconds: float = Field(
        default=2.0,
        gt=0,
        description="longest that one picture may hold up the others, where pictures are known to "
        "be quick three times what slow ones of late took: then the standby has the line until "
        "that one is done, or over its deadline",
    )
    standby: bool = Field(
        default=True,
        description="a second worker process with its models loaded, where memory allows: it has "
        "the line when the first one dies, and reads alone what is under suspicion",
    )
    standby_after_seconds: float = Field(
        default=60.0,
        ge=0,
        description="time after the start, which has pictures to read first, when the standby is "
        "started; sooner if it is needed",
    )
    start_seconds: float = Field(
        default=120.0,
        gt=0,
        description="longest that the worker may take to start and load its models",
    )
    max_attempts: int = Field(
        default=3,
        ge=2,
        description="attempts at a picture before it is filed under failed/: the first among "
        "others, the next alone, the last with engines loaded anew",
    )
    max_chunk: int = Field(
        default=8, ge=1, description="most pictures in one Dask task when the line is behind"
    )
    dashboard_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="port of Dask's dashboard on loopback; null for none",
    )

    @model_validator(mode="after")
    def _closed(self) -> ClusterOptions:
        if self.address is not None and (words := exposed(self.address, self.tls)):
            raise misfits([(("address",), words, None)])
        return self


class DeliveryOptions(Options):
    """How hard the sinks are tried."""

    backoff_seconds: float = Field(default=0.5, gt=0, description="first pause after a failure")
    max_backoff_seconds: float = Field(default=30.0, gt=0, description="longest pause")
    stop_seconds: float = Field(
        default=20.0, gt=0, description="time for finishing pictures and flushing sinks at shutdown"
    )


class LogOptions(Options):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severity that is written"
    )
    style: Literal["auto", "human", "json"] = Field(
        default="auto", description="auto: human on a terminal, JSON otherwise"
    )


class Settings(Options):
    """Everything about one site; `conf/markwatch.yaml` holds what differs from the defaults."""

    station: Name = Field(
        default="station-1", description="name of this installation, in every row and topic"
    )
    sources: dict[Name, SourceChoice] = Field(
        default={"folder": {"use": "folder"}},
        description="where pictures come from, each under a name of its own; null switches one off",
    )
    intake: IntakeOptions = Field(default={}, description="when a file is whole, how many at once")
    decode: DecodeOptions = Field(default={}, description="limits on what is opened as a picture")
    recogniser: RecogniserChoice = Field(
        default={"use": "trocr", "opinion": "rapidocr"},
        description="reads the text, unless a recipe names another",
    )
    cluster: ClusterOptions = Field(default={}, description="where the graph runs")
    sinks: dict[Name, SinkChoice] = Field(
        default={
            "mqtt": {"use": "mqtt"},
            "parquet": {"use": "parquet"},
            "csv": {"use": "csv"},
        },
        description="where the readings go, each under a name of its own; null switches one off",
    )
    delivery: DeliveryOptions = Field(default={}, description="how hard the sinks are tried")
    retention: RetentionOptions = Field(default={}, description="what is removed, and when")
    silence: SilenceOptions = Field(
        default={}, description="when a camera that sends nothing is told of"
    )
    canary: CanaryOptions = Field(
        default={}, description="files that prove that the inboxes are watched"
    )
    serve: ServeOptions = Field(
        default={}, description="the HTTP API, and the TCP trigger for PLCs and cameras"
    )
    log: LogOptions = Field(default={}, description="what is logged, and how")

    @field_validator("sources", "sinks", mode="before")
    @classmethod
    def _named_like_its_plugin(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: {"use": name, **item} if isinstance(item, Mapping) else item
            for name, item in value.items()
            if item is not None
        }

    @model_validator(mode="after")
    def _known_after(self) -> Settings:
        for name, sink in self.sinks.items():
            if sink.after is not None and (sink.after not in self.sinks or sink.after == name):
                others = ", ".join(other for other in self.sinks if other != name) or "none"
                raise misfits(
                    [
                        (
                            ("sinks", name, "after"),
                            f"no other sink is called {sink.after!r}: {others}",
                            None,
                        )
                    ]
                )
            chain = [name]
            while (following := self.sinks[chain[-1]].after) is not None:
                if following in chain:
                    words = f"sinks wait for each other for ever: {' after '.join(chain)}"
                    raise misfits([(("sinks", name, "after"), words, None)])
                chain.append(following)
                if following not in self.sinks:
                    break
        return self


class Layout:
    """Where things lie below a root: `conf/` and the folders of `data/`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.conf = self.root / "conf"
        self.recipes = self.conf / "recipes"
        self.work = self.root / "data" / "work"
        self.archive = self.root / "data" / "archive"
        self.failed = self.root / "data" / "failed"
        self.state = self.root / "data" / "state"
        self.ledger = self.state / "ledger.sqlite"

    def label(self, path: Path) -> str:
        """The path as a person would type it from the root."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        )


def load(root: Path, flags: Mapping[str, Any] | None = None) -> Settings:
    """Compose the settings of a root.

    Raises:
        ConfigError: every mistake, one line each.
    """
    layout = Layout(root)
    if not layout.conf.is_dir():
        raise ConfigError(
            f"{layout.root} has no conf/ folder; give --root DIR, or `markwatch init DIR`"
        )
    layers = [
        read_layer(path, layout.label(path))
        for path in (layout.conf / "markwatch.yaml", layout.conf / "local.yaml")
        if path.is_file()
    ]
    parts = ("sources", "recogniser", "sinks")
    instances = {key: Settings.model_fields[key].default for key in parts}
    layers.insert(0, Layer("defaults", instances))
    values = from_environment(os.environ)
    layers.append(Layer("environment", values, place=_variable))
    if flags:
        layers.append(Layer("command line", flags, place=lambda _: "command line"))
    try:
        return Settings.model_validate(overlay(layers))
    except ValidationError as error:
        raise complaints(error, layers) from error


def _variable(loc: Loc) -> str:
    return f"environment {PREFIX}{'__'.join(str(part).upper() for part in loc)}"


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The tree that `MARKWATCH__SINKS__MQTT__PORT=1884` and its like describe.

    A value that begins with `[` or `{` is JSON, `null` switches an instance off. Names of instances
    are matched in lower case.

    Raises:
        ConfigError: a value is not the JSON that it begins as, or a name has one `_` for two.
    """
    tree: dict[str, Any] = {}
    for name in sorted(environment):
        if not name.upper().startswith(PREFIX):
            if name.upper().startswith(PREFIX[:-1]) and name != ROOT_VARIABLE:
                raise ConfigError(
                    f"environment {name}: unknown; sections are divided by two underscores, as in "
                    f"{PREFIX}SINKS__MQTT__HOST"
                )
            continue
        *parents, leaf = name[len(PREFIX) :].lower().split("__")
        text = environment[name]
        value: Any = None if text == "null" else FromEnvironment(text)
        if text[:1] in "[{" and text:
            try:
                value = json.loads(text)
            except (json.JSONDecodeError, RecursionError) as error:
                words = getattr(error, "msg", "too deep")
                raise ConfigError(
                    f"environment {name}: begins like JSON and is none: {words}; a password that "
                    "begins so goes into a file that its option names"
                ) from error
        node = tree
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise ConfigError(f"environment {name}: {parent!r} is already a plain value")
            node = child
        node[leaf] = value
    return tree
