"""The backup: a sound copy of one moment, while the ledger is written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from pathlib import Path

from accounts import Account
from commands import invoke

from flows.audit.ledger import check_ledger
from flows.ledger.file import Snapshot
from flows.settle import SettleOptions
from flows.sources.copied import Copied, Copy
from flows.sources.copying import Copying
from stages.ports import ScanEnd
from stages.records import Arrival


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
        done = invoke("backup", str(tmp_path / "kept"), "--root", str(account.root))
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
    done = invoke("backup", str(tmp_path / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 78 and "overwrites nothing" in done.stderr
    assert (tmp_path / "copy").read_text() == "mine"


def test_backup_when_killed_before_then_its_remains_are_no_hindrance(tmp_path):
    with Account(tmp_path / "root"):
        pass
    (tmp_path / ".copy.part").write_text("half")
    done = invoke("backup", str(tmp_path / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ".copy.part").exists()


def test_backup_when_the_folder_cannot_be_written_then_one_line_with_a_remedy(tmp_path):
    with Account(tmp_path / "root"):
        pass
    done = invoke("backup", str(tmp_path / "no" / "copy"), "--root", str(tmp_path / "root"))
    assert done.returncode == 75 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "no").exists()


def test_backup_when_pictures_are_copied_from_a_share_then_none_is_passed_over_after_it(tmp_path):
    """The copies themselves are in no backup, so what was on its way is copied again."""
    share = tmp_path / "share" / "cam"
    share.mkdir(parents=True)
    with Account(tmp_path / "root") as account:
        root, inbox = account.root, share.parent

        def told() -> list[Path]:
            """What a source that starts now tells of everything that lies there."""
            names = sorted(share.iterdir())
            seen = [
                Arrival(str(path), "cam", path.stat().st_size, path.stat().st_mtime_ns, "renamed")
                for path in names
            ]
            source = Copying(str(root), str(inbox), SettleOptions())
            arrivals = source.arrivals(iter([*seen, None, ScanEnd(len(seen)), None]))
            return sorted({Path(each.path) for each in arrivals if isinstance(each, Arrival)})

        for name in ("claimed.png", "waiting.png", "twin.png"):
            (share / name).write_bytes(name.encode())
            os.utime(share / name, (1, 1))
        for path in told():
            if path.name != "waiting.png":
                path.unlink()
        assert [path.name for path in told()] == ["waiting.png"]
        done = invoke("backup", str(tmp_path / "copy.sqlite"), "--root", str(root))
        assert done.returncode == 0, done.stderr
        assert "copy.copied.sqlite: which pictures" in done.stdout
        assert stat.S_IMODE((tmp_path / "copy.copied.sqlite").stat().st_mode) == 0o600
        state = account.layout.state
    shutil.rmtree(state)
    state.mkdir()
    (tmp_path / "copy.sqlite").rename(account.layout.ledger)
    (tmp_path / "copy.copied.sqlite").rename(state / "copied.sqlite")
    (share / "new.png").write_bytes(b"new")
    assert [path.name for path in told()] == ["new.png", "waiting.png"]


def test_backup_when_the_memory_of_a_share_is_being_written_then_its_copy_is_sound(tmp_path):
    with Account(tmp_path / "root") as account:
        memory = Copied(account.layout.state / "copied.sqlite", "/share")
        memory.begin(Copy("key", "1.png", "cam"))
        with memory._transaction() as db:
            db.execute("INSERT INTO seen (path, size, mtime_ns, sha256) VALUES ('a', 1, 1, 'x')")
            done = invoke("backup", str(tmp_path / "copy"), "--root", str(account.root))
        memory.close()
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "copy.copied")) as copy:
        assert copy.execute("SELECT COUNT(*) FROM seen").fetchone() == (0,)
        assert copy.execute("SELECT COUNT(*) FROM copies").fetchone() == (0,)


def test_backup_when_put_back_then_the_root_goes_on_from_it_and_audit_names_the_rest(tmp_path):
    with Account(tmp_path / "root") as account:
        account.past()
        copy = tmp_path / "copy"
        assert invoke("backup", str(copy), "--root", str(account.root)).returncode == 0
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
