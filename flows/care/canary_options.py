"""How often it is proved that every inbox is watched."""

from __future__ import annotations

from pydantic import Field

from stages.options import Options


class CanaryOptions(Options):
    """A canary: a small file that is written into an inbox as a camera would, and must be seen."""

    every_minutes: float = Field(
        default=5.0,
        ge=0,
        description="pause between canaries; 0 for none. At five one was through before a camera "
        "can be told of as silent, which takes ten: so it is known which of the two it is",
    )
    late_seconds: float = Field(
        default=30.0,
        gt=0,
        description="longest that one may take, beyond the pauses of its source, before log, "
        "status and MQTT say that watching lies",
    )
