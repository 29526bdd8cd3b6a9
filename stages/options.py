"""The base of every options model: frozen, documented, and strict about unknown keys.

Each option carries a description and its unit in its name (`settle_seconds`,
`min_height_px`); its default lives here and nowhere else. An engine's option that names a file or
folder says so with `json_schema_extra={"path": True}`: then it may be relative to the root.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options that a person types into YAML."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
