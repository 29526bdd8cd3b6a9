"""`replay` and `backup`, killed at seeded moments: repeated, they end as if they never were.

What a kill leaves is never taken for whole, no position moves, and the audit finds nothing.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from accounts import Account
from brokers import Mosquitto, Subscriber
from faults.filesystem import recorded
from faults.gate import SEED, NotHereError
from faults.shim import library, shimmed
from plants import COMMAND, DEADLINE_SECONDS, environment

from flows import vocabulary
from flows.audit.ledger import check_ledger
from flows.ledger.file import Snapshot
from flows.sources.copied import FILE, Copied

LIVES = 2
KILLED = -signal.SIGKILL

pytestmark = pytest.mark.faults


def begin(*arguments: str, **extra: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, which the shim may kill."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        env=environment(**extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )


def run(*arguments: str, **extra: str) -> int:
    return begin(*arguments, **extra).wait(DEADLINE_SECONDS)


@pytest.fixture(scope="module", autouse=True)
def _shim() -> None:
    try:
        library()
    except NotHereError as reason:
        pytest.skip(str(reason))


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with Account(tmp_path / "root") as made:
        made.past()
        yield made


def kills(tmp_path: Path, under: Path, *command: str) -> list[int]:
    """Seeded changes of files before which a command is to die, by those of a run that does not."""
    record = tmp_path / "record"
    assert run(*command, **shimmed(under, record=record)) == 0
    # To open or close a file is recorded as well, and is no change of it.
    changes = sum(1 for change in recorded(record) if change.what not in "co")
    assert changes >= LIVES
    return sorted(random.Random(SEED).sample(range(1, changes + 1), LIVES))


def test_backup_when_killed_anywhere_then_no_half_copy_is_taken_for_a_whole_one(account, tmp_path):
    memory = Copied(account.layout.state / FILE, "/share")
    memory.close()
    kept = tmp_path / "kept"
    kept.mkdir()

    def command(name: object) -> tuple[str, ...]:
        return "backup", str(kept / f"{name}.sqlite"), "--root", str(account.root)

    def is_whole(name: int) -> bool:
        """Whether there is a copy of this name; if so it must be whole, and its companion there."""
        path, beside = kept / f"{name}.sqlite", kept / f"{name}.copied.sqlite"
        if not path.exists():
            return False
        with Snapshot(path) as db:
            assert list(check_ledger(db)) == []
            assert db.execute("SELECT head FROM log").fetchone()[0] == account.ledger.head()
        with closing(sqlite3.connect(beside)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert db.execute("SELECT COUNT(*) FROM seen").fetchone() == (0,)
        return True

    for number in kills(tmp_path, kept, *command("first")):
        assert run(*command(number), **shimmed(kept, kill=number)) == KILLED
        if not is_whole(number):
            assert run(*command(number)) == 0
            assert is_whole(number)
    assert [path.name for path in kept.iterdir() if not path.name.endswith(".sqlite")] == []


def test_replay_when_a_csv_is_killed_anywhere_then_its_file_is_whole_or_not_there(
    account, tmp_path
):
    folder = tmp_path / "again"
    folder.mkdir()

    def command(name: object) -> tuple[str, ...]:
        file = str(folder / f"{name}.csv")
        return (
            *("replay", "--sink", "csv", "--seq", "3-25", "-o", file),
            "--root",
            str(account.root),
        )

    numbers = kills(tmp_path, folder, *command("first"))
    whole = (folder / "first.csv").read_bytes()
    assert len(whole.splitlines()) == 24
    for number in numbers:
        file = folder / f"{number}.csv"
        assert run(*command(number), **shimmed(folder, kill=number)) == KILLED
        if not file.exists():
            assert run(*command(number)) == 0
        assert file.read_bytes() == whole
    assert account.wrong() == []


def test_replay_when_parquet_is_killed_anywhere_then_repeated_every_part_is_there_once(
    account, tmp_path
):
    out = account.root / "data" / "out"
    command = ("replay", "--sink", "parquet", "--seq", "1-31", "--root", str(account.root))

    def parts() -> dict[Path, object]:
        found = (out / "parquet" / "recent").rglob("*.parquet")
        return {path: pq.read_table(path, partitioning=None) for path in found}

    before, stood = parts(), account.ledger.places.position("parquet")
    for path in before:
        path.unlink()
    for number in kills(tmp_path, out, *command):
        for path in before:
            path.unlink()
        assert run(*command, **shimmed(out, kill=number)) == KILLED
        assert all(before[path] == table for path, table in parts().items())
        assert run(*command) == 0
        assert parts() == before
    assert account.ledger.places.position("parquet") == stood
    assert account.wrong() == []


def test_replay_when_mqtt_is_killed_anywhere_then_repeated_every_row_is_heard_under_its_id(
    tmp_path,
):
    chance = random.Random(SEED)
    broker = Mosquitto(tmp_path).start()
    mqtt = f"{{host: 127.0.0.1, port: {broker.port}, max_inflight: 4}}"
    text = f"station: st\nsinks: {{mqtt: {mqtt}, csv: null, parquet: null}}\n"
    try:
        with Account(tmp_path / "root", text) as account:
            account.past()
            for number in range(1000, 1400):
                account.claim(number)
                account.report(number)
            account.deliver()
            head, stood = account.ledger.head(), account.ledger.places.position("mqtt")
            command = ("replay", "--sink", "mqtt", "--seq", f"1-{head}", "--root")
            with Subscriber(broker.port, "markwatch/+/+") as scada:
                retained = len(scada.wait(lambda all_: len(all_) >= 2))
                for _ in range(LIVES):
                    begun, goal = len(scada.messages), chance.randint(1, head // 20)
                    process = begin(*command, str(account.root))
                    scada.wait(lambda all_, most=begun + goal: len(all_) >= most)
                    process.kill()
                    assert process.wait(DEADLINE_SECONDS) == KILLED
                begun = len(scada.messages)
                assert run(*command, str(account.root)) == 0
                # By id: the broker may still hand on what the last one killed had sent.
                scada.wait(lambda all_: len({json_row(one)["id"] for one in all_[begun:]}) >= head)
                heard = [json_row(message) for message in scada.messages[retained:]]
            rows = {row["id"]: row for row in account.ledger.rows(0, head)}
            assert {row["id"]: row for row in heard} == rows
            assert all(row == rows[row["id"]] for row in heard)
            assert account.ledger.places.position("mqtt") == stood
            assert account.wrong() == []
    finally:
        broker.stop()


def json_row(message) -> vocabulary.Row:
    return vocabulary.from_json(message.payload.decode())
