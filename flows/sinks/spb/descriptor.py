"""One edge node goes by a descriptor (group and node) on one machine, whichever its folder is.

Two would take turns in confusing every host: each message of one is out of order after the other's.
A second one on another machine is recognised by the session, from what the broker says.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import filelock

from stages.errors import DeliveryError


def lock_descriptor(broker: str, group: str, node: str) -> filelock.BaseFileLock:
    """A lock that this process holds until it releases it or dies.

    Raises:
        DeliveryError: another process of this machine has it.
    """
    digest = hashlib.sha256("\n".join([broker, group, node]).encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir(), f"markwatch-sparkplug-{digest}.lock")
    lock = filelock.FileLock(path, timeout=0, mode=0o666)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise DeliveryError(
            f"edge node {group}/{node} at {broker} already runs on this machine: stop the other, or"
            " give one of them another group_id or node_id"
        ) from None
    except OSError as error:
        raise DeliveryError(
            f"cannot lock edge node {group}/{node}: {path}: {error.strerror}; remove that file, or "
            "give this account the right to write it"
        ) from error
    return lock
