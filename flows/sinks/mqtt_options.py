"""The options of the sinks that speak to an MQTT broker: which one, as whom, and how patiently."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from flows.configuration.credentials import secret_of
from flows.configuration.tls import TlsOptions, client_context
from flows.sinks.mqtt_client import Endpoint
from stages.options import Options


def _resolvable(host: str) -> str:
    if "/" in host or host.count(":") == 1:
        # Not quoted: in a URL there may be a password.
        raise ValueError("is more than a name; write the port as `port`, TLS as `tls`")
    host.encode("idna")
    return host


def _levels(root: str) -> str:
    if not root.strip("/") or root.startswith(("$", "/")) or re.search(r"[+#\x00-\x1f]", root):
        raise ValueError(f"{root!r} cannot begin a topic: no +, #, and no $ or / at its start")
    return root


class BrokerOptions(Options):
    """A broker that is somewhere else, and how to talk to it."""

    port: int | None = Field(
        default=None, ge=1, le=65535, description="its port; 1883, or 8883 with tls, when null"
    )
    client_id: str | None = Field(
        default=None, min_length=1, description="markwatch-<station>-<sink> when null"
    )
    username: str | None = Field(default=None, description="user at the broker")
    password: SecretStr | None = Field(
        default=None,
        description="password at the broker; only from the environment",
        json_schema_extra={"secret": True},
    )
    password_file: str | None = Field(
        default=None, description="file that holds the password, relative to the root"
    )
    tls: TlsOptions | None = Field(
        default=None, description="encrypt, and verify the broker; null for plain TCP"
    )
    keepalive_seconds: int = Field(
        default=30, ge=1, le=65535, description="silence after which a connection is tested"
    )
    connect_timeout_seconds: float = Field(
        default=5.0, gt=0, description="longest wait for a connection"
    )
    ack_timeout_seconds: float = Field(
        default=20.0, gt=0, description="longest wait for the next acknowledgement"
    )
    reconnect_max_seconds: float = Field(
        default=30.0, gt=0, description="longest pause between attempts to connect"
    )
    max_inflight: int = Field(
        default=100, ge=1, le=65535, description="most messages that await their acknowledgement"
    )

    def endpoint(self, host: str, root: str, port: int | None = None) -> Endpoint:
        """Where the broker is; files are relative to the root, `port` goes before the option.

        Raises:
            ConfigError: a file cannot be read.
        """
        return Endpoint(
            host=host,
            port=port or self.port or (8883 if self.tls else 1883),
            keepalive_seconds=self.keepalive_seconds,
            connect_timeout_seconds=self.connect_timeout_seconds,
            ack_timeout_seconds=self.ack_timeout_seconds,
            reconnect_max_seconds=self.reconnect_max_seconds,
            max_inflight=self.max_inflight,
            username=self.username,
            password=secret_of(self.password, self.password_file, root, "password_file"),
            tls=client_context(self.tls, root) if self.tls else None,
        )


Host = Annotated[str, AfterValidator(_resolvable)]


class HomeAssistantOptions(Options):
    """Discovery of the station and its cameras by Home Assistant."""

    prefix: Annotated[str, AfterValidator(_levels)] = Field(
        default="homeassistant", description="discovery prefix, as Home Assistant has it"
    )
    birth_topic: Annotated[str, AfterValidator(_levels)] = Field(
        default="homeassistant/status",
        description="where Home Assistant says `online` when it starts",
    )
    forget_days: int = Field(
        default=28, ge=1, description="silence of a camera after which its device is removed"
    )


class MqttOptions(BrokerOptions):
    """Which broker, as whom, and how patiently."""

    host: Host | None = Field(
        default=None, min_length=1, description="the broker; null starts one in this process"
    )
    embedded_port: int = Field(
        default=1883, ge=0, le=65535, description="port of the embedded broker; 0 for a free one"
    )
    root: Annotated[str, AfterValidator(_levels)] = Field(
        default="markwatch",
        description="first levels of every topic, e.g. enterprise/site/area/line",
    )
    figures_seconds: float = Field(
        default=60.0,
        ge=0,
        description="how often the status is published with new figures of pictures, sinks and "
        "disks; 0 for a status without them",
    )
    outage_hours: float | None = Field(
        default=8.0,
        gt=0,
        description="how long a subscriber may be away and lose nothing: `check` says what of the "
        "broker's settings would drop messages meanwhile; null to be told nothing",
    )
    broker_config: str | None = Field(
        default=None,
        description="the broker's mosquitto.conf, if it is on this machine, for `check` to read",
    )

    home_assistant: HomeAssistantOptions | None = Field(
        default=None,
        description="let Home Assistant discover the station and its cameras; {} for its own "
        "defaults, null to remove what was published",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> MqttOptions:
        if self.tls is not None and self.host is None:
            raise ValueError(
                "tls needs host: the embedded broker is for this machine only, without TLS"
            )
        return self
