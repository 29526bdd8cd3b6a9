"""When a camera that sends nothing is told of."""

from __future__ import annotations

from pydantic import Field

from stages.options import Options


class SilenceOptions(Options):
    """When log, status and MQTT say that a camera is silent."""

    learned: bool = Field(
        default=True,
        description="tell of a camera that sends nothing in a span in which, in most of the last "
        "four weeks, it sent 20 pictures; needs a week of them in the ledger; a holiday alarms",
    )
    limit_minutes: float | None = Field(
        default=None,
        gt=0,
        description="longest that any camera may be silent, at night too; null for no such limit",
    )
    cameras_minutes: dict[str, float | None] = Field(
        default={},
        description="the same for one camera, instead of all else: {press-3: 30}; null for never",
    )
