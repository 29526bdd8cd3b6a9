"""What the folder source says of files: a real folder, real inotify, real threads."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from flows.sources.folder import FolderSource
from stages.ports import ScanEnd, Site
from stages.records import Arrival

HOUR = 3600.0
MODES = ("events", "polling")
Listening = Callable[..., AbstractContextManager[Any]]

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


def test_options_when_a_suffix_has_a_dot_and_capitals_then_it_is_made_bare() -> None:
    assert FolderSource.Options(suffixes=(".PNG", "Jpg")).suffixes == ("png", "jpg")
    with pytest.raises(ValidationError, match="a suffix is empty"):
        FolderSource.Options(suffixes=(".",))


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_was_there_before_the_start_then_two_scans_see_it(
    inbox: Path, mode: str, listening: Listening
) -> None:
    path = inbox / "press-3" / "deeper" / "old.PNG"
    path.parent.mkdir()
    path.write_bytes(b"old")
    os.utime(path, ns=(1, 1_234_567_891))
    with listening(mode=mode) as listener:
        expected = Arrival(str(path), "press-3", 3, 1_234_567_891, "seen")
        assert listener.hint(path, "seen") == expected
        assert listener.hint(path, "seen") == expected


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_lies_in_the_inbox_itself_then_the_camera_is_default(
    inbox: Path, mode: str, watching: Listening
) -> None:
    with watching(mode=mode) as listener:
        (inbox / "loose.bmp").write_bytes(b"x")
        assert listener.until(lambda one: one.path.endswith("loose.bmp"))[-1].camera == "default"


@linux
def test_arrivals_when_a_writer_is_slow_then_closed_comes_last_with_the_whole_size(
    inbox: Path, watching: Listening
) -> None:
    path = inbox / "press-3" / "slow.bmp"
    with watching(mode="events") as listener:
        with path.open("wb") as file:
            for chunk in range(1, 6):
                file.write(b"x" * 1000)
                file.flush()
                # The next chunk is only written once this one was told of.
                sizes = listener.until(lambda one, n=chunk: one.size == n * 1000)
                assert {one.hint for one in sizes if one.path == str(path)} == {"changed"}
        assert listener.hint(path, "closed").size == 5000


@linux
@pytest.mark.parametrize("name", ["ready.png.part", ".ready.png", "ready.tmp"])
def test_arrivals_when_a_file_is_renamed_from_an_ignored_name_then_it_is_renamed(
    inbox: Path, name: str, watching: Listening
) -> None:
    hidden, path = inbox / "press-3" / name, inbox / "press-3" / "ready.png"
    with watching(mode="events") as listener:
        hidden.write_bytes(b"picture")
        hidden.rename(path)
        told = listener.until(lambda one: one.path == str(path))
        assert told[-1].hint == "renamed"
        assert str(hidden) not in {one.path for one in told}


@linux
def test_arrivals_when_a_file_is_moved_in_and_out_then_it_is_renamed_and_gone(
    tmp_path: Path, inbox: Path, watching: Listening
) -> None:
    outside, path = tmp_path / "outside.png", inbox / "press-3" / "in.png"
    outside.write_bytes(b"picture")
    with watching(mode="events") as listener:
        outside.rename(path)
        told = listener.until(lambda one: one.path == str(path))[-1]
        assert (told.hint, told.size) == ("renamed", 7)
        path.rename(outside)
        assert listener.until(lambda one: one.path == str(path))[-1].hint == "gone"


@linux
def test_arrivals_when_a_file_leaves_then_the_next_events_are_not_held_up(
    tmp_path: Path, inbox: Path, watching: Listening
) -> None:
    # watchdog waits half a second for the other half of a rename, and so do all later events.
    with watching(mode="events") as listener:
        waits = []
        for number in range(5):
            (inbox / "press-3" / "first.png").rename(tmp_path / "claimed.png")
            path = inbox / "press-3" / f"{number}.png"
            path.write_bytes(b"x")
            begun = time.monotonic()
            listener.hint(path, "closed")
            waits.append(time.monotonic() - begun)
            (tmp_path / "claimed.png").rename(inbox / "press-3" / "first.png")
        assert min(waits) < 0.3


@linux
def test_arrivals_when_times_are_set_after_the_close_then_the_file_is_still_closed(
    inbox: Path, watching: Listening
) -> None:
    path = inbox / "press-3" / "copied.png"
    with watching(mode="events") as listener:
        path.write_bytes(b"x")
        listener.hint(path, "closed")
        os.utime(path, ns=(5, 5))
        told = listener.until(lambda one: one.path == str(path) and one.mtime_ns == 5)[-1]
        assert told.hint == "closed"


@linux
def test_arrivals_when_a_closed_file_is_opened_and_written_again_then_it_has_changed(
    inbox: Path, watching: Listening
) -> None:
    path = inbox / "press-3" / "again.png"
    with watching(mode="events") as listener:
        path.write_bytes(b"x")
        listener.hint(path, "closed")
        with path.open("ab") as file:
            file.write(b"y")
            file.flush()
            assert listener.until(lambda one: one.size == 2)[-1].hint == "changed"


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_subfolder_is_made_while_running_then_its_files_are_seen_twice(
    inbox: Path, mode: str, watching: Listening
) -> None:
    path = inbox / "new camera" / "x" / "one.png"
    with watching(mode=mode) as listener:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        told = listener.until(lambda one: one.path == str(path) and one.hint in ("closed", "seen"))
        assert told[-1].camera == "new camera"
        if told[-1].hint == "seen":
            listener.hint(path, "closed", "seen")


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_folder_with_files_is_moved_in_then_its_files_are_seen(
    tmp_path: Path, inbox: Path, mode: str, watching: Listening
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(20):
        (outside / f"{number}.png").write_bytes(b"x")
    with watching(mode=mode) as listener:
        outside.rename(inbox / "cam")
        missing = {str(inbox / "cam" / f"{number}.png") for number in range(20)}
        twice = list(missing)
        while missing or twice:
            one = listener.next()
            if one.hint == "seen" and one.path in missing:
                missing.discard(one.path)
            elif one.hint == "seen" and one.path in twice:
                twice.remove(one.path)


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_names_are_ignored_then_nothing_is_said_of_them(
    inbox: Path, mode: str, watching: Listening
) -> None:
    with watching(mode=mode) as listener:
        for name in (".a.png", "~a.png", "a.png.tmp", "a.TMP", "a.part", "Thumbs.db", "a.txt"):
            (inbox / "press-3" / name).write_bytes(b"x")
        for folder in ("@eaDir", ".hidden"):
            (inbox / folder).mkdir()
            (inbox / folder / "a.png").write_bytes(b"x")
        (inbox / "folder.png").mkdir()
        os.mkfifo(inbox / "pipe.png")
        last = inbox / "folder.png" / "last.png"
        last.write_bytes(b"x")
        told = listener.until(lambda one: one.path == str(last))
        told += listener.until(lambda one: one.path == str(last))
        assert {one.path for one in told} <= {str(last), str(inbox / "press-3" / "first.png")}


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_there_are_symlinks_then_they_are_refused_and_logged_once(
    tmp_path: Path, inbox: Path, mode: str, log: Any, watching: Listening
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.png").write_bytes(b"x")
    (inbox / "folder-link").symlink_to(elsewhere)
    (inbox / "file-link.png").symlink_to(elsewhere / "secret.png")
    with watching(mode=mode, rescan_seconds=0.05) as listener:
        (inbox / "later-link.png").symlink_to(elsewhere / "secret.png")
        told = []
        for number in range(3):
            path = inbox / "press-3" / f"{number}.png"
            path.write_bytes(b"x")
            told += listener.until(lambda one, path=path: one.path == str(path))
            told += listener.until(lambda one: one.path.endswith("first.png"))
        refused = {log.until("symbolic link refused")["path"] for _ in range(3)}
    assert not [one for one in told if "link" in one.path]
    names = ("file-link.png", "folder-link", "later-link.png")
    assert refused == {str(inbox / name) for name in names}
    assert len(log.all("symbolic link refused", "path")) == 3


@linux
@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_name_cannot_be_decoded_then_its_path_still_opens_the_file(
    inbox: Path, mode: str, watching: Listening
) -> None:
    folder = os.fsencode(inbox) + b"/cam-\xe4"
    with watching(mode=mode) as listener:
        os.mkdir(folder)
        for name in (b"\xff\xfe.png", b"line\nbreak.png", "Prüfung 🙂.png".encode()):
            with open(folder + b"/" + name, "wb") as file:
                file.write(name)
            told = listener.until(
                lambda one, name=name: os.fsencode(one.path).endswith(name) and one.size > 0
            )[-1]
            assert Path(told.path).read_bytes() == name
            assert told.camera == "cam-\\xe4"


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_is_claimed_then_the_scan_says_that_it_is_gone(
    inbox: Path, mode: str, watching: Listening
) -> None:
    with watching(mode=mode, rescan_seconds=0.05) as listener:
        first = inbox / "press-3" / "first.png"
        first.unlink()
        assert listener.hint(first, "gone").size == 0


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_is_older_than_all_that_were_seen_then_it_is_seen_too(
    inbox: Path, mode: str, watching: Listening
) -> None:
    with watching(mode=mode, rescan_seconds=0.05) as listener:
        staged, late = inbox / "press-3" / "late.part", inbox / "press-3" / "late.png"
        staged.write_bytes(b"from another disk, its time kept")
        os.utime(staged, (1, 1))
        staged.rename(late)
        assert listener.hint(late, "seen", "renamed").mtime_ns == 10**9


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_scan_is_done_then_its_end_follows_all_its_files(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    paths = {str(inbox / f"{number}.png") for number in range(50)}
    for path in paths:
        Path(path).write_bytes(b"x")
    options = FolderSource.Options(mode=mode, rescan_seconds=0.05, poll_seconds=HOUR)
    with FolderSource(options, Site("s", str(tmp_path))) as source:
        arrivals = source.arrivals(threading.Event())
        for _ in range(2):
            end = ScanEnd(50, events=mode == "events")
            scan = list(itertools.takewhile(lambda seen, end=end: seen != end, arrivals))
            assert {one.path for one in scan} == paths
            assert len(scan) == 50


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_stopped_in_the_middle_of_a_scan_then_it_ends_at_once(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    for number in range(500):
        (inbox / f"{number}.png").write_bytes(b"x")
    options = FolderSource.Options(mode=mode)
    stop = threading.Event()
    with FolderSource(options, Site("s", str(tmp_path))) as source:
        arrivals = source.arrivals(stop)
        next(arrivals)
        stop.set()
        assert list(arrivals) == []
