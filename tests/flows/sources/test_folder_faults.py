"""The folder source when folders, watchdog, queues and limits fail it: nothing is missed."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from flows.sources.filesystem import filesystems_under, mode_for
from flows.sources.folder import FolderOptions, FolderSource
from stages.ports import ScanEnd, Site, Trouble

PATIENCE = 20.0
MODES = ("events", "polling")
Listening = Callable[..., AbstractContextManager[Any]]

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_2000_files_burst_in_and_are_moved_away_then_none_is_missed(
    tmp_path: Path, inbox: Path, mode: str, log: Any, watching: Listening
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    names = {f"{number}.png" for number in range(2000)}

    def produce() -> None:
        for number in range(2000):
            # Cameras of both kinds; the short rescan makes walks and events meet.
            folder = inbox / f"cam-{number % 3}"
            folder.mkdir(exist_ok=True)
            if number % 2:
                (folder / f"{number}.png").write_bytes(b"x")
            else:
                (folder / f"{number}.part").write_bytes(b"x")
                (folder / f"{number}.part").rename(folder / f"{number}.png")

    with watching(mode=mode, rescan_seconds=0.3) as listener:
        producer = threading.Thread(target=produce)
        producer.start()
        claimed = set()
        while claimed != names:
            one = listener.next()
            if one.hint == "gone" or not one.size or one.path.endswith("first.png"):
                continue
            try:
                os.rename(one.path, work / os.path.basename(one.path))
            except FileNotFoundError:
                continue
            claimed.add(os.path.basename(one.path))
        producer.join()
    assert {path.name for path in work.iterdir()} == names
    assert set(log.all("watching", "mode")) == {mode}


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_the_inbox_is_removed_and_made_again_then_it_is_watched_again(
    tmp_path: Path, inbox: Path, mode: str, watching: Listening
) -> None:
    with watching(mode=mode, rescan_seconds=0.1) as listener:
        shutil.rmtree(inbox)
        # Made elsewhere and moved, so that the file is there as soon as the folder is.
        (tmp_path / "new" / "press-3").mkdir(parents=True)
        (tmp_path / "new" / "press-3" / "back.png").write_bytes(b"x")
        (tmp_path / "new").rename(inbox)
        listener.hint(inbox / "press-3" / "back.png", "seen")
        if mode == "events":
            deadline = time.monotonic() + PATIENCE
            for number in itertools.count():
                path = inbox / "press-3" / f"{number}.png"
                path.write_bytes(b"x")
                told = listener.until(lambda one, path=path: one.path == str(path))[-1]
                if told.hint in ("closed", "changed"):
                    break
                assert time.monotonic() < deadline


@linux
def test_arrivals_when_the_inbox_is_renamed_away_and_replaced_then_the_new_one_is_watched(
    tmp_path: Path, inbox: Path, watching: Listening
) -> None:
    # inotify follows the renamed folder, so the observer lives and hears nothing.
    with watching(mode="events") as listener:
        inbox.rename(tmp_path / "old")
        inbox.mkdir()
        path = inbox / "there.png"
        path.write_bytes(b"x")
        listener.hint(path, "seen")
        (inbox / "then.png").write_bytes(b"x")
        listener.hint(inbox / "then.png", "closed")


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_the_inbox_is_missing_at_the_start_then_it_is_waited_for(
    tmp_path: Path, mode: str, log: Any, listening: Listening
) -> None:
    with listening(mode=mode, rescan_seconds=0.05) as listener:
        log.until("cannot read")
        path = tmp_path / "data" / "inbox" / "cam" / "one.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        listener.hint(path, "seen")
        both = ("readable again", "watching")
        assert {log.until(*both)["event"] for _ in both} == set(both)
    assert set(log.all("watching", "mode")) == {mode}
    assert len(log.all("cannot read", "path")) == 1


@linux
def test_arrivals_when_watchdogs_reader_dies_unnoticed_then_the_scan_finds_out(
    inbox: Path, log: Any, watching: Listening
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    with watching(mode="events", rescan_seconds=0.3) as listener:
        (reader,) = [thread for thread in threading.enumerate() if isinstance(thread, InotifyFD)]
        reader.stop()
        reader.join()
        (inbox / "press-3" / "unheard.png").write_bytes(b"x")
        listener.hint(inbox / "press-3" / "unheard.png", "seen")
        assert log.until("watching")["reason"] == "found"
        assert log.until("watching")["reason"] == "events missing"
        (inbox / "press-3" / "heard.png").write_bytes(b"x")
        listener.hint(inbox / "press-3" / "heard.png", "closed")


@linux
def test_arrivals_when_events_keep_failing_in_auto_then_it_polls(
    inbox: Path, log: Any, watching: Listening
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    if mode_for(filesystems_under(inbox)) == "polling":
        pytest.skip("temporary files lie on a file system that is polled")
    known = inbox / "press-3" / "1.png"
    known.write_bytes(b"x")
    with watching(rescan_seconds=0.3) as listener:
        modes = [log.until("watching")["mode"]]
        for number in (2, 3):
            # The scan that a new beginning starts with owes nothing to events: let it end first.
            listener.forget()
            listener.hint(known, "seen")
            listener.hint(known, "seen")
            for thread in threading.enumerate():
                if isinstance(thread, InotifyFD):
                    thread.stop()
                    thread.join()
            (inbox / "press-3" / f"{number}.png").write_bytes(b"x")
            modes.append(log.until("watching")["mode"])
        (inbox / "press-3" / "polled.png").write_bytes(b"x")
        listener.hint(inbox / "press-3" / "polled.png", "seen")
    assert modes == ["events", "events", "polling"]


class ForgetfulSource(FolderSource):
    told_limit = 1


@linux
def test_arrivals_when_more_is_told_than_is_kept_then_a_scan_finds_the_rest(
    inbox: Path, watching: Listening
) -> None:
    with watching(source_class=ForgetfulSource, mode="events") as listener:
        paths = {str(inbox / "press-3" / f"{number}.png") for number in range(200)}
        for path in paths:
            Path(path).write_bytes(b"x")
        while paths:
            one = listener.next()
            if one.hint in ("seen", "closed"):
                paths.discard(one.path)


@linux
def test_arrivals_when_the_kernels_queue_overflows_then_a_scan_follows(
    inbox: Path, log: Any, watching: Listening
) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip(f"fs.inotify.max_queued_events is {limit}: too long to overflow")
    first = inbox / "press-3" / "first.png"
    with watching(mode="events") as listener:
        # Once it is closed no more looks at it are due, and no scan is for an hour.
        first.write_bytes(b"again")
        listener.hint(first, "closed")
        with (inbox / "a.log").open("wb", 0) as a, (inbox / "b.log").open("wb", 0) as b:
            # The kernel merges equal neighbours, so the two files take turns.
            while not any("overflow" in said for said in log.all("events may be lost", "said")):
                for _ in range(limit):
                    os.write(a.fileno(), b"x")
                    os.write(b.fileno(), b"x")
        listener.hint(first, "seen")


@linux
@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_subfolder_cannot_be_listed_then_the_others_are_and_it_is_logged_once(
    inbox: Path, log: Any, mode: str, watching: Listening
) -> None:
    # A path of more than 4,096 bytes: even the superuser cannot list it by name.
    folder, name = os.open(inbox, os.O_RDONLY), "d" * 250
    for _ in range(18):
        os.mkdir(name, dir_fd=folder)
        deeper = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    with watching(mode=mode, rescan_seconds=0.05) as listener:
        for _ in range(5):
            listener.hint(inbox / "press-3" / "first.png", "seen")
        listener.hint(inbox / "press-3" / "first.png", "seen")
    assert log.all("cannot read", "error") == ["File name too long"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_arrivals_when_a_subfolder_cannot_be_read_then_the_others_are_and_it_is_logged_once(
    inbox: Path, log: Any, watching: Listening
) -> None:
    closed = inbox / "closed"
    closed.mkdir()
    closed.chmod(0)
    try:
        with watching(mode="polling", rescan_seconds=0.05) as listener:
            for _ in range(5):
                listener.hint(inbox / "press-3" / "first.png", "seen")
            closed.chmod(0o700)
            log.until("readable again")
    finally:
        closed.chmod(0o700)
    assert log.all("cannot read", "path") == [str(closed)]


def test_arrivals_when_the_inbox_goes_away_then_its_trouble_is_told_and_when_it_is_over(tmp_path):
    inbox = tmp_path / "inbox"
    (inbox / "cam").mkdir(parents=True)
    options = FolderOptions(inbox=str(inbox), mode="polling", poll_seconds=0.02, rescan_seconds=0.1)
    stop = threading.Event()
    with FolderSource(options, Site("plant-1", str(tmp_path))) as source:
        seen = source.arrivals(stop)
        next(one for one in seen if isinstance(one, ScanEnd))
        inbox.rename(tmp_path / "away")
        told = next(one for one in seen if isinstance(one, Trouble))
        assert told.words == f"{inbox} is away: mount the share; its pictures wait there"
        (tmp_path / "away").rename(inbox)
        assert next(one for one in seen if isinstance(one, Trouble)) == Trouble(None)
        stop.set()
        assert not [one for one in seen if isinstance(one, Trouble)]
