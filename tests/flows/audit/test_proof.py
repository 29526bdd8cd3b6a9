"""The audit: silent where all is well, and every single planted difference is found."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from accounts import Account
from commands import invoke
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.audit import pictures as audited


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "root"
    with Account(folder) as made:
        made.past()
    return folder


@pytest.fixture
def account(whole, tmp_path) -> Account:
    shutil.copytree(whole, tmp_path / "root")
    return Account(tmp_path / "root")


def parts(root: Path) -> list[Path]:
    return sorted((root / "data/out/parquet/recent").rglob("*.parquet"))


def days(root: Path) -> list[Path]:
    return sorted((root / "data/out/csv").glob("*.csv"))


def pictures(root: Path) -> list[Path]:
    return sorted(
        path
        for top in ("archive", "failed", "work")
        for path in (root / "data" / top).rglob("*.png")
    )


def change(root: Path, sql: str, *values) -> None:
    with closing(sqlite3.connect(root / "data/state/ledger.sqlite")) as db:
        assert db.execute(sql, values).rowcount > 0, sql
        db.commit()


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def test_audit_when_all_is_well_then_says_so_with_every_sum(account):
    assert account.wrong() == account.wrong(hashed=True) == []
    done = invoke("audit", "--root", str(account.root))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "21 pictures seen = 20 reported + 1 in work" in done.stdout
    assert "audit: no difference" in done.stdout
    told = json.loads(invoke("audit", "--json", "--root", str(account.root)).stdout)
    sums = told["sinks"]["csv"]["cameras"]
    assert {camera: each["delivered"] for camera, each in sums.items()} == {"cam": 20, "other": 8}
    assert told["balanced"] and not told["watched"] and told["differences"] == []


# Each plants one difference, chosen by `pick`, and says what a line of the audit must name.


def lose_part(root, pick):
    victim = pick(parts(root))
    rows = pq.ParquetFile(victim).read()["seq"].to_pylist()
    victim.unlink()
    return "parquet", f"replay --sink parquet --seq {rows[0]}-{rows[-1]}"


def tear_part(root, pick):
    victim = pick(parts(root))
    victim.write_bytes(victim.read_bytes()[:-9])
    return "parquet", victim.name


def double_part(root, pick):
    victim = pick(parts(root))
    shutil.copyfile(victim, victim.with_name(victim.stem + "-01234567.parquet"))
    return "parquet", "a second time"


def change_part(root, pick):
    victim = pick(parts(root))
    table = pq.ParquetFile(victim).read()
    index = table.schema.get_field_index("camera")
    names = ["elsewhere", *table["camera"].to_pylist()[1:]]
    pq.write_table(table.set_column(index, table.schema.field(index), [names]), victim)
    return "parquet", "otherwise than the ledger"


def stray_file(root, pick):
    pick(parts(root)).with_name("notes.txt").write_text("hello")
    return "parquet", "is no part"


def lose_line(root, pick):
    victim = pick(days(root))
    lines = lines_of(victim)
    gone = pick(lines[1:])
    victim.write_bytes(b"".join(line for line in lines if line != gone))
    return "csv", f"seq {gone.split(b',')[1].decode()} delivered, but nowhere"


def double_line(root, pick):
    victim = pick(days(root))
    lines = lines_of(victim)
    victim.write_bytes(b"".join([*lines, pick(lines[1:])]))
    return "csv", "a second time"


def change_line(root, pick):
    victim = pick(days(root))
    lines = lines_of(victim)
    chosen = pick(lines[1:])
    changed = chosen.replace(b'"st"', b'"xx"')
    victim.write_bytes(b"".join(changed if line == chosen else line for line in lines))
    return "csv", "otherwise than the ledger"


def change_line_id(root, pick):
    victim = pick(days(root))
    lines = lines_of(victim)
    chosen = pick(lines[1:])
    changed = chosen.replace(b'"01900000', b'"02900000', 1)
    victim.write_bytes(b"".join(changed if line == chosen else line for line in lines))
    return "csv", "does not know"


def tear_line(root, pick):
    victim = pick(days(root))
    victim.write_bytes(victim.read_bytes() + b'"torn')
    return "csv", "is not whole"


def lose_day(root, pick):
    pick(days(root)).unlink()
    return "csv", "nowhere to be found"


def lose_picture(root, pick):
    victim = pick(pictures(root))
    victim.unlink()
    return "picture", "is not at"


def shorten_picture(root, pick):
    victim = pick([path for path in pictures(root) if "/work/" not in str(path)])
    victim.write_bytes(victim.read_bytes()[:-1])
    return "picture", "bytes, not"


def unknown_picture(root, pick):
    top = pick(["archive", "failed", "work"])
    (root / "data" / top / "unknown.png").write_bytes(b"x")
    return "unknown.png", "does not know it"


def seqs(root):
    with closing(sqlite3.connect(root / "data/state/ledger.sqlite")) as db:
        return [seq for (seq,) in db.execute("SELECT seq FROM rows")]


def lose_row(root, pick):
    change(root, "DELETE FROM rows WHERE seq=?", pick(seqs(root)))
    return "ledger", "rows from"


def change_row(root, pick):
    column = pick(["camera", "status", "id", "read_at", "field", "image"])
    change(root, f"UPDATE rows SET {column} = 'x' || {column} WHERE seq=?", pick(seqs(root)))
    return "ledger", "contradicts itself"


def change_record(root, pick):
    sql = "UPDATE rows SET record=json_set(record, '$.text', 'other') WHERE seq=?"
    change(root, sql, pick(seqs(root)))
    return "csv", "otherwise than the ledger"


def sinks():
    return ["csv", "parquet"]


def move_forward(root, pick):
    # Two rows that no sink had yet, and a position that says it had.
    with Account(root) as account:
        account.claim(50)
        account.report(50, marks=2)
    name = pick(sinks())
    sql = "UPDATE delivered SET upto=upto+? WHERE sink=?"
    change(root, sql, pick([1, 2]), name)
    return f"sink {name}", "by its receipts"


def move_back(root, pick):
    name = pick(sinks())
    change(root, "UPDATE delivered SET upto=upto-? WHERE sink=?", pick([1, 2, 9]), name)
    return f"sink {name}", "there already, but pending"


def lose_position(root, pick):
    name = pick(sinks())
    change(root, "DELETE FROM delivered WHERE sink=?", name)
    return f"sink {name}", "there already, but pending"


def lose_image(root, pick):
    with closing(sqlite3.connect(root / "data/state/ledger.sqlite")) as db:
        keys = [key for (key,) in db.execute("SELECT id FROM images")]
    change(root, "DELETE FROM images WHERE id=?", pick(keys))
    return "camera", "are known"


def miscount(root, pick):
    what = pick(["seen", "reported", "failed"])
    change(root, f"UPDATE cameras SET {what}={what}+1 WHERE camera=?", pick(["cam", "other"]))
    return "camera", f"pictures {what}"


def mistally(root, pick):
    name = pick(sinks())
    change(root, "UPDATE tallies SET delivered=delivered-1 WHERE sink=? AND camera='cam'", name)
    return f"sink {name}", "by its receipts"


def bury(root, pick):
    name = pick(sinks())
    seq = pick(seqs(root))
    change(root, "INSERT INTO dead VALUES (?, ?, 'no', '2026')", name, seq)
    return f"sink {name}", "dead letters"


PLANTS = [
    lose_part, tear_part, double_part, change_part, stray_file, lose_line, double_line,
    change_line, change_line_id, tear_line, lose_day, lose_picture, shorten_picture,
    unknown_picture, lose_row, change_row, change_record, move_forward, move_back, lose_position,
    lose_image, miscount, mistally, bury,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_audit_when_one_difference_is_planted_then_it_is_named(whole, tmp_path, plant, data):
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(whole, root)
    where, what = plant(root, lambda choices: data.draw(st.sampled_from(list(choices))))
    found = Account(root).wrong()
    assert any(where in line and what in line for line in found), found
    for line in found:
        assert "\n" not in line
        assert line.count(": ") >= 2, "where, what, remedy"


def test_audit_when_a_picture_has_other_bytes_of_the_same_length_then_only_hashing_finds_it(
    account,
):
    victim = next(path for path in pictures(account.root) if "/archive/" in str(path))
    content = victim.read_bytes()
    victim.write_bytes(content[:-1] + b"?")
    assert account.wrong() == []
    (line,) = account.wrong(hashed=True)
    assert victim.name in line and "other bytes" in line


def test_audit_when_pictures_are_filed_while_it_looks_then_it_finds_no_difference(
    account, monkeypatch
):
    look, listed = audited._wrong, audited._files
    going = [lambda: account.report(99), lambda: (account.claim(98), account.report(98))]

    def looked(record, layout, *, hashed):
        if going and record["state"] == "claimed":
            going.pop(0)()
        return look(record, layout, hashed=hashed)

    def walked(top):
        if going and top == account.layout.archive:
            going.pop(0)()
        return listed(top)

    monkeypatch.setattr(audited, "_wrong", looked)
    monkeypatch.setattr(audited, "_files", walked)

    with account:
        assert account.wrong() == []
    assert not going


def test_audit_when_a_difference_is_found_then_exits_with_1_and_names_it_in_one_line(account):
    victim = parts(account.root)[0]
    victim.unlink()
    done = invoke("audit", "--root", str(account.root))
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("DIFFERS")]
    assert "sink parquet: seq 1-7 delivered" in line
    assert "`markwatch replay --sink parquet --seq 1-7`" in line


@pytest.mark.parametrize("page", range(2, 12))
def test_audit_when_a_page_of_the_ledger_is_destroyed_then_it_is_no_balance(account, page):
    path = account.layout.ledger
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(b"\xa5" * 4096)
    done = invoke("audit", "--root", str(account.root))
    assert done.returncode in (1, 78), done.stdout
    assert "Traceback" not in done.stderr
    assert "DIFFERS" in done.stdout or len(done.stderr.splitlines()) == 1


def test_audit_when_the_ledger_is_no_database_then_one_line_with_a_remedy(account):
    account.layout.ledger.write_bytes(b"not a database" * 1000)
    done = invoke("audit", "--root", str(account.root))
    assert done.returncode == 78
    assert "restore it from a backup" in done.stderr and len(done.stderr.splitlines()) == 1


def test_audit_when_nothing_was_watched_then_says_so_in_one_line(tmp_path):
    from flows.commands import site

    site.init(tmp_path / "new")
    done = invoke("audit", "--root", str(tmp_path / "new"))
    assert done.returncode == 78
    assert "nothing was watched" in done.stderr and len(done.stderr.splitlines()) == 1


def test_audit_when_a_delivery_was_cut_short_then_it_is_no_difference(account):
    # A crash between a sink's write and its receipt: the file has rows that are planned.
    with account:
        account.claim(50)
        account.report(50, marks=2)
        head = account.ledger.head()
        account.ledger.places.plan("csv", head - 2, head)
        rows = account.ledger.rows(head - 2, head)
    from flows.sinks.csv_lines import row_line

    with days(account.root)[-1].open("ab") as file:
        file.write(row_line(rows[0], True) + b'"torn')
    with days(account.root)[-1].open("rb") as file:
        assert file.read().endswith(b"torn")
    assert account.wrong() == []


def test_audit_when_a_subscription_changed_then_each_row_is_held_to_the_one_of_its_time(tmp_path):
    folder = tmp_path / "root"
    with Account(folder) as account:
        account.past()
    text = "station: st\nsinks: {mqtt: null, csv: {cameras: [cam]}, parquet: {statuses: [read]}}\n"
    (folder / "conf/markwatch.yaml").write_text(text)
    with Account(folder) as account:
        for number in range(50, 60):
            camera = "cam" if number % 2 else "other"
            account.claim(number, camera=camera)
            account.report(number, camera=camera, failed=number % 3 == 0)
        account.deliver()
        assert account.wrong() == []
    newest = [line for line in lines_of(days(account.root)[0]) if b'"part-5' in line]
    assert len([line for line in newest if b'"part-5.png"' not in line]) == 5
    assert not any(b'"other"' in line for line in newest)
    days(account.root)[0].write_bytes(b"")
    assert any("nowhere to be found" in line for line in account.wrong())
