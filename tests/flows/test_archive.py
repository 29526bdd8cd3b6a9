"""Filing: by camera and day, never over another file, and a move that a crash cut short."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made import Clock, failure, image, report

from flows.archive import Archive, filing, reason_note
from flows.configuration.settings import Layout
from flows.ledger.log import Claim, Ledger, Outcome


@pytest.fixture
def site(tmp_path):
    layout = Layout(tmp_path)
    layout.work.mkdir(parents=True)
    with Ledger(layout.ledger, Clock(), root=layout.root) as ledger:
        yield layout, ledger, Archive(layout, ledger)


def commit(site, result, content=b"pixels"):
    layout, ledger, archive = site
    work = f"data/work/{result.image.id}"
    (layout.root / work).write_bytes(content)
    ledger.intend([Claim(result.image.id, "/gone", work, "cam", result.image.name, 1, 1)])
    ledger.claimed([result.image])
    outcome = Outcome(result, archive.target(result))
    ledger.commit([outcome], "st")
    return filing(outcome, work)


def test_file_when_read_then_lies_under_camera_and_day(site):
    layout, ledger, archive = site
    assert archive.file([commit(site, report(1))]) == []
    assert (layout.archive / "cam/2026/11/20/part-1.png").read_bytes() == b"pixels"
    assert ledger.unfinished() == []
    assert list(layout.work.iterdir()) == []


def test_file_when_failed_then_the_reason_lies_beside_it(site):
    layout, _, archive = site
    archive.file([commit(site, failure(1))])
    folder = layout.failed / "cam/2026/11/20"
    assert (folder / "part-1.png").read_bytes() == b"pixels"
    note = json.loads((folder / "part-1.png.reason.json").read_text())
    assert note["reason"] == "the file is truncated"
    assert note["stage"] == "decode"
    assert note["id"] == image(1).id
    assert note["read_again"] == f"markwatch reread {image(1).id}"


def test_file_when_two_have_one_name_then_both_are_kept(site):
    layout, _, archive = site
    due = [commit(site, report(n, name="same.png"), f"{n}".encode()) for n in (1, 2, 3)]
    archive.file(due[:1])
    archive.file(due[1:])
    files = sorted((layout.archive / "cam/2026/11/20").iterdir())
    assert sorted(path.read_bytes() for path in files) == [b"1", b"2", b"3"]
    assert files[0].name == "same.png"
    assert all(path.suffix == ".png" for path in files)


def test_file_when_a_stranger_put_a_file_there_then_it_stays(site):
    layout, _, archive = site
    folder = layout.archive / "cam/2026/11/20"
    folder.mkdir(parents=True)
    (folder / "part-1.png").write_bytes(b"stranger")
    archive.file([commit(site, report(1))])
    assert (folder / "part-1.png").read_bytes() == b"stranger"
    assert len(list(folder.iterdir())) == 2


def test_file_when_repeated_after_a_crash_then_is_done_once(site):
    layout, ledger, archive = site
    due = commit(site, failure(1))
    archive.file([due])
    assert archive.file([due]) == []
    assert len(list((layout.failed / "cam/2026/11/20").iterdir())) == 2
    assert ledger.unfinished() == []


def test_file_when_the_folder_cannot_be_made_then_it_waits(site):
    layout, ledger, archive = site
    due = commit(site, report(1))
    layout.archive.parent.mkdir(exist_ok=True)
    layout.archive.write_text("a file where the folder should be")
    assert archive.file([due]) == [due]
    assert (layout.root / due.work).exists()
    layout.archive.unlink()
    assert archive.file([due]) == []
    assert ledger.unfinished() == []


@pytest.mark.parametrize("name", ["ü" * 127 + ".png", "x" * 255, "a/b\\n.png", "...", "CON.png"])
def test_target_when_a_name_is_long_or_odd_then_fits_with_its_reason(site, name):
    layout, _, archive = site
    assert archive.file([commit(site, failure(1, name=name))]) == []
    names = [path.name for path in (layout.failed / "cam/2026/11/20").iterdir()]
    assert len(names) == 2
    assert all(len(name.encode()) <= 255 for name in names)
    assert layout.root.joinpath("data/failed").rglob("*")


def test_target_when_a_camera_is_called_like_a_way_out_then_stays_inside(site):
    layout, _, archive = site
    for camera in ("..", "../../etc", "/etc", "."):
        target = archive.target(report(1, camera=camera))
        resolved = (layout.root / target).resolve()
        assert resolved.is_relative_to(layout.archive)
        assert resolved.parent != layout.archive


def test_file_when_a_restart_knows_less_of_the_reason_then_the_first_note_stays(site):
    layout, ledger, archive = site
    due = commit(site, failure(1))
    target = layout.root / due.target
    target.parent.mkdir(parents=True)
    target.with_name(target.name + ".reason.json").write_text(due.note)
    assert archive.file([replace(due, note=reason_note(image(1), None, "the file"))]) == []
    assert ledger.unfinished() == []
    note = json.loads(target.with_name(target.name + ".reason.json").read_text())
    assert note["stage"] == "decode"
