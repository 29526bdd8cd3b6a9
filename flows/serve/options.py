"""Options of the HTTP API and the TCP trigger: off by default, and on loopback by default.

Off loopback the API wants a token, and the trigger a list of who may speak to it.
"""

from __future__ import annotations

import ipaddress
from datetime import time
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from flows.configuration.choices import PREFIX, FromEnvironment, Name
from flows.configuration.tls import is_loopback
from stages.options import Options

LEAST_TOKEN_CHARACTERS = 16


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{error}; write 192.168.0.17 or 192.168.0.0/24") from None
    return text


class TriggerOptions(Options):
    """The line protocol for PLCs and cameras (docs/trigger.md)."""

    enabled: bool = Field(default=False, description="whether it is spoken")
    host: str = Field(default="127.0.0.1", description="address of this machine to listen on")
    port: int = Field(default=8791, ge=0, le=65535, description="port to listen on; 0 for any")
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = Field(
        default=(),
        description="addresses or networks that may speak; wanted when host is not loopback",
    )
    wait_seconds: float = Field(
        default=10.0, gt=0, description="longest that READ waits for its picture"
    )
    recent_seconds: float = Field(
        default=10.0,
        ge=0,
        description="how long a reading waits for a READ that comes after it; 0 where a camera "
        "uses file names again and READ is sent before the picture",
    )
    idle_seconds: float = Field(
        default=300.0, gt=0, description="silence, or half a line, after which a line is closed"
    )
    max_connections: int = Field(default=16, ge=1, description="most connections at a time")
    max_connections_per_address: int = Field(
        default=4, ge=1, description="most of them from one address"
    )
    max_line_bytes: int = Field(default=512, ge=64, description="longest line that is taken")

    @model_validator(mode="after")
    def _known_to_all(self) -> TriggerOptions:
        if self.enabled and not is_loopback(self.host) and not self.allow:
            raise ValueError(
                f"{self.host} is reached from other machines, and the protocol has no password: "
                "list who may speak in `allow`"
            )
        return self


class ServeOptions(Options):
    """The HTTP API of a running `watch`, and the TCP trigger."""

    enabled: bool = Field(default=False, description="whether the HTTP API is served")
    host: str = Field(default="127.0.0.1", description="address of this machine to listen on")
    port: int = Field(default=8790, ge=0, le=65535, description="port to listen on; 0 for any")
    token: SecretStr | None = Field(
        default=None,
        description="bearer token that every request must show; only from the environment",
        json_schema_extra={"secret": True},
    )
    token_file: str | None = Field(
        default=None, description="file that holds the token, relative to the root"
    )
    session_days: float = Field(
        default=30.0, gt=0, description="how long a browser that showed the token stays signed in"
    )
    shift_starts: tuple[time, ...] = Field(
        default=(time(6), time(14), time(22)),
        min_length=1,
        description="local times at which shifts begin, whose counts the page shows: '06:00'",
    )
    cert_file: str | None = Field(
        default=None, description="certificate (PEM) to serve HTTPS with, relative to the root"
    )
    key_file: str | None = Field(
        default=None, description="its private key (PEM, not encrypted); null when in cert_file"
    )
    source: Name | None = Field(
        default=None,
        description="the folder source whose inbox takes uploads; null for the first one",
    )
    new_cameras: bool = Field(
        default=False,
        description="whether an upload may name a camera without a recipe and a folder so far",
    )
    editor: bool | None = Field(
        default=None,
        description="whether recipes may be written over HTTP; null: where host is loopback, for "
        "off it the token is also in the hands of machines that only send pictures",
    )
    preview_seconds: float = Field(
        default=60.0, gt=0, description="longest that the recipe editor's preview may take"
    )
    preview_memory_mb: float = Field(
        default=4000.0,
        ge=500,
        description="memory that it may take, in millions of bytes, its model included",
    )
    max_upload_megabytes: float = Field(
        default=32.0, gt=0, description="largest picture that is taken, in millions of bytes"
    )
    head_seconds: float = Field(
        default=10.0, gt=0, description="longest that a request's head may take"
    )
    body_seconds: float = Field(
        default=30.0, gt=0, description="longest that a request's body may take"
    )
    wait_seconds: float = Field(
        default=30.0, gt=0, description="longest that `wait=true` waits for the reading"
    )
    stall_seconds: float = Field(
        default=30.0, gt=0, description="longest that a client may take nothing of its answer"
    )
    max_connections: int = Field(default=100, ge=1, description="most connections at a time")
    max_connections_per_address: int = Field(
        default=16,
        ge=1,
        description="most of them from one address, listeners to /v1/events among them; a proxy "
        "before the station wants as many as max_connections",
    )
    max_uploads: int = Field(default=8, ge=1, description="most uploads taken in at a time")
    max_streams: int = Field(default=20, ge=1, description="most listeners to /v1/events")
    requests_per_second: float = Field(
        default=50.0, gt=0, description="requests that one address may make, twice that at once"
    )
    trigger: TriggerOptions = Field(
        default=TriggerOptions(), description="the line protocol for PLCs and cameras"
    )

    @field_validator("shift_starts", mode="after")
    @classmethod
    def _times(cls, given: tuple[time, ...]) -> tuple[time, ...]:
        if any(one.tzinfo is not None for one in given):
            raise ValueError("are local times, without a zone: write '06:00'")
        return tuple(sorted(set(given)))

    @field_validator("shift_starts", mode="before")
    @classmethod
    def _no_numbers(cls, given: object) -> object:
        # YAML 1.1 reads 06:00 without quotes as 360 and 22:00 as 1320, minutes after midnight.
        if isinstance(given, list | tuple) and any(isinstance(one, int | float) for one in given):
            raise ValueError("write the times in quotes: ['06:00', '14:00', '22:00']")
        return given

    @field_validator("token", mode="before")
    @classmethod
    def _from_the_environment(cls, value: object) -> object:
        if value is not None and not isinstance(value, FromEnvironment | SecretStr):
            raise ValueError(
                f"is a secret: set it in the environment ({PREFIX}SERVE__TOKEN) or name a file"
            )
        return value

    @model_validator(mode="after")
    def _closed(self) -> ServeOptions:
        secret = self.token is not None or self.token_file is not None
        if self.enabled and not is_loopback(self.host) and not secret:
            raise ValueError(
                f"{self.host} is reached from other machines: set {PREFIX}SERVE__TOKEN in the "
                "environment or token_file, or leave host at 127.0.0.1"
            )
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file needs cert_file, its certificate")
        return self
