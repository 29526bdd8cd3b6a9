"""The benches that run processes of their own, in small: a watch, a broker, a cluster."""

from __future__ import annotations

import os

import pytest

from flows.bench import growth, scaling
from flows.bench.bare import CHECKOUT, Picture
from flows.bench.growth import SITE
from flows.bench.latency import Drops, Listener
from flows.bench.pretending import RECIPE, known_here, picture, plugin_folder
from flows.bench.startup import STAGES, moments
from flows.bench.station import Station, cost_of, mosquitto
from flows.configuration import settings
from stages.errors import ConfigError


def test_growth_when_files_wait_then_all_are_read_and_the_figures_are_there(tmp_path):
    station = Station(tmp_path / "root", SITE, RECIPE, plugin=plugin_folder(tmp_path))

    found = growth.run(station, 6, 2, 6)

    assert found.first_seconds > 0.1
    assert found.peak_mb > 20
    assert found.pictures_per_second > 0


def test_latency_when_pictures_are_dropped_then_each_has_its_message_and_its_parts(tmp_path):
    file = tmp_path / "picture.png"
    file.write_bytes(picture())
    with mosquitto(tmp_path) as port, Listener(port) as listener:
        site = SITE.replace("mqtt: null", f"mqtt: {{host: 127.0.0.1, port: {port}}}")
        site = site.replace("level: warning", "level: info")
        station = Station(tmp_path / "root", site, RECIPE, plugin=plugin_folder(tmp_path))
        with station.running():
            station.wait(lambda: '"watching"' in station.log())
            drops = Drops(station, listener)
            one = drops.one(Picture(file, "cam"))
            loaded = drops.at_rate([Picture(file, "cam")], 4, 50.0)
            capacity = drops.capacity([Picture(file, "cam")], 4)
        told = moments(station)
    for delay in (one, *loaded):
        assert 0 < delay.whole < 30_000
        parts = delay.settling + delay.reading + delay.delivery
        assert parts == pytest.approx(delay.whole, abs=0.01)
    assert capacity > 0
    stages = [stage for stage in STAGES if stage in told]
    assert stages == ["worker and models", "watching", "claim", "reading"]
    assert stages == sorted(stages, key=told.__getitem__)


def test_cluster_when_workers_wait_then_all_come_back_and_bytes_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "_IDLE_SECONDS", 0.1)
    sizes = scaling.Sizes(crop_ms=5, pictures_a_worker=2, chunks=(2,))
    plugin = plugin_folder(tmp_path)
    with known_here(plugin):
        site = settings.load(CHECKOUT)
        figures = list(scaling._waiting(site, sizes, 3, tmp_path, plugin))

    by_unit = {each.unit: each for each in figures if not each.series.startswith("limit")}
    assert by_unit["pictures/s"].median < 600
    assert by_unit["kB moved a picture"].median > 0.5
    assert 0 <= by_unit["scheduler CPU ms a picture"].median < 1000


def test_station_when_watch_does_not_start_then_the_end_of_its_log_is_told(tmp_path):
    station = Station(tmp_path / "root", "statoin: x\n", RECIPE)
    with pytest.raises(ConfigError, match="statoin: unknown key"), station.running():
        station.wait(lambda: False)


def test_mosquitto_when_it_is_not_there_then_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="apt-get install mosquitto"), mosquitto(tmp_path):
        pass


def test_cost_when_asked_of_this_process_then_has_time_and_memory():
    cost = cost_of(os.getpid())
    assert cost.cpu_seconds > 0
    assert cost.peak_mb > 20
