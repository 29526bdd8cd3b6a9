"""What a folder lies on: mount tables as Linux writes them, and this machine's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flows.sources import folder as folder_source
from flows.sources.filesystem import (
    LOCAL,
    NETWORK,
    filesystem_of,
    filesystems_under,
    is_network,
    mode_for,
)
from stages.ports import Site


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("inbox/press-3", "inbox/press 4", "share/deep"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def table(tree: Path, *mounts: tuple[str, str], device: str = "0:99") -> str:
    """A mountinfo with ext4 at the root and each (folder, kind) below the tree."""
    lines = ["22 1 0:98 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"]
    for number, (folder, kind) in enumerate(mounts, 30):
        point = os.path.join(tree, folder).rstrip("/").replace(" ", "\\040")
        # The optional fields before the dash vary in number.
        optional = ("", " master:1", " shared:5 master:2")[number % 3]
        lines.append(f"{number} 22 {device} / {point} rw{optional} - {kind} //pc/share rw,a - b")
    path = tree / "mountinfo"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_filesystem_of_when_there_are_nested_mounts_then_the_deepest_counts(tree: Path) -> None:
    mounts = table(tree, ("share", "cifs"), ("share/deep", "nfs4"), ("share2", "xfs"))
    assert filesystem_of(tree / "share", mounts) == "cifs"
    assert filesystem_of(tree / "share/deep/x/not yet made.png", mounts) == "nfs4"
    assert filesystem_of(tree / "inbox", mounts) == "ext4"
    assert filesystem_of(tree / "share3", mounts) == "ext4"


def test_filesystem_of_when_mounted_twice_then_the_later_counts(tree: Path) -> None:
    mounts = table(tree, ("share", "autofs"), ("share", "fuse.sshfs"))
    assert filesystem_of(tree / "share", mounts) == "fuse.sshfs"


def test_filesystem_of_when_a_point_has_a_blank_then_it_is_unescaped(tree: Path) -> None:
    assert filesystem_of(tree / "inbox/press 4", table(tree, ("inbox/press 4", "9p"))) == "9p"


def test_filesystem_of_when_the_folder_is_a_link_then_its_target_counts(tree: Path) -> None:
    (tree / "link").symlink_to(tree / "share")
    assert filesystem_of(tree / "link", table(tree, ("share", "cifs"))) == "cifs"


@pytest.mark.skipif(not hasattr(os, "major"), reason="device numbers are POSIX")
def test_filesystem_of_when_a_mount_on_a_parent_hides_a_deeper_one_then_the_device_tells(
    tree: Path,
) -> None:
    number = (tree / "share").stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    mounts = Path(table(tree, ("share/deep", "nfs")))
    text = mounts.read_text() + f"40 22 {device} / {tree}/share rw - xfs /dev/sdb rw\n"
    mounts.write_text(text)
    assert filesystem_of(tree / "share/deep", str(mounts)) == "xfs"


def test_filesystem_of_when_there_is_no_table_then_unknown(tree: Path) -> None:
    assert filesystem_of(tree, str(tree / "none")) == "unknown"
    (tree / "mountinfo").write_text("no table\n22 1\n\n")
    assert filesystem_of(tree, str(tree / "mountinfo")) == "unknown"


def test_filesystems_under_when_a_camera_is_mounted_below_then_it_is_told_too(tree: Path) -> None:
    mounts = table(tree, ("inbox/press-3", "cifs"), ("inbox/press 4", "ext4"), ("share", "nfs"))
    assert filesystems_under(tree / "inbox", mounts) == ("ext4", "cifs")
    assert filesystems_under(tree / "inbox/press-3", mounts) == ("cifs",)
    assert filesystems_under(tree / "inbox/missing", mounts) == ("ext4",)


@pytest.mark.parametrize(
    ("kinds", "mode"),
    [
        (("ext4",), "events"),
        (("overlay", "tmpfs"), "events"),
        (("ext4", "cifs"), "polling"),
        (("fuse.sshfs",), "polling"),
        (("unknown",), "polling"),
        (("something-new",), "polling"),
        *(((kind,), "polling") for kind in ("nfs4", "smb3", "fuseblk", "9p", "drvfs", "virtiofs")),
    ],
)
def test_mode_for_when_any_kind_may_be_silent_then_polling(
    kinds: tuple[str, ...], mode: str
) -> None:
    assert mode_for(kinds) == mode


def test_is_network_when_asked_of_each_list_then_they_do_not_overlap() -> None:
    assert all(is_network(kind) for kind in {*NETWORK, "fuse", "fuse.rclone", "fuseblk"})
    assert not any(is_network(kind) for kind in {*LOCAL, "unknown", "fusectl"})


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_filesystem_of_when_asked_of_proc_then_this_machine_says_proc() -> None:
    assert filesystem_of("/proc/self") == "proc"


@pytest.mark.parametrize(
    ("mode", "kinds", "said"),
    [
        ("auto", ("cifs",), "(cifs), polling"),
        ("auto", ("ext4", "nfs4"), "(ext4, nfs4), polling"),
        ("auto", ("ext4",), "(ext4), events"),
        ("polling", ("ext4",), "(ext4), polling"),
        ("events", ("ext4",), "(ext4), events"),
        ("events", ("cifs",), "only seen every 45 s; set mode: auto"),
        ("events", ("fuse.sshfs",), "only seen every 45 s; set mode: auto"),
    ],
)
def test_probe_when_events_cannot_work_on_a_mount_then_check_says_so(
    tree: Path, monkeypatch: pytest.MonkeyPatch, mode: str, kinds: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(folder_source, "filesystems_under", lambda path: kinds)
    options = folder_source.FolderOptions(inbox="inbox", mode=mode, rescan_seconds=45)
    told = folder_source.FolderSource(options, Site("st", str(tree))).probe()
    assert told.endswith(said)
    assert ("attention" in told) == (mode == "events" and kinds != ("ext4",))
