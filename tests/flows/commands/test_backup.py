"""The backup: a sound copy of one moment, while the ledger is written."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing

from accounts import Account
from plants import run

from flows.audit.ledger import check_ledger
from flows.ledger.file import Snapshot


def test_backup_when_the_ledger_is_being_written_then_the_copy_is_one_sound_moment(tmp_path):
    (tmp_path / "kept").mkdir()
    with Account(tmp_path / "root") as account:
        account.past()
        written, enough = threading.Event(), threading.Event()

        def write():
            for number in range(100, 400):
                account.claim(number)
                account.report(number)
                if number > 103:
                    written.set()
                if enough.is_set():
                    return

        writer = threading.Thread(target=write)
        writer.start()
        assert written.wait(30)
        done = run("backup", str(tmp_path / "kept"), "--root", str(account.root))
        enough.set()
        writer.join()
    assert done.returncode == 0, done.stderr
    (copy,) = (tmp_path / "kept").iterdir()
    assert copy.name.startswith("ledger-st-") and "sound" in done.stdout
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Snapshot(copy) as db:
        assert list(check_ledger(db)) == []
        assert db.execute("SELECT head FROM log").fetchone()[0] >= 31


def test_backup_when_the_file_is_there_then_it_stays(tmp_path):
    with Account(tmp_path / "root"):
        pass
    (tmp_path / "copy").write_text("mine")
    done = run("backup", str(tmp_path / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 78 and "overwrites nothing" in done.stderr
    assert (tmp_path / "copy").read_text() == "mine"


def test_backup_when_killed_before_then_its_remains_are_no_hindrance(tmp_path):
    with Account(tmp_path / "root"):
        pass
    (tmp_path / ".copy.part").write_text("half")
    done = run("backup", str(tmp_path / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".copy.part").exists()


def test_backup_when_the_folder_cannot_be_written_then_one_line_with_a_remedy(tmp_path):
    with Account(tmp_path / "root"):
        pass
    done = run("backup", str(tmp_path / "no" / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 75 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "no").exists()


def test_backup_when_put_back_then_the_root_goes_on_from_it_and_audit_names_the_rest(tmp_path):
    with Account(tmp_path / "root") as account:
        account.past()
        copy = tmp_path / "copy"
        assert run("backup", str(copy), "--root", str(account.root)).returncode == 0
        account.claim(200)
        account.report(200)
        account.deliver()
    for left in account.layout.state.iterdir():
        left.unlink()
    copy.rename(account.layout.ledger)
    with closing(sqlite3.connect(account.layout.ledger)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    found = account.wrong()
    assert len(found) == 3, found
    assert sum("does not know" in line for line in found) == 3
