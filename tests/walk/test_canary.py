"""Canaries in a running station: measured by events and by polling, told everywhere, never read."""

from __future__ import annotations

import pytest
from commands import invoke
from made import picture
from stations import Station, end, launch

from flows.care.sightings import is_canary

FAST = {"MARKWATCH__CANARY__EVERY_MINUTES": "0.005"}
FILES_ONLY = """
cluster: {{scheduler: threads, threads: 2}}
recogniser: {{use: scripted}}
sources: {{folder: {{mode: {mode}, rescan_seconds: 0.5, poll_seconds: 0.1}}}}
sinks: {{mqtt: null, parquet: {{max_seconds: 0.2}}}}
"""
EVERYTHING = "fields: [{detect: {use: everything}}]\n"


def measured(plant) -> list[tuple]:
    return plant.query(
        "SELECT seconds, events_seconds, scan_seconds, late_seconds FROM canaries"
        " WHERE seconds IS NOT NULL AND scan_seconds IS NOT NULL"
    )


@pytest.mark.parametrize("mode", ["events", "polling"])
def test_watch_when_canaries_are_out_then_they_are_measured_and_only_pictures_read(plant, mode):
    plant.configure(FILES_ONLY.format(mode=mode), recipe=EVERYTHING)
    for life in range(2):
        plant.start(**FAST)
        picture(plant.inbox("cam") / f"{life}.png", 200)
        plant.wait_for("watching")
        plant.wait_until(lambda: measured(plant), "a canary")
        out = [path for path in plant.inbox("cam").parent.iterdir() if path.is_file()]
        assert all(is_canary(path.name) for path in out)
        if life:
            plant.kill()
        else:
            assert plant.stop() == 0
    plant.start("--once", **FAST)
    assert plant.finish() == 0
    left = [path for path in plant.inbox("cam").parent.rglob("*") if path.is_file()]
    assert left == []
    ((seconds, by_event, by_scan, late),) = measured(plant)
    assert (by_event is None) == (mode == "polling")
    assert seconds >= 0 and by_scan >= 0 and late < 30
    assert plant.status()["canaries"]["folder"]["seconds"] == seconds
    text = invoke("status", "--root", str(plant.root)).stdout
    assert "found after" in text and f"{seconds:.2f} s" in text
    assert sorted(row["image"] for row in plant.parquet_rows()) == ["0.png", "1.png"]
    assert invoke("audit", "--root", str(plant.root)).returncode == 0


def test_metrics_when_a_canary_came_through_then_tell_how_long_it_took(tmp_path):
    plant = launch(tmp_path / "plant", **FAST)
    try:
        station = Station(plant)
        plant.wait_until(lambda: station.get("/v1/status").json()["canaries"], "a canary")
        lines = station.get("/metrics").body.decode().splitlines()
        assert any(line.startswith('markwatch_canary_seconds{source="folder"}') for line in lines)
        assert 'markwatch_canary_late_seconds{source="folder"}' in "\n".join(lines)
    finally:
        end(plant)
