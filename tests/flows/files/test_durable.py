"""Durable files: a move never overwrites and never loses, across file systems too."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.files import durable


@pytest.fixture
def elsewhere(tmp_path) -> Iterator[Path]:
    """A folder on another file system than `tmp_path`."""
    here = tmp_path.stat().st_dev
    for candidate in filter(os.path.isdir, ("/dev/shm", "/run", "/tmp", str(Path.home()))):
        if os.stat(candidate).st_dev != here and os.access(candidate, os.W_OK):
            folder = Path(tempfile.mkdtemp(dir=candidate))
            yield folder
            shutil.rmtree(folder)
            return
    pytest.skip("this machine has one writable file system only")


def test_move_new_when_the_target_is_free_then_the_file_is_there_and_only_there(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"one")
    durable.move_new(source, target)
    assert target.read_bytes() == b"one" and os.listdir(tmp_path) == ["b"]


def test_move_new_when_the_target_exists_then_both_stay(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"one")
    target.write_bytes(b"two")
    with pytest.raises(FileExistsError):
        durable.move_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"one", b"two")


def test_move_new_when_a_crash_left_both_names_then_calling_again_finishes(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"one")
    os.link(source, target)
    durable.move_new(source, target)
    assert target.read_bytes() == b"one" and not source.exists()


def test_move_new_when_the_source_is_gone_then_it_says_so(tmp_path):
    with pytest.raises(FileNotFoundError):
        durable.move_new(tmp_path / "a", tmp_path / "b")


def test_move_new_when_the_file_system_has_no_links_then_it_renames_but_never_overwrites(
    tmp_path, monkeypatch
):
    def no_links(source: object, target: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"one")
    durable.move_new(source, target)
    source.write_bytes(b"two")
    with pytest.raises(FileExistsError):
        durable.move_new(source, target)
    assert (source.read_bytes(), target.read_bytes()) == (b"two", b"one")


@pytest.mark.parametrize("name", ["picture.png", "ü" * 125 + ".jpg"])
def test_move_new_when_it_crosses_file_systems_then_the_bytes_arrive_whole(
    tmp_path, elsewhere, name
):
    source, target = tmp_path / name, elsewhere / name
    source.write_bytes(os.urandom(100_000))
    content, changed = source.read_bytes(), source.stat().st_mtime_ns
    durable.move_new(source, target)
    assert target.read_bytes() == content and target.stat().st_mtime_ns == changed
    assert os.listdir(elsewhere) == [name] and not source.exists()


def test_move_new_when_it_crosses_to_a_taken_name_then_both_stay(tmp_path, elsewhere):
    (tmp_path / "a").write_bytes(b"one")
    (elsewhere / "a").write_bytes(b"two")
    with pytest.raises(FileExistsError):
        durable.move_new(tmp_path / "a", elsewhere / "a")
    assert (tmp_path / "a").read_bytes() == b"one" and (elsewhere / "a").read_bytes() == b"two"


def test_move_away_when_a_newer_file_takes_the_name_before_an_unlink_then_it_stays(
    tmp_path, monkeypatch
):
    source, newer = tmp_path / "a", tmp_path / "newer"
    source.write_text("old")
    unlink, came = os.unlink, []

    def late(path):
        came.append(path)
        newer.write_text("new")
        newer.replace(source)
        unlink(path)

    monkeypatch.setattr(os, "unlink", late)
    durable.move_away(source, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "old"
    assert not came or source.read_text() == "new"


def test_move_away_when_the_target_exists_then_both_stay(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with pytest.raises(FileExistsError):
        durable.move_away(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "b"


def test_move_away_when_a_copy_is_overtaken_then_the_newer_file_stays(
    tmp_path, elsewhere, monkeypatch
):
    source, newer = tmp_path / "a", tmp_path / "newer"
    source.write_text("old")
    newer.write_text("new")
    monkeypatch.setattr(
        durable,
        "fsync_directory",
        lambda path: newer.replace(source) if newer.exists() else None,
    )
    durable.move_away(source, elsewhere / "a")
    assert (elsewhere / "a").read_text() == "old"
    assert source.read_text() == "new"


def test_write_new_when_written_twice_then_the_same_content_is_success(tmp_path):
    path = tmp_path / "part.reason.json"
    durable.write_new(path, b"{}")
    durable.write_new(path, b"{}")
    with pytest.raises(FileExistsError):
        durable.write_new(path, b"[]")
    assert path.read_bytes() == b"{}" and os.listdir(tmp_path) == ["part.reason.json"]


def test_write_new_when_the_folder_is_missing_then_it_fails_and_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        durable.write_new(tmp_path / "missing" / "a", b"")
    assert os.listdir(tmp_path) == []


def test_make_folder_when_parents_are_missing_then_all_are_made_and_twice_is_fine(tmp_path):
    for _ in range(2):
        durable.make_folder(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a/b/c").is_dir()


def test_make_folder_when_a_file_is_in_the_way_then_it_says_so(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OSError):
        durable.make_folder(tmp_path / "a" / "b")


def test_fsync_when_things_are_there_or_not_then_only_a_missing_one_fails(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    durable.fsync_file(tmp_path / "a")
    durable.fsync_directory(tmp_path)
    with pytest.raises(FileNotFoundError):
        durable.fsync_file(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        durable.fsync_directory(tmp_path / "b")


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "free some"), (errno.EACCES, "right to write"), (errno.EIO, "disk is there")],
)
def test_remedy_when_a_file_cannot_be_written_then_it_names_path_and_remedy(code, words):
    text = durable.remedy(OSError(code, os.strerror(code)), "/data/out")
    assert "/data/out" in text and words in text and "\n" not in text


def test_move_all_new_when_the_power_may_be_cut_then_new_names_are_on_disk_before_old_ones_go(
    tmp_path, monkeypatch
):
    calls = []
    for name in ("link", "unlink"):
        real = getattr(os, name)
        monkeypatch.setattr(
            durable.os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))
        )
    sync = durable.fsync_directory
    monkeypatch.setattr(durable, "fsync_directory", lambda path: (calls.append("sync"), sync(path)))
    target = tmp_path / "there"
    target.mkdir()
    moves = [(tmp_path / f"{number}", target / f"{number}") for number in range(3)]
    for source, _ in moves:
        source.write_text(source.name)
    assert durable.move_all_new(moves) == {}
    assert calls == ["link"] * 3 + ["sync"] + ["unlink"] * 3
    assert [path.read_text() for _, path in moves] == ["0", "1", "2"]


def test_move_all_new_when_some_cannot_move_then_the_others_do_and_it_can_be_called_again(tmp_path):
    source, target = tmp_path / "here", tmp_path / "there"
    source.mkdir()
    target.mkdir()
    for name in "abc":
        (source / name).write_text(name)
    (target / "b").write_text("another file")
    moves = [(source / name, target / name) for name in "abc"]
    failed = durable.move_all_new(moves)
    assert list(failed) == [source / "b"]
    assert isinstance(failed[source / "b"], FileExistsError)
    assert (target / "b").read_text() == "another file"
    (target / "b").unlink()
    assert durable.move_all_new(moves) == {}
    assert sorted(path.name for path in target.iterdir()) == ["a", "b", "c"]
    assert list(source.iterdir()) == []
