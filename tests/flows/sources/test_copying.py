"""`claim: copy`: each picture of a share is copied once, and the share stays as it is."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from made import picture

from flows.care.sightings import new_name
from flows.commands import site
from flows.configuration.installation import site_of
from flows.configuration.settings import Layout, load
from flows.files import durable
from flows.settle import SettleOptions
from flows.sources import copying
from flows.sources.copied import FORGET, Copied
from flows.sources.copying import Copying
from flows.sources.folder import FolderSource
from stages.errors import ConfigError
from stages.ports import ScanEnd, Site, Trouble
from stages.records import Arrival

Seen = Arrival | ScanEnd | Trouble | None


class Share:
    """A folder that nobody may change, and the root that copies it."""

    def __init__(self, folder: Path) -> None:
        self.inbox = folder / "share"
        self.root = folder / "root"
        (self.root / "data" / "state").mkdir(parents=True)

    def put(self, name: str, content: bytes, mtime: int = 1_000) -> Arrival:
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
        return self.arrival(name)

    def arrival(self, name: str) -> Arrival:
        path = self.inbox / name
        found = path.stat()
        return Arrival(str(path), path.parent.name, found.st_size, found.st_mtime_ns, "renamed")

    def everything(self) -> list[Seen]:
        """A full scan."""
        names = sorted(path for path in self.inbox.rglob("*.png"))
        arrivals = [self.arrival(str(path.relative_to(self.inbox))) for path in names]
        return [*arrivals, None, ScanEnd(len(arrivals)), None]

    def told(self, seen: list[Seen] | None = None) -> list[Arrival | ScanEnd | Trouble]:
        """What a source that starts now says."""
        source = Copying(str(self.root), str(self.inbox), SettleOptions())
        return list(source.arrivals(iter(self.everything() if seen is None else seen)))

    def copies(self, seen: list[Seen] | None = None) -> list[Path]:
        """The copies that it tells of, each once."""
        paths = [Path(each.path) for each in self.told(seen) if isinstance(each, Arrival)]
        return list(dict.fromkeys(paths))

    def left(self) -> list[str]:
        folder = self.root / "data/state/copies"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    def state(self) -> dict[str, tuple[int, int, int, bytes]]:
        return {
            str(path): (
                path.stat().st_ino,
                path.stat().st_mtime_ns,
                path.stat().st_mode,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in self.inbox.rglob("*")
        }


@pytest.fixture
def share(tmp_path) -> Share:
    return Share(tmp_path)


def take(paths: list[Path]) -> list[bytes]:
    """What the intake does: the copies are renamed away."""
    contents = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    return contents


def test_arrivals_when_a_picture_is_whole_then_its_copy_is_told_and_the_share_is_untouched(share):
    share.put("press-3/Öse 1.png", b"pixels", 1_234_567_890)
    before = share.state()
    (copy,) = share.copies()
    assert (copy.name, copy.read_bytes()) == ("Öse 1.png", b"pixels")
    (told, *_) = share.told([])
    assert told == Arrival(str(copy), "press-3", 6, 1_234_567_890_000_000_000, "renamed")
    assert copy.stat().st_mtime_ns == told.mtime_ns
    assert share.state() == before


def test_arrivals_when_it_was_copied_before_then_no_rescan_and_no_restart_copies_it_again(share):
    share.put("cam/1.png", b"one")
    assert take(share.copies(share.everything() * 3)) == [b"one"]
    for _ in range(2):
        assert share.copies() == []
    assert share.left() == []


def test_arrivals_when_a_copy_was_not_taken_yet_then_every_scan_and_start_tells_of_it_again(share):
    share.put("cam/1.png", b"one")
    first = share.told(share.everything() * 3)
    assert len([each for each in first if isinstance(each, Arrival)]) >= 3
    assert share.copies() == share.copies() == share.copies([])
    assert len(share.left()) == 2


def test_arrivals_when_a_name_has_new_content_then_it_is_a_new_picture(share):
    share.put("cam/1.png", b"one")
    first = share.copies()
    share.put("cam/1.png", b"two", 2_000)
    assert sorted(take(share.copies())) == [b"one", b"two"]
    assert not first[0].exists()
    # The first again, after the second: a picture of its own.
    share.put("cam/1.png", b"one", 3_000)
    assert take(share.copies()) == [b"one"]
    assert share.copies() == []


def test_arrivals_when_a_file_is_only_touched_then_it_is_no_new_picture(share):
    share.put("cam/1.png", b"one")
    take(share.copies())
    share.put("cam/1.png", b"one", 2_000)
    assert share.copies() == [] and share.left() == []


def test_arrivals_when_a_canary_of_another_station_lies_there_then_it_is_passed_over(share):
    share.put(f"cam/{new_name('png')}", b"canary")
    share.put("cam/1.png", b"one")
    assert take(share.copies()) == [b"one"]


def test_arrivals_when_the_site_says_how_long_a_file_must_be_quiet_then_so_long(share):
    site.init(share.root)
    share.put("cam/1.png", b"no end that anybody knows")
    copied = {}
    for seconds in (0, 3600):
        text = f"intake: {{quiet_seconds: {seconds}, settle_seconds: {seconds}}}\n"
        (share.root / "conf" / "markwatch.yaml").write_text(text)
        layout = Layout(share.root)
        options = FolderSource.Options(
            inbox=str(share.inbox), claim="copy", mode="polling", rescan_seconds=0.02
        )
        share.put(f"cam/{seconds}.png", b"no end either, of %06d" % seconds)
        stop = Event()
        with FolderSource(options, site_of(layout, load(share.root))) as source:
            told = source.arrivals(stop)
            # Every scan tells again of the copies that nobody took, so this comes to an end.
            seen = list(itertools.islice(told, 90))
            copied[seconds] = [each.path for each in seen if isinstance(each, Arrival)]
            stop.set()
    assert copied[0] and not any(path.endswith("3600.png") for path in copied[3600])


def test_arrivals_when_equal_pictures_have_two_names_then_both_are_copied(share):
    share.put("cam/1.png", b"one")
    share.put("cam/2.png", b"one")
    assert take(share.copies()) == [b"one", b"one"]


def test_arrivals_when_a_code_is_expected_then_it_lies_beside_the_copy(share):
    share.put("cam/1.png", b"one")
    (share.inbox / "cam/1.png.expected").write_text("KX204817")
    (copy,) = share.copies()
    assert copy.with_name("1.png.expected").read_text() == "KX204817"
    take([copy])
    assert share.copies() == [] and share.left() == []


def test_arrivals_when_a_name_has_full_length_then_it_is_copied(share):
    share.put(f"cam/{'x' * 251}.png", b"one")
    assert take(share.copies()) == [b"one"]


def test_arrivals_when_a_scan_ends_then_that_is_told_after_the_copies(share):
    share.put("cam/1.png", b"one")
    share.put("cam/2.png", b"two")
    # Seen once only, so not known to be whole yet.
    half = Arrival(str(share.inbox / "cam/2.png"), "cam", 3, 1_000 * 10**9, "seen")
    told = share.told([half, share.arrival("cam/1.png"), ScanEnd(2), None])
    assert not any(isinstance(each, ScanEnd) for each in told)
    told = share.told()
    assert [type(each) for each in told][-1] is ScanEnd
    assert len({each.path for each in told if isinstance(each, Arrival)}) == 2


def test_arrivals_when_the_file_grows_while_it_is_copied_then_only_the_whole_one_is_told(
    share, monkeypatch
):
    arrival = share.put("cam/1.png", b"half")
    real = os.fsync

    def growing(handle: int) -> None:
        with open(arrival.path, "ab") as file:
            file.write(b" and half")
        monkeypatch.setattr(copying.os, "fsync", real)
        real(handle)

    monkeypatch.setattr(copying.os, "fsync", growing)
    assert share.copies([arrival, None]) == [] and share.left() == []
    assert take(share.copies()) == [b"half and half"]


def test_arrivals_when_a_link_or_a_pipe_lies_there_then_it_is_passed_over(share):
    share.put("cam/1.png", b"one")
    os.symlink("/etc/passwd", share.inbox / "cam/2.png")
    os.mkfifo(share.inbox / "cam/3.png")
    assert take(share.copies()) == [b"one"]


def test_arrivals_when_many_wait_then_only_so_many_are_copied_and_cameras_take_turns(
    share, monkeypatch
):
    monkeypatch.setattr(copying, "MOST_WAITING", 4)
    for number in range(20):
        share.put(f"busy/{number:02}.png", b"b%d" % number)
    share.put("quiet/1.png", b"quiet")
    batch: list[Path] = []
    rounds: list[list[bytes]] = []

    def seen() -> Iterator[Seen]:
        yield from share.everything()
        for _ in range(10):
            rounds.append(take(batch))
            batch.clear()
            yield None

    source = Copying(str(share.root), str(share.inbox), SettleOptions())
    for each in source.arrivals(seen()):
        if isinstance(each, Arrival) and Path(each.path) not in batch:
            batch.append(Path(each.path))
    assert [len(each) for each in rounds[:6]] == [4, 4, 4, 4, 4, 1]
    assert b"quiet" in rounds[1]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.EACCES, "give this user the right to read it"), (errno.ENOSPC, "no space left")],
)
def test_arrivals_when_a_copy_fails_then_it_says_why_and_tries_again(
    share, monkeypatch, code, words
):
    arrival = share.put("cam/1.png", b"one")
    monkeypatch.setattr(copying, "RETRY_SECONDS", 0.0)
    with monkeypatch.context() as patch:

        def failing(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        patch.setattr(copying, "open_regular", failing)
        (trouble,) = share.told([arrival, None, None, ScanEnd(1), None])
        assert isinstance(trouble, Trouble)
        assert "1.png cannot be copied" in trouble.words and words in trouble.words
    assert share.left() == []

    def recovering() -> Iterator[Seen]:
        with monkeypatch.context() as patch:
            patch.setattr(copying, "open_regular", failing)
            yield arrival
        yield None

    source = Copying(str(share.root), str(share.inbox), SettleOptions())
    told = list(source.arrivals(recovering()))
    assert [type(each) for each in told] == [Trouble, Arrival, Trouble]
    assert told[-1].words is None


class Killed(BaseException):
    """The process ends here."""


STEPS: list[tuple[object, str]] = [
    (durable, "make_folder"),
    (durable, "fsync_directory"),
    (copying.os, "rename"),
    (copying.os, "utime"),
    (Copied, "begin"),
    (Copied, "finish"),
    (Copied, "drop"),
    (Path, "rmdir"),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("owner", "step"), STEPS)
@pytest.mark.parametrize("call", [0, 1, 2])
def test_arrivals_when_killed_at_a_step_then_each_picture_is_taken_exactly_once(
    share, monkeypatch, owner, step, after, call
):
    share.put("cam/1.png", b"one")
    share.put("cam/2.png", b"two")
    taken: list[bytes] = []
    count = iter(range(1000))
    real: Callable[..., object] = getattr(owner, step)

    def killing(*values, **named):
        ours = next(count) == call
        if ours and not after:
            raise Killed
        result = real(*values, **named)
        if ours:
            raise Killed
        return result

    def run() -> None:
        """A source and an intake, which takes what it hears of at once."""
        source = Copying(str(share.root), str(share.inbox), SettleOptions())
        # A process that is killed clears nothing away.
        source._remove = remove_unless_killed(source._remove)
        for each in source.arrivals(iter(share.everything() * 2)):
            if isinstance(each, Arrival) and os.path.lexists(each.path):
                taken.extend(take([Path(each.path)]))

    dead: list[bool] = []

    def remove_unless_killed(real_remove):
        def remove(copy):
            if not dead:
                real_remove(copy)

        return remove

    with monkeypatch.context() as patch:

        def kill(*values, **named):
            try:
                return killing(*values, **named)
            except Killed:
                dead.append(True)
                raise

        patch.setattr(owner, step, kill)
        with suppress(Killed):
            run()
    dead.clear()
    run()
    run()
    assert sorted(taken) == [b"one", b"two"]
    assert share.left() == []


def test_forget_when_a_file_has_been_gone_long_then_it_is_forgotten_and_others_are_not(share):
    share.put("cam/1.png", b"one")
    share.put("cam/2.png", b"two")
    take(share.copies())
    gone, stays = (str(share.inbox / f"cam/{name}.png") for name in (1, 2))
    copied = Copied(share.root / "data/state/copied.sqlite", str(share.inbox))
    now = datetime(2026, 11, 20, tzinfo=UTC)
    copied.forget_missing({stays}, now)
    copied.forget_missing({stays}, now + FORGET - timedelta(seconds=1))
    assert copied.is_known(gone, 3, 1_000 * 10**9)
    # It was back in between: its time begins anew.
    copied.forget_missing({stays, gone}, now + FORGET)
    copied.forget_missing({stays}, now + FORGET)
    copied.forget_missing({stays}, now + 2 * FORGET - timedelta(seconds=1))
    assert copied.is_known(gone, 3, 1_000 * 10**9)
    copied.forget_missing({stays}, now + 2 * FORGET)
    assert not copied.is_known(gone, 3, 1_000 * 10**9)
    assert copied.is_known(stays, 3, 1_000 * 10**9)
    copied.close()


def test_sweep_when_the_share_is_away_or_another_is_scanned_then_nothing_is_forgotten(
    share, monkeypatch
):
    share.put("cam/1.png", b"one")
    take(share.copies())
    monkeypatch.setattr("flows.sources.copied.FORGET", timedelta(0))
    monkeypatch.setattr(copying, "SWEEP_SECONDS", 0.0)
    ends = [ScanEnd(0)] * 6
    share.told([Trouble("it is away"), *ends])
    other = Copying(str(share.root), str(share.inbox.parent / "other"), SettleOptions())
    list(other.arrivals(iter(ends)))
    copied = Copied(share.root / "data/state/copied.sqlite", str(share.inbox))
    assert copied.is_known(str(share.inbox / "cam/1.png"), 3, 1_000 * 10**9)
    share.told(ends)
    assert not copied.is_known(str(share.inbox / "cam/1.png"), 3, 1_000 * 10**9)
    copied.close()


def test_source_when_it_claims_by_copying_then_real_files_are_copied_once(
    tmp_path, inbox, listening
):
    (inbox / "cam").mkdir(exist_ok=True)
    one, two = (picture(tmp_path / f"{name}.png", 100).read_bytes() for name in ("one", "two"))
    staged = tmp_path / "one.png"
    with listening(claim="copy", rescan_seconds=0.2) as listener:
        staged.rename(inbox / "cam" / "1.png")
        (told, *_) = listener.until(lambda one: one.path.endswith("1.png"))
        assert Path(told.path).read_bytes() == one and told.camera == "cam"
        assert "data/state/copies" in told.path
        Path(told.path).unlink()
        (inbox / "cam" / "2.png").write_bytes(two)
        said = listener.until(lambda one: one.path.endswith("2.png"))
        assert {one.path for one in said if one.path.endswith("1.png")} <= {told.path}
    assert (inbox / "cam" / "1.png").read_bytes() == one


def test_probe_when_it_claims_by_copying_then_the_share_need_not_be_writable(
    tmp_path, inbox, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    site = Site("s", str(tmp_path))
    copies = FolderSource(FolderSource.Options(inbox=str(inbox), claim="copy"), site)
    with copies:
        assert str(inbox) in copies.probe()
    with (
        FolderSource(FolderSource.Options(inbox=str(inbox)), site) as moves,
        pytest.raises(ConfigError, match="or set claim: copy"),
    ):
        moves.probe()
