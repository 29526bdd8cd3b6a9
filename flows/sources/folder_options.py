"""An inbox: where it is, how it is watched, which names are pictures, how they are claimed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from stages.options import Options


class FolderOptions(Options):
    """An inbox: a folder with a subfolder for each camera."""

    inbox: str = Field(
        default="data/inbox", min_length=1, description="folder to watch; relative to the root"
    )
    mode: Literal["auto", "events", "polling"] = Field(
        default="auto",
        description="events: the kernel tells; polling: look often, as network shares need; "
        "auto: by the type of the file system",
    )
    rescan_seconds: float = Field(
        default=30.0, gt=0, description="pause between full scans, which find what was not told"
    )
    poll_seconds: float = Field(
        default=1.0,
        gt=0,
        description="pause between scans for new files when polling, before a file that a scan "
        "found is looked at again, and between checks that what is watched is still there",
    )
    suffixes: tuple[str, ...] = Field(
        default=("bmp", "png", "jpg", "jpeg", "tif", "tiff", "webp"),
        min_length=1,
        description="name endings of pictures, in any case",
    )
    ignore: tuple[str, ...] = Field(
        default=(".*", "~*", "*.tmp", "*.part", "@eaDir", "Thumbs.db"),
        description="file and folder names to pass over, with * and ?, in any case",
    )

    claim: Literal["move", "copy"] = Field(
        default="move",
        description="move: a picture leaves the inbox; copy: for shares that must stay as they "
        "are, it is copied and remembered, and the inbox is only read",
    )

    @field_validator("suffixes")
    @classmethod
    def _bare(cls, suffixes: tuple[str, ...]) -> tuple[str, ...]:
        bare = tuple(suffix.strip().lower().lstrip(".") for suffix in suffixes)
        if not all(bare):
            raise ValueError("a suffix is empty")
        return bare
