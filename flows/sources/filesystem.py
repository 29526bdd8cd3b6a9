"""What kind of file system a folder lies on, and so whether it tells of new files.

Linux says so in /proc/self/mountinfo (proc(5)). inotify reports what this kernel does, so a
picture that another machine writes to a share, or a host to a guest's folder, is never reported:
there a folder must be polled. Where the kind is unknown polling is right too; it costs a second.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Mode = Literal["events", "polling"]

UNKNOWN = "unknown"

_LOCAL = """
    bcachefs btrfs ecryptfs exfat ext2 ext3 ext4 f2fs hfsplus jfs msdos nilfs2 ntfs ntfs3 overlay
    ramfs reiserfs rootfs tmpfs ubifs udf vfat xfs zfs
"""
LOCAL = frozenset(_LOCAL.split())
"""Kinds on which every change passes through this kernel, so inotify hears it."""

_NETWORK = """
    9p acfs afs beegfs ceph cifs coda davfs drvfs gfs2 glusterfs gpfs lustre ncpfs nfs nfs3 nfs4
    ocfs2 orangefs prl_fs smb smb2 smb3 smbfs vboxsf virtiofs vmhgfs
"""
NETWORK = frozenset(_NETWORK.split())
"""Kinds that another machine or a virtual machine's host serves; so does `fuse.*`, it may be."""

_MOUNTS = "/proc/self/mountinfo"


@dataclass(frozen=True, slots=True)
class _Mount:
    point: str
    device: str
    kind: str


def filesystem_of(path: str | os.PathLike[str], mounts: str = _MOUNTS) -> str:
    """The type of the file system that holds `path`, or would once it exists: `ext4`, `cifs`.

    `mounts` names a file in the form of /proc/self/mountinfo. Gives `unknown` where there is none.
    """
    real = _existing(path)
    holding = [mount for mount in _mounts(mounts) if _within(real, mount.point)]
    if not holding:
        return UNKNOWN
    # A mount on a parent hides an older, deeper one, which the device number tells apart; btrfs
    # gives each subvolume a number of its own, which mountinfo does not show.
    device = _device(real)
    visible = [mount for mount in holding if mount.device == device] or holding
    deepest = max(len(mount.point) for mount in visible)
    return [mount.kind for mount in visible if len(mount.point) == deepest][-1]


def filesystems_under(path: str | os.PathLike[str], mounts: str = _MOUNTS) -> tuple[str, ...]:
    """`filesystem_of(path)` first, then the kinds of what is mounted on folders below it."""
    real = _existing(path)
    own = filesystem_of(path, mounts)
    below = {
        mount.kind
        for mount in _mounts(mounts)
        if mount.point != real and _within(mount.point, real) and real == os.path.realpath(path)
    }
    return (own, *sorted(below - {own}))


def is_network(kind: str) -> bool:
    """Whether a file system of this kind is served by another machine, a host or a program."""
    return kind in NETWORK or kind.split(".")[0] in ("fuse", "fuseblk")


def mode_for(kinds: tuple[str, ...]) -> Mode:
    """`events` where every kind is known to report each change, else `polling`."""
    return "events" if all(kind in LOCAL for kind in kinds) else "polling"


def _existing(path: str | os.PathLike[str]) -> str:
    real = os.path.realpath(path)
    while not os.path.exists(real) and os.path.dirname(real) != real:
        real = os.path.dirname(real)
    return real


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _device(path: str) -> str:
    try:
        number = os.stat(path).st_dev
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}" if hasattr(os, "major") else ""


def _mounts(source: str) -> list[_Mount]:
    try:
        with open(source, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    mounts = []
    for line in lines:
        before, dash, after = line.partition(" - ")
        fields = before.split(" ")
        if dash and len(fields) >= 5:
            mounts.append(_Mount(_unescaped(fields[4]), fields[2], after.split(" ")[0]))
    return mounts


def _unescaped(point: str) -> str:
    for code, character in (("040", " "), ("011", "\t"), ("012", "\n"), ("134", "\\")):
        point = point.replace(f"\\{code}", character)
    return point
