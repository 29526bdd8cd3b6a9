"""What the page is told of the station: sources, sinks, cameras, and what wants attention."""

from __future__ import annotations

import pytest
from plants import Plant
from stations import RECIPE, Station, b64, end, png

from flows.commands.broker import EmbeddedBroker

SITE = """
station: st
cluster: {scheduler: threads, threads: 2}
recogniser: {use: scripted}
intake: {settle_seconds: 0.1}
sinks: {parquet: null, mqtt: {host: 127.0.0.1, port: PORT, reconnect_max_seconds: 1}}
serve: {enabled: true, port: 0, trigger: {enabled: true, port: 0}}
"""


@pytest.fixture(scope="module")
def port() -> int:
    """Where no broker is, until a test starts one."""
    with EmbeddedBroker(port=0) as broker:
        return broker.port


@pytest.fixture(scope="module")
def alone(tmp_path_factory, port):
    """A station whose broker is not there."""
    plant = Plant(tmp_path_factory.mktemp("board") / "plant")
    plant.configure(SITE.replace("PORT", str(port)), recipe=RECIPE)
    plant.start()
    try:
        yield Station(plant)
    finally:
        end(plant)


def sink(station, name: str) -> dict:
    return next(one for one in station.get("/v1/board").json()["sinks"] if one["name"] == name)


def test_board_when_the_broker_is_away_then_said_before_anything_is_to_be_delivered(alone, port):
    alone.plant.wait_until(lambda: sink(alone, "mqtt")["level"] == "alarm", "told")
    told = sink(alone, "mqtt")
    assert f"cannot reach mqtt://127.0.0.1:{port}" in told["error"] and told["pending"] == 0
    # The sink says it; it is not said twice.
    assert alone.get("/v1/board").json()["conditions"] == []
    assert "sink mqtt" in alone.get("/v1/status").json()["conditions"]
    with EmbeddedBroker(port=port):
        alone.plant.wait_until(lambda: sink(alone, "mqtt")["level"] == "well", "healed")
        assert sink(alone, "mqtt")["error"] is None


def test_board_when_pictures_came_then_cameras_counts_and_where_to_put_more(alone):
    for level, camera in ((121, "default"), (33, "default")):
        assert alone.post(image=b64(png(level)), camera=camera, wait=True).status == 200
    boards = []

    def counted() -> bool:
        boards.append(alone.get("/v1/board").json())
        return boards[-1]["images"]["reported"] == 2

    # The figures are added up once a second.
    alone.plant.wait_until(counted, "both counted")
    board = boards[-1]
    assert board["ready"] and board["station"] == "st" and board["head"] == 2
    assert board["locked"] is False and len(board["edition"]) == 16
    (source,) = board["sources"]
    assert (source["level"], source["folders"]) == ("well", ["data/inbox"])
    assert source["scan_age_seconds"] < 60
    (camera,) = board["cameras"]
    assert (camera["name"], camera["last_status"]) == ("default", "failed")
    assert board["shift"]["cameras"] == {"default": {"failed": 1, "read": 1}}
    assert board["shift"]["complete"] and board["images"]["failed"] == 1
    other = alone.get("/v1/board?camera=nobody").json()
    assert not any(other["shift"]["trend"]) and any(board["shift"]["trend"])
