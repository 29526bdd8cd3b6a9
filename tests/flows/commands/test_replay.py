"""Replay: the very rows again, at one sink, and no position moves."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from accounts import Account
from brokers import Mosquitto, Subscriber
from commands import invoke

from flows import vocabulary


@pytest.fixture
def account(tmp_path):
    with Account(tmp_path / "root") as made:
        made.past()
        yield made


def replay(account, *arguments):
    return invoke("replay", "--root", str(account.root), *arguments)


def positions(account):
    return {name: account.ledger.places.position(name) for name in account.settings.sinks}


def parts(account):
    return sorted((account.root / "data/out/parquet/recent").rglob("*.parquet"))


def test_replay_when_parts_are_lost_then_each_is_there_again_under_its_name(account):
    before = {path: pq.read_table(path, partitioning=None) for path in parts(account)}
    lost = parts(account)[1:3]
    for path in lost:
        path.unlink()
    kept = {path: path.stat().st_mtime_ns for path in parts(account)}
    stood = positions(account)
    # One row of each is enough to name it.
    first, last = before[lost[0]]["seq"][3].as_py(), before[lost[1]]["seq"][0].as_py()
    done = replay(account, "--sink", "parquet", "--seq", f"{first}-{last}")
    assert done.returncode == 0, done.stderr
    assert {path: pq.read_table(path, partitioning=None) for path in parts(account)} == before
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert positions(account) == stood
    assert account.wrong() == []
    again = replay(account, "--sink", "parquet", "--from", "2026-11-20")
    assert again.returncode == 0 and again.stdout == ""


def test_replay_when_the_ledger_kept_no_ranges_then_missing_rows_come_once(account):
    with account.ledger._transaction() as db:
        db.execute("DELETE FROM units")
    parts(account)[1].unlink()
    done = replay(account, "--sink", "parquet", "--seq", "1-31")
    assert done.returncode == 0, done.stderr
    assert account.wrong() == []


def test_replay_when_a_csv_then_is_a_new_file_of_the_very_lines(account, tmp_path):
    file = tmp_path / "again.csv"
    done = replay(account, "--sink", "csv", "--seq", "3-9", "-o", str(file))
    assert done.returncode == 0, done.stderr
    days = sorted((account.root / "data/out/csv").glob("*.csv"))
    whole = days[0].read_bytes().splitlines(keepends=True)
    assert file.read_bytes() == b"".join([whole[0], *whole[3:10]])
    assert account.wrong() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--sink", "csv", "--seq", "1-2"), "name it with -o FILE"),
        (("--sink", "csv", "--seq", "1-2", "-o", "{root}/data/out/csv/x.csv"), "seen twice"),
        (("--sink", "csv", "--seq", "1-2", "-o", "{root}/conf/markwatch.yaml"), "there already"),
        (("--sink", "parquet", "--seq", "1-2", "-o", "x"), "leave out -o"),
        (("--sink", "nothing", "--seq", "1-2"), "no sink is called 'nothing': parquet, csv"),
        (("--sink", "csv"), "say what to replay"),
        (("--sink", "csv", "--seq", "900-901", "-o", "x"), "no such rows"),
        (("--sink", "csv", "--from", "2030-01-01", "-o", "x"), "no such rows"),
        (("--sink", "csv", "--from", "noon", "-o", "x"), "is no time"),
    ],
)
def test_replay_when_misused_then_says_so_in_one_line(account, arguments, words):
    if "twice" in words:
        words = "would see its rows twice"
    done = replay(account, *(each.format(root=account.root) for each in arguments))
    assert done.returncode == 78
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_replay_when_rows_are_pending_then_leaves_them_to_the_watch(account, tmp_path):
    account.claim(60)
    account.report(60)
    head = account.ledger.head()
    file = str(tmp_path / "x.csv")
    done = replay(account, "--sink", "csv", "--seq", f"{head}", "-o", file)
    assert done.returncode == 78
    assert f"1 rows of seq {head}-{head} are pending at csv" in done.stderr


def test_replay_when_a_part_is_damaged_then_says_to_remove_it(account):
    parts(account)[0].write_bytes(b"PAR1")
    done = replay(account, "--sink", "parquet", "--seq", "1")
    assert done.returncode == 75
    assert "remove it, then replay again" in done.stderr and len(done.stderr.splitlines()) == 1


def test_replay_when_mqtt_then_publishes_late_and_neither_last_nor_status(tmp_path):
    broker = Mosquitto(tmp_path).start()
    site = f"station: st\nsinks: {{mqtt: {{host: 127.0.0.1, port: {broker.port}}}, csv: null,\n"
    site += "  parquet: null}\n"
    try:
        with Account(tmp_path / "root", site) as account:
            account.past()
            stood = positions(account)
            with Subscriber(broker.port, "markwatch/#") as scada:
                # Two cameras' last, and the status.
                retained = len(scada.wait(lambda all_: len(all_) >= 3))
                done = replay(account, "--sink", "mqtt", "--seq", "2-20")
                assert done.returncode == 0, done.stderr
                heard = scada.wait(lambda all_: len(all_) >= retained + 19)[retained:]
            rows = [vocabulary.from_json(message.payload.decode()) for message in heard]
            assert rows == account.ledger.rows(1, 20)
            assert {message.topic.rsplit("/")[-1] for message in heard} == {"late", "failed"}
            assert not any(message.retain for message in heard)
            assert positions(account) == stood
    finally:
        broker.stop()


def test_replay_when_the_broker_runs_inside_watch_and_none_runs_then_refuses(tmp_path):
    text = "station: st\nsinks: {csv: null, parquet: null, mqtt: {embedded_port: 0}}\n"
    with Account(tmp_path / "root", text) as account:
        account.claim(1)
        account.report(1)
        account.ledger.places.open("mqtt", "first")
    done = replay(account, "--sink", "mqtt", "--seq", "1")
    assert done.returncode == 78
    assert "its broker runs inside `markwatch watch`; start that first" in done.stderr


def test_status_message_when_figures_are_told_then_they_are_those_of_status(tmp_path):
    broker = Mosquitto(tmp_path).start()
    mqtt = f"{{host: 127.0.0.1, port: {broker.port}, figures_seconds: 0.01}}"
    try:
        text = f"station: st\nsinks: {{mqtt: {mqtt}, csv: null, parquet: null}}\n"
        with (
            Account(tmp_path / "root", text) as account,
            Subscriber(broker.port, "markwatch/_station/#") as scada,
        ):
            account.ledger.set_conditions({"disk of data": "95 % full"}, "retention")
            account.past()
            heard = scada.wait(lambda all_: any(b"images" in message.payload for message in all_))
        told = [json.loads(m.payload) for m in heard if b"images" in m.payload][-1]
        assert told["balanced"] is True and told["conditions"] == {"disk of data": "95 % full"}
        assert told["images"]["seen"] == told["images"]["reported"] + told["images"]["in_work"]
        sums = told["sinks"]["mqtt"]
        assert sums["committed"] == sums["delivered"] + sums["dead"] + sums["pending"]
    finally:
        broker.stop()
