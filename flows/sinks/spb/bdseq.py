"""The number that ties an edge node's death to its birth, kept so that no power cut repeats it.

Every CONNECT has the next one, 0 to 255 and round again, from one life of the station to the next.
It is on disk before the CONNECT is sent: a host that heard a number twice could take the late death
of an old session for the death of the new one.
Source: Eclipse Sparkplug 3.0.0, `tck-id-topics-nbirth-bdseq-increment`.
"""

from __future__ import annotations

import os
from pathlib import Path

from flows.files import durable
from stages.errors import DeliveryError

COUNT = 256


class BdSeq:
    """The last number that went out, in a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def next(self) -> int:
        """The number for the next CONNECT; a file that is not there or damaged begins anew.

        Raises:
            DeliveryError: the file cannot be read.
        """
        try:
            return (int(self.path.read_text(encoding="ascii")) + 1) % COUNT
        except (FileNotFoundError, ValueError):
            return 0
        except OSError as error:
            raise DeliveryError(durable.remedy(error, self.path)) from error

    def sent(self, number: int) -> None:
        """Keep a number, durably; to be called right before its CONNECT is sent.

        Raises:
            DeliveryError: the disk is full or refuses.
        """
        part = self.path.with_name(self.path.name + durable.PART)
        try:
            durable.make_folder(self.path.parent)
            part.write_text(f"{number}\n", encoding="ascii")
            durable.fsync_file(part)
            os.replace(part, self.path)
            durable.fsync_directory(self.path.parent)
        except OSError as error:
            raise DeliveryError(durable.remedy(error, self.path)) from error
