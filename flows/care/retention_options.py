"""What may be removed, and when a disk counts as nearly full: everything is kept unless told."""

from __future__ import annotations

from pydantic import Field

from stages.options import Options


class RetentionOptions(Options):
    """How long things are kept; what is not delivered to every sink is never removed."""

    archive_days: float | None = Field(
        default=None,
        gt=0,
        description="age at which a picture in data/archive is removed; null keeps it for ever",
    )
    archive_mb: int | None = Field(
        default=None,
        ge=1,
        description="size of data/archive above which its oldest pictures are removed; null for "
        "no limit",
    )
    failed_days: float | None = Field(
        default=None,
        gt=0,
        description="age at which a picture in data/failed is removed; null keeps it for ever",
    )
    failed_mb: int | None = Field(
        default=None,
        ge=1,
        description="size of data/failed above which its oldest pictures are removed; null for "
        "no limit",
    )
    ledger_days: float | None = Field(
        default=None,
        ge=1,
        description="age at which rows leave the ledger once every sink has them; replay and "
        "duplicate_hours reach no further back; daily totals stay; null keeps them for ever",
    )
    disk_budget_mb: int | None = Field(
        default=None,
        ge=1,
        description="what pictures, ledger and outputs may take together before a warning; null "
        "for what their disks hold",
    )
    warn_percent: float = Field(
        default=90.0,
        gt=0,
        le=100,
        description="how full a disk or the budget is when log, status and MQTT warn of it",
    )
    every_minutes: float = Field(
        default=10.0, gt=0, description="how often disks are looked at and old things removed"
    )
