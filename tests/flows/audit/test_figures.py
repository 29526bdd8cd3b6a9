"""The double entry: tallies, positions and daily totals come to the same, whatever happens."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import MORNING, Clock, failure, image, report

from flows.audit.figures import brief, figures
from flows.audit.ledger import check_ledger
from flows.ledger.file import Snapshot
from flows.ledger.log import Claim, Ledger, Outcome
from flows.ledger.positions import Intervals, intervals
from stages.errors import ConfigError
from stages.ports import Receipt

OLD = Path(__file__).with_name("ledger-schema-2.sql")


def commit(ledger, number, *, camera="cam", failed=False, marks=1):
    ledger.intend([Claim(image(number).id, "/x", f"w/{number}", camera, "x", 100, 1)])
    result = (
        failure(number, camera=camera) if failed else report(number, camera=camera, marks=marks)
    )
    ledger.claimed([result.image])
    ledger.commit([Outcome(result, f"t/{number}")], "st")


def told(ledger):
    with ledger.snapshot() as db:
        return figures(db, MORNING), [str(each) for each in check_ledger(db)]


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.booleans(), st.integers(1, 3)), max_size=8
)
FILTERS = st.sampled_from([None, ("a",), ("b",)])


@settings(max_examples=30)
@given(ROWS, FILTERS, st.sampled_from(["first", "now"]), st.data())
def test_figures_when_receipts_come_in_any_order_then_both_accounts_agree(
    pictures, cameras, start, data
):
    with (
        tempfile.TemporaryDirectory() as folder,
        Ledger(Path(folder, "l.sqlite"), Clock(), root=Path(folder)) as ledger,
    ):
        half = len(pictures) // 2
        for number, (camera, failed, marks) in enumerate(pictures):
            if number == half:
                ledger.places.open("sink", start, cameras)
            commit(ledger, number, camera=camera, failed=failed, marks=marks)
        ledger.places.open("sink", start, cameras)
        head = ledger.head()
        begin = ledger.places.position("sink").start
        owed = set(range(begin + 1, head + 1))
        dead: set[int] = set()
        while owed and data.draw(st.booleans()):
            taken = data.draw(st.sets(st.sampled_from(sorted(owed)), min_size=1))
            mine = [row for row in ledger.rows(begin, head, cameras=cameras) if row["seq"] in taken]
            lost = {row["seq"] for row in mine if data.draw(st.booleans())}
            dead |= lost
            owed -= taken
            position = ledger.places.position("sink")
            receipt = Receipt(dead=dict.fromkeys(lost, "no"))
            ledger.places.receive("sink", position, intervals(taken), receipt)
        found, wrong = told(ledger)
        assert wrong == []
        assert found["balanced"]
        rows = ledger.rows(begin, head)
        wanted = Counter(
            row["camera"]
            for row in rows
            if row["seq"] in owed or cameras is None or row["camera"] in cameras
        )
        sums = found["sinks"]["sink"]["cameras"]
        assert {camera: each["committed"] for camera, each in sums.items()} == dict(wanted)
        assert found["sinks"]["sink"]["pending"] == len(owed)
        assert found["sinks"]["sink"]["dead"] == len(dead)


@given(
    st.sets(st.integers(1, 30)),
    st.sets(st.integers(1, 30)),
)
def test_minus_when_sets_are_given_then_is_their_difference(one, other):
    assert intervals(one).minus(intervals(other)) == intervals(one - other)
    assert all(intervals(one).has(number) == (number in one) for number in range(32))


def test_ledger_when_schema_2_wrote_it_then_it_is_brought_up_to_date_and_balances(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD.read_text())
    with pytest.raises(ConfigError, match="earlier markwatch; run `markwatch watch`"):
        Snapshot(path).__enter__()
    with Ledger(path, Clock(), root=tmp_path) as ledger:
        found, wrong = told(ledger)
        assert (wrong, found["balanced"]) == ([], True)
        assert found["images"] == {"seen": 6, "reported": 5, "failed": 1, "in_work": 1}
        csv, mqtt = found["sinks"]["csv"], found["sinks"]["mqtt"]
        assert [csv[key] for key in ("committed", "delivered", "dead", "pending")] == [7, 5, 0, 2]
        assert [mqtt[key] for key in ("committed", "delivered", "dead", "pending")] == [2, 0, 1, 1]
        assert ledger.places.position("csv").planned == (5, 6)
        # The first start afterwards says what each sink subscribes to, and always did.
        ledger.places.open("csv", "first", ["cam"])
        ledger.places.open("mqtt", "now")
        found, wrong = told(ledger)
        assert (wrong, found["balanced"]) == ([], True)
        assert found["sinks"]["csv"]["cameras"]["cam"]["delivered"] == 3
        assert "other" not in found["sinks"]["csv"]["cameras"]
        position = ledger.places.position("csv")
        ledger.places.receive("csv", position, Intervals(((5, 7),)), Receipt())
        assert told(ledger)[0]["sinks"]["csv"]["pending"] == 0
        assert told(ledger)[1] == []
        assert brief(found)["conditions"] == {"recipe x": "is invalid"}


def test_conditions_when_two_tell_then_neither_ends_what_the_other_told(tmp_path):
    with Ledger(tmp_path / "l.sqlite", Clock(), root=tmp_path) as ledger:
        ledger.set_conditions({"recipe a": "is invalid"})
        ledger.set_conditions({"disk": "is full"}, "retention")
        assert told(ledger)[0]["conditions"] == {"recipe a": "is invalid", "disk": "is full"}
        ledger.set_conditions({})
        assert told(ledger)[0]["conditions"] == {"disk": "is full"}
