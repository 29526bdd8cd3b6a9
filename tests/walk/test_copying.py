"""A share that must stay as it is: read picture by picture, once each, over restarts."""

from __future__ import annotations

from commands import invoke
from made import picture

FILES_ONLY = """
cluster: {scheduler: threads, threads: 2}
recogniser: {use: scripted}
sinks:
  parquet: {max_seconds: 0.2}
  mqtt: null
"""
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


def test_watch_when_a_share_is_claimed_by_copying_then_it_stays_and_each_is_read_once(
    plant, tmp_path
):
    share = tmp_path / "share" / "cam"
    for number in range(3):
        picture(share / f"{number}.png", 200 + number)
    before = {path.name: path.stat().st_mtime_ns for path in share.iterdir()}
    source = f"sources: {{folder: {{inbox: '{share.parent}', claim: copy, poll_seconds: 0.1}}}}\n"
    plant.configure(source + FILES_ONLY, recipe=EVERYTHING)
    for count in (3, 3, 4):
        if count == 4:
            # The same name, another picture.
            picture(share / "0.png", 100)
        plant.start("--once")
        assert plant.finish() == 0
        assert plant.reported() == len(plant.parquet_rows()) == count
    assert sorted(row["image"] for row in plant.parquet_rows()) == [
        *("0.png", "0.png", "1.png", "2.png")
    ]
    after = {path.name: path.stat().st_mtime_ns for path in share.iterdir()}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"0.png"}
    assert invoke("audit", "--root", str(plant.root)).returncode == 0
    copies = (plant.root / "data/state/copies").rglob("*")
    assert [path for path in copies if path.is_file()] == []
