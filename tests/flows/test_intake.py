"""Intake: settled files are claimed once, cameras take turns, and a crash loses nothing."""

from __future__ import annotations

import errno
import os
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import Clock, picture

from flows import intake, recovery
from flows.claims import Claims
from flows.clocks import Clocks
from flows.configuration.settings import IntakeOptions, Layout
from flows.files.digest import digest_of
from flows.files.filenames import printable
from flows.intake import RETRY_SECONDS, Intake
from flows.ledger.log import Ledger
from stages.records import Arrival


class Bench:
    """An intake on a real ledger and real folders, with a clock that the test moves."""

    def __init__(self, root, **options):
        self.layout = Layout(root)
        self.layout.work.mkdir(parents=True, exist_ok=True)
        self.inbox = root / "data" / "inbox"
        self.clock = Clock()
        self.ledger = Ledger(self.layout.ledger, self.clock, root=self.layout.root)
        self.options = IntakeOptions(**options)

    def __enter__(self):
        self.ledger.__enter__()
        clocks = Clocks(self.clock, self.clock.tick)
        self.intake = Intake(self.layout, self.ledger, self.options, clocks)
        self.claims = Claims(self.layout, clocks)
        self.clocks = clocks
        return self

    def __exit__(self, *error):
        self.ledger.__exit__(*error)

    def recover(self, *, isolated):
        unfinished = self.ledger.unfinished()
        return recovery.recover(
            self.layout, self.ledger, self.clocks, unfinished, isolated=isolated
        )

    def drop(self, name, *, camera="cam", level=1):
        return picture(self.inbox / camera / name, level)

    def see(self, path, hint="renamed"):
        about = os.lstat(path)
        camera = path.relative_to(self.inbox).parts[0]
        self.intake.observe(Arrival(str(path), camera, about.st_size, about.st_mtime_ns, hint))

    def after(self, seconds):
        self.clock.seconds += seconds
        return self.intake.claim(100)


def moves_only(wanted, failure=None):
    """`move_away` that moves one file, and dies or fails on any other."""
    move = intake.durable.move_away

    def moved(source, target):
        if os.path.basename(source) != wanted.name:
            raise failure or ZeroDivisionError
        move(source, target)

    return moved


@pytest.fixture
def bench(tmp_path):
    with Bench(tmp_path) as made:
        yield made


def test_claim_when_a_file_was_renamed_in_then_it_is_moved_hashed_and_noted(bench):
    path = bench.drop("part.PNG")
    digest = digest_of(path)
    bench.see(path)
    (image,) = bench.after(0)
    assert not path.exists()
    assert digest_of(bench.layout.root / "data/work" / os.path.basename(image.path)) == digest
    assert (image.sha256, image.camera, image.name) == (digest, "cam", "part.PNG")
    assert [item.state for item in bench.ledger.unfinished()] == ["claimed"]
    assert bench.intake.idle


def test_claim_when_a_file_is_still_written_then_waits_for_the_quiet(bench):
    path = bench.drop("part.png")
    whole = path.read_bytes()
    path.write_bytes(whole[:50])
    bench.see(path, "closed")
    assert bench.after(5) == []
    path.write_bytes(whole)
    bench.see(path, "closed")
    assert bench.after(0.1) == []
    assert len(bench.after(0.3)) == 1


def test_claim_when_the_file_grew_since_it_was_seen_then_waits_again(bench):
    path = bench.drop("part.png")
    bench.see(path, "closed")
    assert bench.after(0) == []
    with path.open("ab") as file:
        file.write(b"more")
    assert bench.after(0.4) == []
    assert bench.after(9.9) == []
    assert len(bench.after(0.2)) == 1


def test_claim_when_a_file_vanishes_before_it_then_leaves_no_trace(bench):
    path = bench.drop("part.png")
    bench.see(path)
    path.unlink()
    assert bench.after(0) == []
    assert bench.ledger.unfinished() == []
    assert bench.intake.idle


def test_claim_when_one_camera_is_behind_then_the_others_are_not(bench):
    for number in range(20):
        bench.see(bench.drop(f"a{number:02d}.png", camera="a"))
    bench.see(bench.drop("b.png", camera="b"))
    bench.clock.seconds += 1
    first = [image.camera for image in bench.intake.claim(4)]
    assert first.count("b") == 1
    rest = bench.intake.claim(100)
    assert len(first) + len(rest) == 21


def test_claim_when_there_is_no_room_then_the_inbox_keeps_the_files(bench):
    for number in range(5):
        bench.see(bench.drop(f"{number}.png"))
    assert bench.intake.claim(0) == []
    assert len(list((bench.inbox / "cam").iterdir())) == 5
    assert not bench.intake.idle


def test_claim_when_two_files_have_equal_bytes_then_both_are_claimed(bench):
    bench.see(bench.drop("one.png"))
    bench.see(bench.drop("two.png"))
    images = bench.after(0)
    assert len({image.id for image in images}) == 2
    assert len({image.sha256 for image in images}) == 1


def test_claim_when_the_same_name_comes_again_then_it_is_a_new_picture(bench):
    bench.see(bench.drop("part.png", level=1))
    (first,) = bench.after(0)
    bench.see(bench.drop("part.png", level=2))
    (second,) = bench.after(0)
    assert first.id != second.id
    assert first.sha256 != second.sha256


def test_claim_when_the_file_is_a_link_then_it_is_not_taken(bench, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    path = bench.drop("link.png")
    bench.see(path)
    path.unlink()
    path.symlink_to(secret)
    assert bench.after(20) == []
    assert secret.exists()


@pytest.mark.parametrize("moved", [False, True], ids=["before the rename", "after the rename"])
def test_recover_when_killed_between_intent_and_claim_then_the_picture_is_not_lost(tmp_path, moved):
    with Bench(tmp_path) as bench:
        path = bench.drop("part.png")
        bench.see(path)
        bench.intake._settle()
        claim = bench.claims.intent(bench.intake._take_turns(1)[0])
        bench.ledger.intend([claim])
        if moved:
            bench.claims.move(claim)
    with Bench(tmp_path) as bench:
        to_read, to_file = bench.recover(isolated=True)
        assert to_file == []
        if moved:
            (waiting,) = to_read
            assert (waiting.image.id, waiting.attempts) == (claim.id, 0)
            assert os.path.exists(waiting.image.path)
        else:
            assert to_read == []
            assert path.exists()
            assert bench.ledger.unfinished() == []


def test_recover_when_killed_between_link_and_unlink_then_the_picture_is_read_once(tmp_path):
    with Bench(tmp_path) as bench:
        path = bench.drop("part.png")
        bench.see(path)
        bench.intake._settle()
        claim = bench.claims.intent(bench.intake._take_turns(1)[0])
        bench.ledger.intend([claim])
        os.link(path, bench.layout.root / claim.work)
    with Bench(tmp_path) as bench:
        to_read, _ = bench.recover(isolated=True)
        assert len(to_read) == 1
        assert not path.exists()


def test_recover_when_another_picture_has_taken_the_name_since_then_both_are_kept(tmp_path):
    with Bench(tmp_path) as bench:
        bench.see(bench.drop("part.png", level=1))
        bench.intake._settle()
        claim = bench.claims.intent(bench.intake._take_turns(1)[0])
        bench.ledger.intend([claim])
        bench.claims.move(claim)
        newer = bench.drop("part.png", level=2)
    with Bench(tmp_path) as bench:
        to_read, _ = bench.recover(isolated=True)
        assert len(to_read) == 1
        assert newer.exists()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(min_size=1, max_size=60).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_printable_when_given_any_name_then_is_one_line_of_valid_text(raw):
    shown = printable(os.fsdecode(raw))
    assert shown.isprintable()
    shown.encode("utf-8")
    assert shown == printable(shown)


def test_printable_when_the_name_is_nfd_then_is_shown_as_nfc():
    assert printable("u\u0308.png") == "\u00fc.png"


@pytest.mark.parametrize("isolated", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_recover_when_the_flow_died_in_an_attempt_then_it_counts_only_if_the_picture_may_be_guilty(
    tmp_path, isolated, alone
):
    counted = int(alone and not isolated)
    with Bench(tmp_path) as bench:
        bench.see(bench.drop("part.png"))
        (image,) = bench.after(0)
        bench.ledger.attempt([image.id], alone=alone)
    with Bench(tmp_path) as bench:
        for deaths in (1, 2, 3, 4):
            (found,), _ = bench.recover(isolated=isolated)
            assert found.attempts == deaths * counted
            assert found.suspect
            bench.ledger.attempt([image.id], alone=alone)
        bench.ledger.attempt_failed([image.id])
        (found,), _ = bench.recover(isolated=isolated)
        assert found.attempts == 4 * counted + 1


def test_recover_when_a_new_picture_of_equal_bytes_has_the_old_name_then_both_are_kept(tmp_path):
    with Bench(tmp_path) as bench:
        bench.see(bench.drop("part.png", level=1))
        bench.intake._settle()
        claim = bench.claims.intent(bench.intake._take_turns(1)[0])
        bench.ledger.intend([claim])
        bench.claims.move(claim)
        newer = bench.drop("part.png", level=1)
        os.utime(newer, ns=(claim.mtime_ns + 1, claim.mtime_ns + 1))
    with Bench(tmp_path) as bench:
        to_read, _ = bench.recover(isolated=True)
        assert len(to_read) == 1
        assert newer.exists()


def test_claim_when_work_has_vanished_then_it_is_made_again(bench):
    bench.layout.work.rmdir()
    bench.see(bench.drop("part.png"))
    assert len(bench.after(0)) == 1


def test_claim_when_a_file_beside_the_picture_names_the_code_then_it_is_kept_and_the_file_goes(
    bench,
):
    path = bench.drop("part.png")
    beside = path.with_name("part.png.expected")
    beside.write_text("KX204817\n")
    bench.see(path)
    (image,) = bench.after(0)
    assert image.expected == "KX204817"
    assert not beside.exists()
    assert bench.ledger.unfinished()[0].image.expected == "KX204817"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"", None), (b"\n", None), (b" KX 1 \r\nmore", "KX 1"), (b"\xff\xfe", "\ufffd\ufffd")],
)
def test_claim_when_the_file_beside_is_odd_then_what_is_unreadable_matches_no_code(
    bench, content, expected
):
    path = bench.drop("part.png")
    path.with_name("part.png.expected").write_bytes(content)
    bench.see(path)
    (image,) = bench.after(0)
    assert image.expected == expected


def test_recover_when_the_flow_died_before_the_code_was_kept_then_it_is_read_again(
    bench, monkeypatch
):
    path = bench.drop("part.png")
    beside = path.with_name("part.png.expected")
    beside.write_text("KX204817")
    bench.see(path)
    monkeypatch.setattr(bench.ledger, "claimed", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.after(0)
    monkeypatch.undo()
    # the next part comes while the flow is down, with a code of its own
    bench.drop("part.png", level=2)
    beside.write_text("KX204818")
    ((waiting,), _) = bench.recover(isolated=True)
    assert waiting.image.expected == "KX204817"
    assert beside.read_text() == "KX204818"
    assert [each.suffix for each in bench.layout.work.iterdir()] == [".png"]


def test_recover_when_the_flow_died_after_the_code_was_kept_then_the_next_part_has_its_own(
    bench, monkeypatch
):
    path = bench.drop("part.png")
    beside = path.with_name("part.png.expected")
    beside.write_text("KX204817")
    bench.see(path)
    monkeypatch.setattr(intake, "remove_sidecar", lambda work: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.after(0)
    monkeypatch.undo()
    bench.drop("part.png", level=2)
    beside.write_text("KX204817")
    ((waiting,), _) = bench.recover(isolated=True)
    assert waiting.image.expected == "KX204817"
    assert beside.exists()
    assert [each.suffix for each in bench.layout.work.iterdir()] == [".png"]
    bench.see(path)
    assert [image.expected for image in bench.after(0)] == ["KX204817"]
    assert not beside.exists()


@pytest.mark.parametrize("newer", [False, True])
def test_recover_when_the_flow_died_before_the_picture_was_moved_then_only_its_code_is_given_back(
    bench, monkeypatch, newer
):
    path = bench.drop("part.png")
    beside = path.with_name("part.png.expected")
    beside.write_text("KX204817")
    bench.see(path)
    monkeypatch.setattr(intake.durable, "move_away", moves_only(beside))
    with pytest.raises(ZeroDivisionError):
        bench.after(0)
    monkeypatch.undo()
    assert not beside.exists()
    if newer:
        path.unlink()
        os.utime(bench.drop("part.png", level=2), ns=(0, 0))
    assert bench.recover(isolated=True) == ([], [])
    assert beside.exists() is not newer
    assert not list(bench.layout.work.iterdir())


def test_claim_when_the_picture_cannot_be_moved_then_its_code_stays_with_it(bench, monkeypatch):
    path = bench.drop("part.png")
    beside = path.with_name("part.png.expected")
    beside.write_text("KX204817")
    bench.see(path)
    monkeypatch.setattr(intake.durable, "move_away", moves_only(beside, PermissionError("no")))
    assert bench.after(0) == []
    assert beside.read_text() == "KX204817"
    monkeypatch.undo()
    assert [image.expected for image in bench.after(RETRY_SECONDS)] == ["KX204817"]


@pytest.mark.parametrize("word", ["intend", "claimed"])
def test_claim_when_the_ledgers_disk_is_full_then_nothing_is_forgotten(bench, monkeypatch, word):
    paths = [bench.drop(f"{number}.png", level=number) for number in range(3)]
    for path in paths:
        bench.see(path)

    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(bench.ledger, word, full)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError):
            bench.after(1)
        assert not bench.intake.idle
    monkeypatch.undo()
    images = bench.after(1)
    assert sorted(image.name for image in images) == ["0.png", "1.png", "2.png"]
    assert bench.intake.idle
    assert [item.state for item in bench.ledger.unfinished()] == ["claimed"] * 3


def test_claim_when_work_is_full_then_it_says_so_until_there_is_room(bench, monkeypatch):
    path = bench.drop("part.png")
    bench.see(path)

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))

    monkeypatch.setattr(intake.durable, "move_away", full)
    assert bench.after(0) == []
    assert bench.intake.trouble.startswith("part.png: no space left for data/work: free some")
    monkeypatch.undo()
    (image,) = bench.after(RETRY_SECONDS)
    assert image.name == "part.png"
    assert bench.intake.trouble is None


def test_claim_when_the_share_goes_away_just_then_the_file_is_tried_again(bench, monkeypatch):
    path = bench.drop("part.png")
    bench.see(path)

    def away(*_):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    real = os.lstat
    monkeypatch.setattr(
        intake.durable, "move_away", lambda *_: (monkeypatch.setattr(os, "lstat", away), away())
    )
    assert bench.after(0) == []
    monkeypatch.undo()
    assert os.lstat is real
    (image,) = bench.after(RETRY_SECONDS)
    assert image.name == "part.png"
