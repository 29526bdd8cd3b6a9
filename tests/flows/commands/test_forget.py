"""`forget`: a sink that is configured no more keeps no rows back, and every row stays counted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from accounts import Account
from commands import invoke

from flows.audit.figures import figures
from flows.audit.ledger import check_ledger
from flows.care.retention import Retention
from flows.clocks import Clocks
from flows.commands.forget import forget
from flows.configuration import settings
from flows.ledger.wishes import wish_forgotten
from stages.errors import ConfigError

WITHOUT = "station: st\nsinks: {mqtt: null, csv: null, parquet: {max_rows: 7, max_seconds: 0}}\n"


def leave(account: Account, *, yet: int = 3) -> None:
    """All is delivered; then the CSV is taken out of the settings, and more is read."""
    account.past()
    (account.layout.conf / "markwatch.yaml").write_text(WITHOUT)
    account.settings = settings.load(account.root)
    for number in range(200, 200 + yet):
        account.claim(number)
        account.report(number)
    account.deliver()


def told(account: Account):
    with account.ledger.snapshot() as db:
        return figures(db, account.clock.now)


def test_forget_when_not_sure_then_says_what_is_undelivered_and_forgets_nothing(tmp_path):
    with Account(tmp_path / "root") as account:
        leave(account)
        before = told(account)["sinks"]["csv"]
        assert before["pending"] == 3
        with pytest.raises(ConfigError) as raised:
            forget(account.root, "csv", sure=False)
        words = str(raised.value)
        committed, delivered, dead = (before[key] for key in ("committed", "delivered", "dead"))
        assert f"{committed} rows committed = {delivered} delivered + {dead} dead + 3 unde" in words
        assert "--yes" in words and len(words.splitlines()) == 1
        assert told(account)["sinks"]["csv"] == before


def test_forget_when_no_watch_runs_then_it_is_done_and_stays_accounted_for(tmp_path, capsys):
    with Account(tmp_path / "root") as account:
        leave(account)
        before = told(account)["sinks"]["csv"]
    assert forget(account.root, "csv", sure=True) == 0
    assert "forgotten, 3 given up" in capsys.readouterr().out
    with account:
        found = told(account)
        assert list(found["sinks"]) == ["parquet"] and found["balanced"]
        (gone,) = found["forgotten"]
        assert gone["sink"] == "csv" and gone["given_up"] == 3
        for key in ("committed", "delivered", "dead"):
            assert gone[key] == before[key]
        assert account.wrong() == []
        # Nothing waits for it any more.
        assert account.ledger.places.floor() == account.ledger.head()
        for table in ("delivered", "dead", "tallies", "subscriptions", "units", "replies"):
            with account.ledger.snapshot() as db:
                kept = db.execute(f"SELECT COUNT(*) FROM {table} WHERE sink='csv'").fetchone()[0]
            assert kept == 0, table
    done = invoke("audit", "--root", str(account.root))
    assert f"= {before['delivered']} delivered" in done.stdout and "+ 3 given up" in done.stdout
    assert done.returncode == 0


def test_forget_when_a_watch_runs_then_it_is_a_wish_that_retention_fulfils(tmp_path, capsys):
    with Account(tmp_path / "root") as account:
        leave(account)
        assert forget(account.root, "csv", sure=True) == 0
        assert "the running watch forgets it within 10 minutes" in capsys.readouterr().out
        assert "csv" in told(account)["sinks"]
        clocks = Clocks(account.clock, account.clock.tick)
        Retention(account.layout, account.ledger, account.settings, clocks).tidy()
        assert "csv" not in told(account)["sinks"]
        assert told(account)["forgotten"][0]["given_up"] == 3
        assert account.ledger.forgetting.wanted() == []
        assert account.wrong() == []


def test_forget_when_the_watch_still_has_the_sink_then_it_stays_until_it_has_not(tmp_path):
    with Account(tmp_path / "root") as account:
        account.past()
        wish_forgotten(account.layout.ledger, "csv", "2026-11-21T00:00:00.000000Z")
        clocks = Clocks(account.clock, account.clock.tick)
        Retention(account.layout, account.ledger, account.settings, clocks).tidy()
        assert told(account)["forgotten"] == [] and "csv" in told(account)["sinks"]
        assert account.ledger.forgetting.wanted() == ["csv"]
        # The next start opens it: it is configured, and the wish withdrawn.
        account.deliver()
        assert account.ledger.forgetting.wanted() == []


def test_forget_when_configured_again_then_it_is_new_and_forgotten_again_with_both_kept(tmp_path):
    with Account(tmp_path / "root") as account:
        leave(account)
        account.ledger.forgetting.forget("csv")
        account.ledger.places.open("csv", "now")
        account.claim(300)
        account.report(300)
        account.clock.now += timedelta(hours=1)
        assert account.ledger.forgetting.forget("csv") == 1
        # Wished for twice, it is forgotten once.
        assert account.ledger.forgetting.forget("csv") == 0
        assert [gone["given_up"] for gone in told(account)["forgotten"]] == [3, 1]
        assert account.wrong() == []


def test_forget_when_old_rows_wait_for_it_then_retention_goes_on_afterwards(tmp_path):
    with Account(tmp_path / "root") as account:
        leave(account)
        account.clock.now += timedelta(days=400)
        clocks = Clocks(account.clock, account.clock.tick)
        (account.layout.conf / "markwatch.yaml").write_text(
            WITHOUT + "retention: {ledger_days: 90}"
        )
        account.settings = settings.load(account.root)
        retention = Retention(account.layout, account.ledger, account.settings, clocks)
        retention.tidy()
        assert "`markwatch forget csv`" in told(account)["conditions"]["retention for sink csv"]
        wish_forgotten(account.layout.ledger, "csv", "2026-11-21T00:00:00.000000Z")
        retention.tidy()
        with account.ledger.snapshot() as db:
            assert db.execute("SELECT COUNT(*) FROM rows").fetchone()[0] == 0
        assert "retention for sink csv" not in told(account)["conditions"]
        assert account.wrong() == []


def test_audit_when_what_a_forgotten_sink_had_is_altered_then_says_so(tmp_path):
    with Account(tmp_path / "root") as account:
        leave(account)
        account.ledger.forgetting.forget("csv")
        with account.ledger._transaction() as db:
            db.execute("UPDATE forgotten SET given_up=given_up-1 WHERE camera='cam'")
        with account.ledger.snapshot() as db:
            (found,) = check_ledger(db)
        assert "sink csv: forgotten with" in str(found)


@pytest.mark.parametrize(
    ("sink", "words"),
    [
        ("parquet", "is configured: set `sinks: {parquet: null}` and restart watch first"),
        ("nosuch", "knows no sink nosuch; configured no more: csv"),
    ],
)
def test_forget_when_misused_then_says_so_in_one_line(tmp_path, sink, words):
    with Account(tmp_path / "root") as account:
        leave(account)
    done = invoke("forget", sink, "--yes", "--root", str(account.root))
    assert done.returncode == 78 and words in done.stderr
    assert len(done.stderr.splitlines()) == 1
