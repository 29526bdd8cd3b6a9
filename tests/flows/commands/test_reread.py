"""Reread: which pictures are chosen, which are refused, and who is blamed for a crash."""

from __future__ import annotations

from dataclasses import replace

import pytest
from accounts import Account
from commands import invoke
from made import report

from flows.archive import filing
from flows.care.rereads import MOST_TRIES, Rereads
from flows.ledger.committing import ids_of
from flows.ledger.log import Outcome
from flows.ledger.wishes import wish

NOW = "2026-11-21T08:00:00.000000Z"


@pytest.fixture
def account(tmp_path):
    with Account(tmp_path / "root") as made:
        made.past()
        yield made


def wished(account, *numbers) -> Rereads:
    wish(account.layout.ledger, [account.image(number).id for number in numbers], NOW)
    return Rereads(account.layout, account.ledger, account.clock.tick)


def names(waiting) -> list[str]:
    return [one.image.name for one in waiting]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say which pictures"),
        (("01900000-0000-7000-8000-999999999999",), "the ledger knows no picture 01900000"),
        (("01900000-0000-7000-8000-000000000099",), "is in work; wait until it is filed"),
        (("01900000-0000-7000-8000-000000000001-1-1",), "was removed by retention"),
        (("--camera", "nowhere"), "no picture that is kept is like that"),
        (("--from", "tomorrow"), "is no time"),
    ],
)
def test_reread_when_misused_then_says_so_in_one_line(account, arguments, words):
    account.ledger.pruning.note_due([account.image(1).id])
    done = invoke("reread", "--root", str(account.root), *arguments)
    assert done.returncode == 78
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_reread_when_chosen_by_camera_and_status_then_only_those_are_wished_for(account):
    arguments = ("--root", str(account.root), "--camera", "cam", "--status", "failed")
    done = invoke("reread", *arguments)
    assert "3 pictures: the running watch" in done.stdout, done.stderr
    open_ = account.ledger.wishes.open()
    assert {record["name"] for record in open_} == {"part-5.png", "part-10.png", "part-20.png"}


def test_take_when_many_are_wished_for_then_a_quarter_of_the_room_at_most(account):
    rereads = wished(account, 1, 2, 3, 4, 6, 7)
    assert not rereads.idle
    assert names(rereads.take(16)) == [f"part-{n}.png" for n in (1, 2, 3, 4)]
    account.clock.seconds += 10
    assert rereads.take(12) == []
    assert rereads.take(0) == []


def test_take_when_a_camera_is_held_back_then_its_pictures_wait(account):
    assert names(wished(account, 1, 3).take(32, {"other"})) == ["part-1.png"]


def test_take_when_the_flow_died_with_them_then_each_is_read_alone_and_in_the_end_given_up(account):
    assert names(wished(account, 1, 2).take(32)) == ["part-1.png", "part-2.png"]
    taken = []
    while account.ledger.wishes.open():
        one = wished(account).take(32)
        assert len(one) <= 1 and all(waiting.suspect for waiting in one)
        taken += names(one)
    assert sorted(taken) == sorted(["part-1.png", "part-2.png"] * (MOST_TRIES - 1))


def test_commit_when_a_picture_was_read_again_then_supersedes_and_only_once(account):
    rereads = wished(account, 5)
    (one,) = rereads.take(32)
    result = replace(report(5, marks=2), image=one.image)
    outcome = Outcome(result, account.archive.target(result))
    assert rereads.accept([result]) == [result]
    before = (account.root / "data/failed/cam/2026/11/20/part-5.png").read_bytes()
    first, second = account.ledger.commit([outcome], "st")
    assert (first["revision"], first["supersedes"]) == (2, ids_of(one.image.id, 1, 1)[0])
    assert (second["revision"], second["supersedes"]) == (2, None)
    # Not moved yet: a crash here is finished by the next start.
    (unfinished,) = [item for item in account.ledger.unfinished() if item.state == "reported"]
    assert unfinished.claim.work == "data/failed/cam/2026/11/20/part-5.png"
    assert account.wrong() == []
    assert account.archive.file([filing(outcome, unfinished.claim.work)]) == []
    assert (account.root / outcome.target).read_bytes() == before
    assert not list((account.root / "data/failed").rglob("part-5.png*"))
    assert account.wrong() == []
    with pytest.raises(RuntimeError, match="reported twice"):
        account.ledger.commit([outcome], "st")


def test_file_when_a_picture_stays_where_it_is_then_it_is_not_touched(account):
    (one,) = wished(account, 1).take(32)
    result = replace(report(1), image=one.image)
    outcome = Outcome(result, account.archive.target(result))
    path = account.root / outcome.target
    assert str(path) == one.image.path
    account.ledger.commit([outcome], "st")
    assert account.archive.file([filing(outcome, outcome.target)]) == []
    assert path.is_file()
    assert account.wrong() == []
