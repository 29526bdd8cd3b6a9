"""The folder source against a real folder, real inotify, real threads."""

from __future__ import annotations

import itertools
import os
import queue
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from flows.sources.folder import FolderSource
from stages.ports import ScanEnd, Site
from stages.records import Arrival

PATIENCE = 20.0
HOUR = 3600.0
MODES = ("events", "polling")

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs inotify")


class Listener:
    """Reads a source in a thread; `until` waits for what the source says."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.stop = threading.Event()
        self.said: queue.Queue[Arrival | BaseException] = queue.Queue()
        self.thread = threading.Thread(target=self._listen)

    def _listen(self) -> None:
        try:
            for seen in self.source.arrivals(self.stop):
                if isinstance(seen, Arrival):
                    self.said.put(seen)
        except BaseException as error:
            self.said.put(error)

    def next(self, timeout: float = PATIENCE) -> Arrival:
        said = self.said.get(timeout=timeout)
        if isinstance(said, BaseException):
            raise said
        return said

    def until(self, wanted: Callable[[Arrival], bool]) -> list[Arrival]:
        """Everything that is said up to and including the first that is wanted."""
        heard = []
        deadline = time.monotonic() + PATIENCE
        while True:
            left = deadline - time.monotonic()
            try:
                heard.append(self.next(max(0.01, left)))
            except queue.Empty:
                raise AssertionError(f"never said; only {heard[-20:]}") from None
            if wanted(heard[-1]):
                return heard

    def hint(self, path: Path, *hints: str) -> Arrival:
        """Wait until one of the hints is said of the path."""
        return self.until(lambda one: one.path == str(path) and one.hint in hints)[-1]


class Log:
    """Structlog's last processor: keeps what was logged, and lets a test wait for it."""

    def __init__(self) -> None:
        self.lines: list[dict] = []
        self._new: queue.Queue[dict] = queue.Queue()

    def __call__(self, logger: object, method: str, line: dict) -> dict:
        self.lines.append(line)
        self._new.put(line)
        raise structlog.DropEvent

    def until(self, *events: str) -> dict:
        """Wait for the next line that begins like one of these."""
        while True:
            line = self._new.get(timeout=PATIENCE)
            if line["event"].startswith(events):
                return line

    def all(self, event: str, key: str) -> list[str]:
        return [line[key] for line in self.lines if line["event"].startswith(event)]


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[log])
    yield log
    structlog.configure(processors=before)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "inbox"
    (folder / "press-3").mkdir(parents=True)
    return folder


@contextmanager
def listening(
    root: Path, source_class: type[FolderSource] = FolderSource, **options: object
) -> Iterator[Listener]:
    values = {"poll_seconds": 0.05, "rescan_seconds": HOUR} | options
    before = set(threading.enumerate())
    source = source_class(FolderSource.Options.model_validate(values), Site("s", str(root)))
    with source:
        listener = Listener(source)
        listener.thread.start()
        try:
            yield listener
        finally:
            listener.stop.set()
            listener.thread.join(PATIENCE)
    assert set(threading.enumerate()) - before == set()


@contextmanager
def watching(root: Path, **options: object) -> Iterator[Listener]:
    """Listen, and wait until the source has begun: it has seen a file that was there before."""
    first = root / "data" / "inbox" / "press-3" / "first.png"
    first.write_bytes(b"first")
    with listening(root, **options) as listener:
        listener.hint(first, "seen")
        yield listener


def test_options_when_a_suffix_has_a_dot_and_capitals_then_it_is_made_bare() -> None:
    assert FolderSource.Options(suffixes=(".PNG", "Jpg")).suffixes == ("png", "jpg")
    with pytest.raises(ValidationError, match="a suffix is empty"):
        FolderSource.Options(suffixes=(".",))


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_was_there_before_the_start_then_two_scans_see_it(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    path = inbox / "press-3" / "deeper" / "old.PNG"
    path.parent.mkdir()
    path.write_bytes(b"old")
    os.utime(path, ns=(1, 1_234_567_891))
    with listening(tmp_path, mode=mode) as listener:
        expected = Arrival(str(path), "press-3", 3, 1_234_567_891, "seen")
        assert listener.hint(path, "seen") == expected
        assert listener.hint(path, "seen") == expected


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_lies_in_the_inbox_itself_then_the_camera_is_default(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    with watching(tmp_path, mode=mode) as listener:
        (inbox / "loose.bmp").write_bytes(b"x")
        assert listener.until(lambda one: one.path.endswith("loose.bmp"))[-1].camera == "default"


@linux
def test_arrivals_when_a_writer_is_slow_then_closed_comes_last_with_the_whole_size(
    tmp_path: Path, inbox: Path
) -> None:
    path = inbox / "press-3" / "slow.bmp"
    with watching(tmp_path, mode="events") as listener:
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
    tmp_path: Path, inbox: Path, name: str
) -> None:
    hidden, path = inbox / "press-3" / name, inbox / "press-3" / "ready.png"
    with watching(tmp_path, mode="events") as listener:
        hidden.write_bytes(b"picture")
        hidden.rename(path)
        told = listener.until(lambda one: one.path == str(path))
        assert told[-1].hint == "renamed"
        assert str(hidden) not in {one.path for one in told}


@linux
def test_arrivals_when_a_file_is_moved_in_and_out_then_it_is_renamed_and_gone(
    tmp_path: Path, inbox: Path
) -> None:
    outside, path = tmp_path / "outside.png", inbox / "press-3" / "in.png"
    outside.write_bytes(b"picture")
    with watching(tmp_path, mode="events") as listener:
        outside.rename(path)
        told = listener.until(lambda one: one.path == str(path))[-1]
        assert (told.hint, told.size) == ("renamed", 7)
        path.rename(outside)
        assert listener.until(lambda one: one.path == str(path))[-1].hint == "gone"


@linux
def test_arrivals_when_a_file_leaves_then_the_next_events_are_not_held_up(
    tmp_path: Path, inbox: Path
) -> None:
    # watchdog waits half a second for the other half of a rename, and so do all later events.
    with watching(tmp_path, mode="events") as listener:
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
    tmp_path: Path, inbox: Path
) -> None:
    path = inbox / "press-3" / "copied.png"
    with watching(tmp_path, mode="events") as listener:
        path.write_bytes(b"x")
        listener.hint(path, "closed")
        os.utime(path, ns=(5, 5))
        told = listener.until(lambda one: one.path == str(path) and one.mtime_ns == 5)[-1]
        assert told.hint == "closed"


@linux
def test_arrivals_when_a_closed_file_is_opened_and_written_again_then_it_has_changed(
    tmp_path: Path, inbox: Path
) -> None:
    path = inbox / "press-3" / "again.png"
    with watching(tmp_path, mode="events") as listener:
        path.write_bytes(b"x")
        listener.hint(path, "closed")
        with path.open("ab") as file:
            file.write(b"y")
            file.flush()
            assert listener.until(lambda one: one.size == 2)[-1].hint == "changed"


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_subfolder_is_made_while_running_then_its_files_are_seen_twice(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    path = inbox / "new camera" / "x" / "one.png"
    with watching(tmp_path, mode=mode) as listener:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        told = listener.until(lambda one: one.path == str(path) and one.hint in ("closed", "seen"))
        assert told[-1].camera == "new camera"
        if told[-1].hint == "seen":
            listener.hint(path, "closed", "seen")


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_folder_with_files_is_moved_in_then_its_files_are_seen(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for number in range(20):
        (outside / f"{number}.png").write_bytes(b"x")
    with watching(tmp_path, mode=mode) as listener:
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
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    with watching(tmp_path, mode=mode) as listener:
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
    tmp_path: Path, inbox: Path, mode: str, log: Log
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.png").write_bytes(b"x")
    (inbox / "folder-link").symlink_to(elsewhere)
    (inbox / "file-link.png").symlink_to(elsewhere / "secret.png")
    with watching(tmp_path, mode=mode, rescan_seconds=0.05) as listener:
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
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    folder = os.fsencode(inbox) + b"/cam-\xe4"
    with watching(tmp_path, mode=mode) as listener:
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
def test_arrivals_when_2000_files_burst_in_and_are_moved_away_then_none_is_missed(
    tmp_path: Path, inbox: Path, mode: str, log: Log
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

    with watching(tmp_path, mode=mode, rescan_seconds=0.3) as listener:
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
    assert log.all("watching", "mode") == [mode]


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_a_file_is_claimed_then_the_scan_says_that_it_is_gone(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    with watching(tmp_path, mode=mode, rescan_seconds=0.05) as listener:
        first = inbox / "press-3" / "first.png"
        first.unlink()
        assert listener.hint(first, "gone").size == 0


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_the_inbox_is_removed_and_made_again_then_it_is_watched_again(
    tmp_path: Path, inbox: Path, mode: str
) -> None:
    with watching(tmp_path, mode=mode, rescan_seconds=0.1) as listener:
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
    tmp_path: Path, inbox: Path
) -> None:
    # inotify follows the renamed folder, so the observer lives and hears nothing.
    with watching(tmp_path, mode="events") as listener:
        inbox.rename(tmp_path / "old")
        inbox.mkdir()
        path = inbox / "there.png"
        path.write_bytes(b"x")
        listener.hint(path, "seen")
        (inbox / "then.png").write_bytes(b"x")
        listener.hint(inbox / "then.png", "closed")


@pytest.mark.parametrize("mode", MODES)
def test_arrivals_when_the_inbox_is_missing_at_the_start_then_it_is_waited_for(
    tmp_path: Path, mode: str, log: Log
) -> None:
    with listening(tmp_path, mode=mode, rescan_seconds=0.05) as listener:
        log.until("cannot read")
        path = tmp_path / "data" / "inbox" / "cam" / "one.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        listener.hint(path, "seen")
        both = ("readable again", "watching")
        assert {log.until(*both)["event"] for _ in both} == set(both)
    assert log.all("watching", "mode") == [mode]
    assert len(log.all("cannot read", "path")) == 1


@linux
def test_arrivals_when_watchdogs_reader_dies_unnoticed_then_the_scan_finds_out(
    tmp_path: Path, inbox: Path, log: Log
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    with watching(tmp_path, mode="events", rescan_seconds=0.3) as listener:
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
    tmp_path: Path, inbox: Path, log: Log
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    with watching(tmp_path, rescan_seconds=0.3) as listener:
        modes = [log.until("watching")["mode"]]
        for number in (2, 3):
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
    tmp_path: Path, inbox: Path
) -> None:
    with watching(tmp_path, source_class=ForgetfulSource, mode="events") as listener:
        paths = {str(inbox / "press-3" / f"{number}.png") for number in range(200)}
        for path in paths:
            Path(path).write_bytes(b"x")
        while paths:
            one = listener.next()
            if one.hint in ("seen", "closed"):
                paths.discard(one.path)


@linux
def test_arrivals_when_the_kernels_queue_overflows_then_a_scan_follows(
    tmp_path: Path, inbox: Path, log: Log
) -> None:
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 20_000:
        pytest.skip(f"fs.inotify.max_queued_events is {limit}: too long to overflow")
    first = inbox / "press-3" / "first.png"
    with watching(tmp_path, mode="events") as listener:
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
    tmp_path: Path, inbox: Path, log: Log, mode: str
) -> None:
    # A path of more than 4,096 bytes: even the superuser cannot list it by name.
    folder, name = os.open(inbox, os.O_RDONLY), "d" * 250
    for _ in range(18):
        os.mkdir(name, dir_fd=folder)
        deeper = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(folder)
    with watching(tmp_path, mode=mode, rescan_seconds=0.05) as listener:
        for _ in range(5):
            listener.hint(inbox / "press-3" / "first.png", "seen")
        listener.hint(inbox / "press-3" / "first.png", "seen")
    assert log.all("cannot read", "error") == ["File name too long"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_arrivals_when_a_subfolder_cannot_be_read_then_the_others_are_and_it_is_logged_once(
    tmp_path: Path, inbox: Path, log: Log
) -> None:
    closed = inbox / "closed"
    closed.mkdir()
    closed.chmod(0)
    try:
        with watching(tmp_path, mode="polling", rescan_seconds=0.05) as listener:
            for _ in range(5):
                listener.hint(inbox / "press-3" / "first.png", "seen")
            closed.chmod(0o700)
            log.until("readable again")
    finally:
        closed.chmod(0o700)
    assert log.all("cannot read", "path") == [str(closed)]


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
            scan = list(itertools.takewhile(lambda seen: seen != ScanEnd(50), arrivals))
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
