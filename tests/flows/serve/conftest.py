"""A station that serves, one for each module of tests."""

from __future__ import annotations

import pytest
from stations import Station, end, launch

SERVE = "requests_per_second: 500\n  max_connections_per_address: 40"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    plant = launch(tmp_path_factory.mktemp("serve") / "plant", SERVE)
    try:
        yield Station(plant)
        assert plant.stop() == 0
    finally:
        end(plant)
