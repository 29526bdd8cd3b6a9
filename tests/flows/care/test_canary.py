"""Canaries are written, measured, judged and taken in again; never read, and never left behind."""

from __future__ import annotations

import builtins
import errno
import itertools
import os
import shutil
import threading
from datetime import timedelta

import pytest
from made import Clock, picture
from structlog.testing import capture_logs

from flows.audit.figures import brief, figures
from flows.audit.proof import differences
from flows.care import flights
from flows.care.canary import Canaries
from flows.care.sightings import STEM, is_canary, new_name
from flows.clocks import Clocks
from flows.commands import site
from flows.configuration import settings
from flows.configuration.settings import Layout
from flows.intake import Intake
from flows.ledger.log import Ledger
from flows.serve.desk import Desk
from flows.serve.problems import RefusedError
from flows.sources.folder import FolderOptions
from flows.sources.names import Names
from flows.sources.scan import Scan
from stages.ports import Site
from stages.records import Arrival

SITE = "station: st\nsinks: {mqtt: null, parquet: null, csv: {}}\n"
PNG = b"\x89PNG\r\n\x1a\n"


class Killed(BaseException):
    """The end of a process."""


class Rig:
    """A root whose inbox is really scanned, with a clock that the test moves."""

    def __init__(self, folder, text="", *, start=lambda act: act(), begin=True):
        if not (folder / "conf").is_dir():
            site.init(folder)
        (folder / "conf" / "markwatch.yaml").write_text(SITE + text)
        self.layout = Layout(folder)
        self.settings = settings.load(folder)
        self.options = self.settings.sources["folder"].options
        self.inbox = (self.layout.root / self.options.inbox).resolve()
        (self.inbox / "cam").mkdir(parents=True, exist_ok=True)
        self.layout.work.mkdir(parents=True, exist_ok=True)
        self.clock = Clock()
        self._start, self._begin = start, begin

    def __enter__(self):
        self.ledger = Ledger(self.layout.ledger, self.clock, root=self.layout.root)
        self.ledger.__enter__()
        clocks = Clocks(self.clock, self.clock.tick)
        self.intake = Intake(self.layout, self.ledger, self.settings.intake, clocks)
        names = Names(str(self.inbox), self.options.suffixes, self.options.ignore)
        self.scan = Scan(names, 1.0, 30.0, self.clock.tick)
        self.claimed = []
        place = Site("st", str(self.layout.root))
        self.canaries = Canaries(
            *(self.ledger, self.settings, place, self.intake.sightings, clocks),
            start=self._start,
        )
        if self._begin:
            self.canaries.turn()
        return self

    def __exit__(self, *error):
        self.ledger.__exit__(*error)

    def after(self, seconds):
        """Let time pass, and everybody have a turn."""
        self.clock.seconds += seconds
        self.clock.now += timedelta(seconds=seconds)
        self.canaries.turn()
        self.claimed += self.intake.claim(100)

    def out(self):
        return [path for path in self.inbox.iterdir() if path.is_file()]

    def event(self, hint="renamed"):
        """The kernel tells of what lies in the inbox."""
        for path in self.out():
            about = path.stat()
            seen = Arrival(str(path), "default", about.st_size, about.st_mtime_ns, hint)
            self.intake.observe(seen)
        self.claimed += self.intake.claim(100)

    def walk(self, *, events=True):
        for arrival in self.scan.walk(full=True):
            self.intake.observe(arrival)
        self.intake.sightings.note_scan("folder", events=events)
        self.claimed += self.intake.claim(100)

    def told(self):
        with self.ledger.snapshot() as db:
            return figures(db, self.clock.now)

    @property
    def words(self):
        return self.told()["conditions"].get("canary folder")

    @property
    def times(self):
        return self.told()["canaries"]["folder"]

    def send(self):
        """Let the next canary be written."""
        self.walk()
        for _ in range(3):
            if not self.out():
                self.after(301)
        (path,) = self.out()
        return path

    def renew(self):
        """Let the one that is out be given up, and wait for the next."""
        while self.out():
            self.after(1)
        while not self.out():
            self.after(1)

    def return_well(self):
        """Let the canary that is out be seen by event and scan, and be taken in."""
        self.event()
        self.walk()
        self.after(1)
        self.after(1)
        assert self.out() == []


@pytest.fixture
def rig(tmp_path):
    with Rig(tmp_path) as made:
        yield made


def test_canary_when_event_and_scan_tell_then_both_are_measured_and_it_is_no_picture(rig):
    path = rig.send()
    assert is_canary(str(path)) and path.read_bytes().startswith(PNG)
    rig.after(0.5)
    rig.event()
    rig.after(11.5)
    rig.walk()
    rig.after(1)
    rig.after(1)
    assert rig.out() == [] and rig.claimed == [] and rig.intake.idle
    times = rig.times
    assert (times["seconds"], times["events_seconds"], times["scan_seconds"]) == (0.5, 0.5, 12.0)
    assert times["typical_seconds"] == 0.5 and times["late_seconds"] == 0.5
    assert rig.words is None
    found = rig.told()
    assert found["images"] == {"seen": 0, "reported": 0, "failed": 0, "in_work": 0}
    assert found["cameras"] == {} and found["balanced"]
    assert brief(found)["canaries"] == {"folder": times}
    assert list(differences(rig.layout, rig.settings)) == []


def test_canary_when_the_folder_is_polled_then_two_looks_and_a_quiet_are_no_delay(rig):
    rig.walk(events=False)
    rig.after(61)
    rig.after(1)
    rig.walk(events=False)
    rig.after(1)
    rig.walk(events=False)
    rig.after(0.1)
    rig.after(1)
    times = rig.times
    assert (times["seconds"], times["scan_seconds"], times["events_seconds"]) == (2.0, 1.0, None)
    assert times["late_seconds"] == 0.0 and rig.words is None and rig.out() == []


def test_canary_when_a_picture_comes_beside_it_then_only_that_is_claimed(rig):
    rig.send()
    picture(rig.inbox / "cam" / "part.png", 200)
    for _ in range(3):
        rig.walk()
        rig.after(5)
    assert [image.name for image in rig.claimed] == ["part.png"]


def test_canary_when_nobody_sees_it_then_alarms_once_and_heals_once(rig):
    rig.send()
    with capture_logs() as logs:
        for _ in range(80):
            rig.after(1)
        words = rig.words
        assert words.startswith("a file written there was not seen within 61 s")
        assert rig.times["seconds"] is None and rig.times["late_seconds"] == 61.0
        for _ in range(200):
            rig.after(1)
        assert rig.words is not None
        rig.renew()
        rig.return_well()
    assert rig.words is None
    said = [entry["event"] for entry in logs if entry.get("what") == "canary folder"]
    assert said == ["needs attention", "is well again"]


def test_canary_when_only_a_scan_finds_it_then_says_that_events_lie(rig):
    rig.send()
    for _ in range(8):
        rig.after(10)
        rig.walk()
    assert "no event told" in rig.words and "mode: polling" in rig.words
    assert rig.times["scan_seconds"] == 10.0 and rig.times["events_seconds"] is None


def test_canary_when_only_events_tell_then_says_that_the_scan_lies(rig):
    rig.send()
    rig.event()
    for _ in range(7):
        rig.after(10)
    rig.after(1)
    assert "no scan found it" in rig.words
    assert rig.times["seconds"] == 0.0


def test_canary_when_it_comes_late_then_says_how_late(rig):
    rig.walk(events=False)
    rig.after(61)
    rig.after(31)
    rig.walk(events=False)
    rig.after(1.2)
    rig.walk(events=False)
    rig.after(0)
    rig.after(1)
    assert rig.words is None and rig.times["late_seconds"] == 30.0
    rig.after(301)
    rig.after(33)
    rig.after(1)
    assert "not seen within 33 s" in rig.words


def test_canary_when_it_cannot_be_read_then_says_that_it_was_not_found_whole(rig, monkeypatch):
    monkeypatch.setattr(rig.intake, "_is_whole", lambda due: False)
    rig.send()
    for _ in range(50):
        rig.walk(events=False)
        rig.after(1)
    assert "was seen, but not found whole within" in rig.words


def test_canary_when_another_takes_it_then_says_so(rig):
    rig.send().unlink()
    for _ in range(70):
        rig.after(1)
    assert "another program takes files out of this inbox" in rig.words


def test_canary_when_the_wall_clock_is_set_then_its_delay_is_not_touched(rig):
    rig.send()
    rig.event()
    rig.clock.now -= timedelta(hours=1)
    rig.after(2)
    rig.clock.now += timedelta(hours=2)
    rig.walk()
    rig.after(1)
    rig.after(1)
    assert (rig.times["seconds"], rig.times["scan_seconds"]) == (0.0, 2.0)
    assert rig.words is None


def test_canary_when_the_inbox_is_away_then_alarms_and_heals_when_it_is_back(rig):
    shutil.rmtree(rig.inbox)
    rig.after(61)
    rig.after(1)
    assert "No such file or directory" in rig.words and str(rig.inbox) in rig.words
    (rig.inbox / "cam").mkdir(parents=True)
    rig.renew()
    rig.return_well()
    assert rig.words is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EROFS, "may not be written: give this user the right"),
        (errno.ENOSPC, "no space left for"),
        (errno.ENAMETOOLONG, "is too long a path"),
        (errno.ESTALE, "check that the disk is there"),
    ],
)
@pytest.mark.parametrize("where", ["open", "rename"])
def test_canary_when_it_cannot_be_written_then_says_why_and_leaves_nothing(
    rig, monkeypatch, code, words, where
):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(*((builtins, "open") if where == "open" else (os, "rename")), fail)
        rig.after(61)
        rig.after(1)
    assert words in rig.words
    rig.after(11)
    rig.after(1)
    assert rig.out() == [] and words in rig.words
    rig.send()
    rig.return_well()
    assert rig.words is None


def test_canary_when_it_cannot_be_removed_then_no_other_is_written_until_it_is(rig, monkeypatch):
    path = rig.send()
    unlink = os.unlink

    def fail(name, *_, **__):
        if str(name) == str(path):
            raise PermissionError(errno.EPERM, "Operation not permitted", name)
        unlink(name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", fail)
        rig.event()
        rig.walk()
        for _ in range(400):
            rig.after(1)
        assert rig.out() == [path] and "cannot be removed" in rig.words
    rig.after(11)
    rig.after(1)
    assert rig.out() == [] and rig.words is None


def test_canary_when_the_share_hangs_then_the_judge_does_not(tmp_path):
    held = []
    with Rig(tmp_path, start=held.append) as rig:
        rig.after(61)
        rig.after(31)
        assert "the inbox has not answered since" in rig.words
        held.pop()()
        rig.walk()
        rig.event()
        rig.after(1)
        held.pop()()
        rig.after(1)
        assert rig.words is None and rig.out() == []


CHANGES = [
    *((flights.CanaryNotes, name) for name in ("begin", "tell", "end")),
    *((os, name) for name in ("rename", "unlink")),
    (builtins, "open"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name"), CHANGES, ids=[name for _, name in CHANGES])
def test_canary_when_killed_at_a_change_then_the_next_start_clears_it_away_unread(
    tmp_path, monkeypatch, owner, name, after
):
    real = getattr(owner, name)

    def die(*arguments, **options):
        if after:
            result = real(*arguments, **options)
            if hasattr(result, "close"):
                result.close()
        raise Killed

    with Rig(tmp_path) as rig:
        rig.walk()
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(owner, name, die)
            rig.after(61)
            patch.undo()
            rig.event()
            rig.walk()
            patch.setattr(owner, name, die)
            rig.after(1)
            rig.after(1)
    with Rig(tmp_path, begin=False) as rig:
        # What is still there may be seen before it is cleared away.
        rig.walk()
        rig.event()
        rig.after(1)
        rig.walk()
        rig.after(11)
        assert rig.out() == [] and rig.claimed == [] and rig.words is None
        assert rig.ledger.canaries.left() == {}
        assert rig.told()["images"]["seen"] == 0
        rig.send()
        rig.return_well()
        assert rig.words is None


def test_canary_when_its_source_is_gone_at_the_next_start_then_it_is_removed_all_the_same(tmp_path):
    with Rig(tmp_path) as rig:
        path = rig.send()
    with Rig(tmp_path, "canary: {every_minutes: 0}\n") as rig:
        rig.after(1)
        assert not path.exists() and rig.ledger.canaries.left() == {}
        assert rig.told()["canaries"] == {}


def test_canary_when_two_stations_share_an_inbox_then_each_sees_only_its_own(tmp_path):
    inbox = tmp_path / "share"
    source = f"sources: {{folder: {{inbox: '{inbox}'}}}}\n"
    with Rig(tmp_path / "one", source) as one, Rig(tmp_path / "two", source) as two:
        path = one.send()
        two.walk()
        two.event()
        two.after(0)
        assert two.claimed == [] and two.intake.idle and path.exists()
        one.return_well()
        two.send()
        one.walk()
        one.event()
        two.return_well()
        assert one.words is two.words is None
        assert one.claimed == two.claimed == []


def test_canary_when_one_lies_there_for_a_day_then_it_is_removed_whoever_wrote_it(rig):
    old, young = (rig.inbox / new_name("png") for _ in range(2))
    for path, age in ((old, 90_000), (young, 80_000)):
        path.write_bytes(b"whatever")
        at = path.stat().st_mtime - age
        os.utime(path, (at, at))
    rig.walk()
    rig.after(61)
    assert not old.exists() and young.exists()
    assert rig.claimed == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("canary: {every_minutes: 0}\n", None),
        ("sources: {folder: {claim: copy}}\n", None),
        ("sources: {folder: {ignore: ['Mark*']}}\n", "its `ignore` passes over names"),
    ],
)
def test_canary_when_none_may_be_written_then_none_is(tmp_path, text, words):
    with Rig(tmp_path, text) as rig:
        for _ in range(10):
            rig.after(100)
            assert rig.out() == []
        assert (rig.words or "").startswith(words or "") and bool(rig.words) == bool(words)


def test_canary_when_the_source_wants_only_other_endings_then_it_has_one_of_them(tmp_path):
    with Rig(tmp_path, "sources: {folder: {suffixes: [BMP, tif]}}\n") as rig:
        assert rig.send().suffix == ".bmp"
        rig.return_well()
        assert rig.words is None


def test_canaries_when_stopped_then_none_is_left_and_no_thread(tmp_path):
    with Rig(tmp_path) as rig:
        before = set(threading.enumerate())
        with rig.canaries:
            rig.send()
        assert rig.out() == [] and set(threading.enumerate()) == before
        assert rig.ledger.canaries.left() == {}


def test_ticket_when_an_upload_is_named_like_a_canary_then_it_is_refused(rig):
    with pytest.raises(RefusedError, match="passes over"):
        Desk(rig.layout, rig.settings).ticket("cam", new_name("png"), PNG + b"....")


def test_is_canary_when_a_camera_names_a_file_then_it_is_none():
    plain = [STEM + "1.png", "markwatch-canary.png", f"x{new_name('png')}", "canary/part.png"]
    assert not any(map(is_canary, plain))
    names = {new_name(suffix) for suffix in itertools.repeat("tif", 1000)}
    assert len(names) == 1000 and all(map(is_canary, names))
    assert not is_canary(f"/share/{new_name('d')}/part.png")
    assert not any(FolderOptions().ignore[0] == name[0] for name in names)
