"""What failed, and the wish to have it read again: once, refused clearly, and in the ledger."""

from __future__ import annotations

import pytest
from accounts import Account
from made import report
from stations import b64, png

from flows.clocks import Clocks
from flows.ledger.log import Outcome
from flows.ledger.wishes import wish
from flows.serve.failures import failed, wishable
from flows.serve.problems import RefusedError
from flows.serve.shelf import Shelf

NOW = "2026-11-21T08:00:00.000000Z"


@pytest.fixture
def account(tmp_path):
    with Account(tmp_path / "root") as made:
        made.past()
        yield made


@pytest.fixture
def shelf(account) -> Shelf:
    return Shelf(account.layout, account.ledger.snapshot, Clocks(account.clock, account.clock.tick))


def names(found) -> list[str]:
    return [one["image"] for one in found["failures"]]


def key(account, number: int, revision: int = 1) -> str:
    return f"{account.image(number).id}-{revision}-1"


def test_failures_when_asked_for_then_newest_first_by_camera_and_no_more_than_wanted(shelf):
    every = failed(shelf, None, 50)
    assert names(every) == ["part-20.png", "part-15.png", "part-10.png", "part-5.png"]
    assert not every["more"] and every["failures"][0]["reason"] == "the file is truncated"
    assert all(one["kept"] and not one["wished"] for one in every["failures"])
    assert names(failed(shelf, "other", 50)) == ["part-15.png"]
    some = failed(shelf, None, 3)
    assert names(some) == ["part-20.png", "part-15.png", "part-10.png"] and some["more"]


def test_failures_when_wished_removed_or_read_since_then_it_says_so(account, shelf):
    wish(account.layout.ledger, [account.image(number).id for number in (5, 10)], NOW)
    account.ledger.pruning.note_due([account.image(15).id])
    account.ledger.commit([Outcome(report(10), "data/archive/again.png")], "st")
    found = {one["image"]: one for one in failed(shelf, None, 50)["failures"]}
    assert set(found) == {"part-20.png", "part-15.png", "part-5.png"}
    assert found["part-5.png"]["wished"] and not found["part-20.png"]["wished"]
    assert not found["part-15.png"]["kept"]


def test_failures_when_the_log_is_long_then_found_by_an_index(account):
    with account.ledger.snapshot() as db:
        for query in (
            "SELECT record FROM rows WHERE status != 'read' AND status = 'failed'"
            " ORDER BY seq DESC LIMIT 9",
            "SELECT record FROM rows WHERE seq > 7 AND camera = 'cam' ORDER BY seq LIMIT 9",
        ):
            plan = " ".join(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {query}"))
            assert "USING INDEX rows_" in plan and "SCAN" not in plan and "TEMP" not in plan


@pytest.mark.parametrize(
    ("number", "status", "error"), [(99, 404, "unknown-reading"), (15, 410, "picture-gone")]
)
def test_reread_when_it_cannot_be_then_refused(account, shelf, number, status, error):
    account.ledger.pruning.note_due([account.image(15).id])
    with pytest.raises(RefusedError) as caught:
        wishable(shelf, key(account, number))
    assert (caught.value.status, caught.value.error) == (status, error)


def test_reread_when_the_picture_is_not_filed_yet_then_409(account, shelf):
    result = report(99)
    account.ledger.commit([Outcome(result, "data/archive/99.png")], "st")
    with pytest.raises(RefusedError) as caught:
        wishable(shelf, key(account, 99))
    assert (caught.value.status, caught.value.error) == (409, "in-work")


def test_reread_when_asked_for_twice_then_one_new_revision_and_a_foreign_id_is_refused(station):
    row = station.post(image=b64(png(171)), camera="press-3", wait=True).json()["readings"][0]
    path = f"/v1/readings/{row['id']}/reread"

    def filed() -> bool:
        return station.ask("POST", path).status == 202

    station.plant.wait_until(filed, "filed and wished")
    again = station.ask("POST", path)
    assert again.status == 202 and again.json()["state"] == "wished"
    picture = again.json()["picture"]

    def rows() -> list:
        return station.plant.query(f"SELECT id FROM rows WHERE image='{picture}' ORDER BY seq")

    station.plant.wait_until(lambda: len(rows()) >= 2, "read again")
    assert [name for (name,) in rows()][:2] == [row["id"], f"{picture}-2-1"]
    listed = station.get("/v1/failures").json()
    assert set(listed) == {"failures", "more"}
    assert station.get("/v1/failures?limit=0").status == 422
    assert station.get(path).status == 405
